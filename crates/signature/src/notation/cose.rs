//! Envelopes in COSE form (RFC 9052, `COSE_Sign1`).

use ciborium::Value;
use jiff::Timestamp;

use super::envelope::{self, AUTHENTIC_TIME, Content, EXPIRY, SIGNING_SCHEME, SIGNING_TIME};
use crate::algorithm::Hash;

const SIGN1: u64 = 18;
const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;
const CONTENT_TYPE: i64 = 3;
const X5CHAIN: i64 = 33;
const EPOCH_TIME: u64 = 1;
/// Deeper structures are refused.
const MAX_DEPTH: usize = 16;

type Header = Vec<(Value, Value)>;

pub(super) fn parse(bytes: &[u8]) -> Result<Content, String> {
    let Value::Tag(SIGN1, inner) = read(bytes)? else {
        return Err("not a COSE_Sign1 message".to_owned());
    };
    let Ok([protected_bytes, unprotected, payload, signature]) =
        inner.into_array().and_then(|it| <[Value; 4]>::try_from(it).map_err(Value::Array))
    else {
        return Err("a COSE_Sign1 message has four parts".to_owned());
    };
    let protected_bytes = into_bytes(protected_bytes, "protected header")?;
    let protected = into_map(read(&protected_bytes)?, "protected header")?;
    let unprotected = into_map(unprotected, "unprotected header")?;
    let payload = into_bytes(payload, "payload")?;
    let (hash, is_rsa) = numbered(&protected, ALGORITHM)
        .and_then(integer)
        .and_then(algorithm)
        .ok_or("unsupported signature algorithm")?;
    check_critical(&protected)?;
    let text = |it: Option<&Value>| it.and_then(Value::as_text).unwrap_or_default().to_owned();
    let scheme = text(named(&protected, SIGNING_SCHEME));
    let by_authority = scheme == envelope::SCHEME_AUTHORITY;
    let signing_time = if by_authority { AUTHENTIC_TIME } else { SIGNING_TIME };
    let chain = numbered(&unprotected, X5CHAIN).ok_or("certificate chain is not present")?;
    Ok(Content {
        media_type: text(numbered(&protected, CONTENT_TYPE)),
        signing_time: time(&protected, signing_time)?,
        expiry: time(&protected, EXPIRY)?,
        chain: envelope::chain(ders(chain))?,
        hash,
        is_rsa,
        signed: to_be_signed(protected_bytes, &payload)?,
        signature: into_bytes(signature, "signature")?,
        scheme,
        payload,
    })
}

fn read(bytes: &[u8]) -> Result<Value, String> {
    ciborium::de::from_reader_with_recursion_limit(bytes, MAX_DEPTH)
        .map_err(|error| error.to_string())
}

/// The bytes that are signed: context, protected header, nothing from outside, payload.
fn to_be_signed(protected: Vec<u8>, payload: &[u8]) -> Result<Vec<u8>, String> {
    let structure = Value::Array(vec![
        Value::Text("Signature1".to_owned()),
        Value::Bytes(protected),
        Value::Bytes(Vec::new()),
        Value::Bytes(payload.to_vec()),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&structure, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn check_critical(protected: &Header) -> Result<(), String> {
    let critical = numbered(protected, CRITICAL).and_then(Value::as_array);
    let critical = critical.ok_or("missing \"crit\" header")?;
    if !critical.iter().any(|it| it.as_text() == Some(SIGNING_SCHEME)) {
        return Err(format!("protected header {SIGNING_SCHEME:?} must be marked critical"));
    }
    let known = |it: &Value| match (it.as_text(), integer(it)) {
        (Some(name), _) => envelope::UNDERSTOOD.contains(&name),
        (None, Some(number)) => [ALGORITHM, CONTENT_TYPE].contains(&number),
        (None, None) => false,
    };
    match critical.iter().find(|it| !known(it)) {
        Some(it) => Err(format!("critical header {it:?} is not understood")),
        None => Ok(()),
    }
}

fn into_bytes(value: Value, what: &str) -> Result<Vec<u8>, String> {
    value.into_bytes().map_err(|_| format!("{what} is no byte string"))
}

fn into_map(value: Value, what: &str) -> Result<Header, String> {
    value.into_map().map_err(|_| format!("{what} is no map"))
}

fn integer(value: &Value) -> Option<i64> {
    i64::try_from(value.as_integer()?).ok()
}

fn numbered(header: &Header, number: i64) -> Option<&Value> {
    header.iter().find(|(key, _)| integer(key) == Some(number)).map(|(_, value)| value)
}

fn named<'a>(header: &'a Header, name: &str) -> Option<&'a Value> {
    header.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn time(header: &Header, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = named(header, name) else { return Ok(None) };
    let seconds = match value {
        Value::Tag(EPOCH_TIME, inner) => integer(inner),
        other => integer(other),
    };
    let parsed = seconds.and_then(|it| Timestamp::from_second(it).ok());
    parsed.map(Some).ok_or_else(|| format!("{name:?} is no time"))
}

/// One certificate stands by itself, several in an array.
fn ders(value: &Value) -> Vec<&[u8]> {
    match value {
        Value::Bytes(one) => vec![one.as_slice()],
        Value::Array(many) => {
            many.iter().filter_map(|it| it.as_bytes().map(Vec::as_slice)).collect()
        }
        _ => Vec::new(),
    }
}

fn algorithm(number: i64) -> Option<(Hash, bool)> {
    Some(match number {
        -37 => (Hash::Sha256, true),
        -38 => (Hash::Sha384, true),
        -39 => (Hash::Sha512, true),
        -7 => (Hash::Sha256, false),
        -35 => (Hash::Sha384, false),
        -36 => (Hash::Sha512, false),
        _ => return None,
    })
}
