//! What is decrypted after a build: encrypted objects, and encrypted entries of Secrets.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kustomize::Manifest;
use sops::{Format, Integrity, KeyService};
use yaml::{Mapping, Value};

use super::super::build::Halt;

/// An object in the clear.
///
/// # Errors
/// What cannot be decrypted, in upstream's words; never a value.
pub(in super::super) fn decrypted(
    value: Value,
    manifest: Manifest<'_>,
    keys: &dyn KeyService,
) -> Result<Value, Halt> {
    let (kind, place) = (manifest.kind(), format!("{}/{}", manifest.namespace(), manifest.name()));
    if sops::is_encrypted(&value) {
        let what = format!("failed to decrypt and format '{place}' {kind} data");
        return sops::decrypt_object(&value, keys).map_err(|why| Halt::from(why).within(&what));
    }
    if kind != "Secret" {
        return Ok(value);
    }
    let Some(data) = value.get("data").and_then(Value::as_mapping) else { return Ok(value) };
    let mut plain = Mapping::new();
    for (key, entry) in data.iter() {
        let made = entry_of(key, entry, keys).map_err(|halt| {
            halt.within(&format!("failed to decrypt and format '{place}' Secret field '{key}'"))
        })?;
        plain.insert(key.to_owned(), made.unwrap_or_else(|| entry.clone()));
    }
    let mut value = value;
    if let Value::Mapping(object) = &mut value {
        object.insert("data".to_owned(), Value::Mapping(plain));
    }
    Ok(value)
}

/// An entry of a Secret in the clear, if it is encrypted. What is no base64 is left to others to
/// complain of.
fn entry_of(key: &str, entry: &Value, keys: &dyn KeyService) -> Result<Option<Value>, Halt> {
    let text: String = entry.as_str().unwrap_or_default().split_ascii_whitespace().collect();
    let Ok(content) = BASE64_STANDARD.decode(text) else { return Ok(None) };
    let Some(format) = Format::detect(&content) else { return Ok(None) };
    let formats = (format, Format::of_path(key));
    let plain = sops::decrypt(&content, formats, keys, Integrity::Verified)?;
    Ok(Some(Value::String(BASE64_STANDARD.encode(plain))))
}
