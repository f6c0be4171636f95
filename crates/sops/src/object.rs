//! Objects of Kubernetes.

use yaml::Value;

use crate::{Error, Format, Integrity, KeyService, decrypt};

/// Whether an object holds values that sops encrypted: it has a MAC.
pub fn is_encrypted(object: &Value) -> bool {
    object.get("sops").and_then(|sops| sops.get("mac")).is_some()
}

/// What Flux says of a Secret that is still encrypted when it is to be applied.
pub fn leftover(namespace: &str, name: &str) -> String {
    format!(
        "Secret/{namespace}/{name} is SOPS encrypted, configuring decryption is required for this \
         secret to be reconciled"
    )
}

/// The object in the clear, without `sops`. Its integrity is not verified: the hash is over values
/// in the order of the file, and a build sorts and changes them.
///
/// # Errors
/// As [`decrypt`].
pub fn decrypt_object(object: &Value, keys: &dyn KeyService) -> Result<Value, Error> {
    let format = Format::Json;
    let json = object.to_json().map_err(|why| Error::Load { format, why: why.to_string() })?;
    let plain = decrypt(json.as_bytes(), (format, format), keys, Integrity::Ignored)?;
    let text = yaml::text(&plain).map_err(|why| Error::Emit { format, why: why.to_string() })?;
    yaml::parse(&text).map_err(|why| Error::Emit { format, why: why.to_string() })
}
