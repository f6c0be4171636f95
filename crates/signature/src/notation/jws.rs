//! Envelopes in JSON Web Signature form (flattened JSON serialisation).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::envelope::{self, AUTHENTIC_TIME, Content, EXPIRY, SIGNING_SCHEME, SIGNING_TIME};
use crate::algorithm::Hash;

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    protected: String,
    header: Unprotected,
    signature: String,
}

#[derive(Deserialize)]
struct Unprotected {
    #[serde(default)]
    x5c: Vec<String>,
}

type Protected = BTreeMap<String, Value>;

pub(super) fn parse(bytes: &[u8]) -> Result<Content, String> {
    let it: Envelope = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|e| e.to_string());
    let protected: Protected = serde_json::from_slice(&decode(&it.protected)?)
        .map_err(|error| format!("jws envelope protected header can't be decoded: {error}"))?;
    let text = |name: &str| protected.get(name).and_then(Value::as_str).unwrap_or_default();
    let (hash, is_rsa) = algorithm(text("alg"))
        .ok_or_else(|| format!("unsupported signature algorithm {:?}", text("alg")))?;
    check_critical(&protected)?;
    let scheme = text(SIGNING_SCHEME).to_owned();
    let time = |name: &str| -> Result<Option<Timestamp>, String> {
        let Some(value) = protected.get(name) else { return Ok(None) };
        let parsed = value.as_str().and_then(|it| it.parse().ok());
        parsed.map(Some).ok_or_else(|| format!("{name:?} is no time"))
    };
    let by_authority = scheme == envelope::SCHEME_AUTHORITY;
    let signing_time = time(if by_authority { AUTHENTIC_TIME } else { SIGNING_TIME })?;
    let ders = it.header.x5c.iter().map(|it| BASE64_STANDARD.decode(it));
    let ders: Vec<Vec<u8>> = ders.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    Ok(Content {
        payload: decode(&it.payload)?,
        media_type: text("cty").to_owned(),
        signing_time,
        expiry: time(EXPIRY)?,
        chain: envelope::chain(ders.iter().map(Vec::as_slice))?,
        hash,
        is_rsa,
        signed: format!("{}.{}", it.protected, it.payload).into_bytes(),
        signature: decode(&it.signature)?,
        scheme,
    })
}

fn check_critical(protected: &Protected) -> Result<(), String> {
    let critical = protected.get("crit").and_then(Value::as_array);
    let critical = critical.ok_or("missing \"crit\" header")?;
    let names: Vec<&str> = critical.iter().filter_map(Value::as_str).collect();
    if !names.contains(&SIGNING_SCHEME) {
        return Err(format!("protected header {SIGNING_SCHEME:?} must be marked critical"));
    }
    match names.iter().find(|name| !envelope::UNDERSTOOD.contains(name)) {
        Some(name) => Err(format!("critical header {name:?} is not understood")),
        None => Ok(()),
    }
}

fn algorithm(name: &str) -> Option<(Hash, bool)> {
    Some(match name {
        "PS256" => (Hash::Sha256, true),
        "PS384" => (Hash::Sha384, true),
        "PS512" => (Hash::Sha512, true),
        "ES256" => (Hash::Sha256, false),
        "ES384" => (Hash::Sha384, false),
        "ES512" => (Hash::Sha512, false),
        _ => return None,
    })
}
