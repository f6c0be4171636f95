//! Single values: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes::Aes256;
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{Aead as _, KeyInit as _, Nonce, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::DataKey;
use crate::tree::Value;

/// Bytes of the tag.
const TAG: usize = 16;

/// Bytes of the nonces that sops makes.
pub(crate) const NONCE: usize = 32;

/// The value that `text` hides; `context` is the path it stands at.
pub(crate) fn decrypt(text: &str, key: &DataKey, context: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    let parts = parse(text)
        .ok_or_else(|| "Input string <redacted> does not match sops' data format".to_owned())?;
    let decoded = |name: &str, part: &str| {
        STANDARD.decode(part).map_err(|error| format!("Error base64-decoding {name}: {error}"))
    };
    let mut sealed = decoded("data", parts.data)?;
    let nonce = decoded("iv", parts.nonce)?;
    sealed.extend(decoded("tag", parts.tag)?);
    let payload = Payload { msg: &sealed, aad: context.as_bytes() };
    let opened = match nonce.len() {
        32 => open::<U32>(key, &nonce, payload),
        16 => open::<U16>(key, &nonce, payload),
        12 => open::<U12>(key, &nonce, payload),
        other => return Err(format!("a nonce of {other} bytes is not supported")),
    };
    let bytes = opened.ok_or_else(|| {
        "Could not decrypt with AES_GCM: cipher: message authentication failed".to_owned()
    })?;
    Value::of_kind(parts.kind, bytes)
}

fn open<N: aes_gcm::aead::array::ArraySize>(
    key: &DataKey,
    nonce: &[u8],
    payload: Payload<'_, '_>,
) -> Option<Vec<u8>> {
    let cipher = AesGcm::<Aes256, N>::new_from_slice(key.bytes()).ok()?;
    let nonce = Nonce::<AesGcm<Aes256, N>>::try_from(nonce).ok()?;
    cipher.decrypt(&nonce, payload).ok()
}

/// Hides a value; what is empty stays empty.
pub(crate) fn encrypt(
    value: &Value,
    key: &DataKey,
    context: &str,
    nonce: &[u8; NONCE],
) -> Result<String, String> {
    let bytes = value.bytes();
    if bytes.is_empty() {
        return Ok(String::new());
    }
    let failed = || "a value cannot be encrypted".to_owned();
    let cipher = AesGcm::<Aes256, U32>::new_from_slice(key.bytes()).map_err(|_| failed())?;
    let payload = Payload { msg: &bytes, aad: context.as_bytes() };
    let whole = Nonce::<AesGcm<Aes256, U32>>::from(*nonce);
    let sealed = cipher.encrypt(&whole, payload).map_err(|_| failed())?;
    let (data, tag) = sealed.split_at(sealed.len().saturating_sub(TAG));
    Ok(format!(
        "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]",
        STANDARD.encode(data),
        STANDARD.encode(nonce),
        STANDARD.encode(tag),
        value.kind()
    ))
}

struct Parts<'a> {
    data: &'a str,
    nonce: &'a str,
    tag: &'a str,
    kind: &'a str,
}

fn parse(text: &str) -> Option<Parts<'_>> {
    let text = text.strip_prefix("ENC[AES256_GCM,data:")?;
    let text = &text[..text.rfind(']')?];
    let (text, kind) = text.rsplit_once(",type:")?;
    let (text, tag) = text.rsplit_once(",tag:")?;
    let (data, nonce) = text.rsplit_once(",iv:")?;
    let whole = [data, nonce, tag, kind].iter().all(|part| !part.is_empty());
    whole.then_some(Parts { data, nonce, tag, kind })
}
