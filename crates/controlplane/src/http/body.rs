//! Request bodies: size limit, JSON, and what is wrong with them.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::syntax;
use crate::protobuf;
use crate::status::{Refused, Served};

/// The most bytes of a request body, as in kube-apiserver.
const LIMIT: usize = 3 << 20;
/// The deepest nesting of a body; the parser has a limit of its own.
pub(super) const DEPTH: usize = 100;

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The value; of duplicate members the last.
    pub(super) value: Value,
    /// What a strict reader objects to.
    pub(super) problems: Vec<String>,
}

/// Reads a body up to the limit.
pub(super) async fn read(mut body: Body) -> Served<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| Refused::bad_request(format!("the body could not be read: {e}")))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > LIMIT {
                return Err(Refused::too_large(LIMIT));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}

/// The media type of a body without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Decodes an object of a kind by its media type.
pub(super) fn decode(headers: &HeaderMap, bytes: &[u8], kind: &str) -> Served<Decoded> {
    let bad = |why: &str| {
        let start = summary(bytes);
        Refused::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({start})"
        ))
    };
    let unread = |why: &str| bad(&format!("couldn't get version/kind; json parse error: {why}"));
    let object = |decoded: Decoded| {
        other_than_object(&decoded.value).map_or_else(
            || {
                let Decoded { value, problems } = decoded;
                let value = if value.is_null() { Value::Object(Map::new()) } else { value };
                Ok(Decoded { value, problems })
            },
            |what| Err(unread(&format!("json: cannot unmarshal {what} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"))),
        )
    };
    match media_type(headers) {
        "" | "application/json" => match syntax::problem(bytes) {
            Some(why) => Err(unread(&why)),
            None => json(bytes).and_then(object),
        },
        "application/yaml" | "application/x-yaml" => {
            read_yaml(bytes).map_err(|why| bad(&why)).and_then(object)
        }
        protobuf::MEDIA_TYPE if !bytes.starts_with(b"k8s\0") => Err(bad(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
        )),
        protobuf::MEDIA_TYPE => {
            protobuf::decode(bytes).map(|value| Decoded { value, problems: Vec::new() }).map_err(
                |why| Refused::bad_request(format!("the protobuf body cannot be read: {why}")),
            )
        }
        _ => Err(Refused::unsupported_media_type(&[
            "application/json",
            "application/yaml",
            protobuf::MEDIA_TYPE,
        ])),
    }
}

/// What Go calls a value that is no object. Null passes for an empty one.
pub(super) fn other_than_object(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(_) | Value::Null => None,
        Value::Array(_) => Some("array"),
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
    }
}

/// How much of a body messages show.
const SHOWN: usize = 30;

/// The start of a body: as text if it seems to be JSON, else in hexadecimal digits.
fn summary(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN)];
    let dots = if bytes.len() > SHOWN { " ..." } else { "" };
    match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(start)),
        Some(_) => {
            let mut digits = String::new();
            for byte in start {
                let _ = write!(digits, "{byte:02x}");
            }
            digits + dots
        }
    }
}

/// The text with the sign for what cannot be read in place of halves of surrogate pairs and of bytes
/// that are no UTF-8, as Go reads it.
fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    let half = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        (0xd800..0xe000).contains(&code).then_some(code)
    };
    let text = match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(text) => return Cow::Owned(readable(text.as_bytes()).into_owned()),
    };
    let mut at = 0;
    let mut out: Option<Vec<u8>> = None;
    while at < bytes.len() {
        let escape = bytes[at] == b'\\';
        let (step, replaced) = match (escape, half(at)) {
            (true, Some(0xd800..0xdc00)) if half(at + 6).is_some_and(|low| low >= 0xdc00) => {
                (12, false)
            }
            (true, Some(_)) => (6, true),
            (true, None) => (2, false),
            (false, _) => (1, false),
        };
        let end = (at + step).min(bytes.len());
        if replaced && out.is_none() {
            out = Some(bytes[..at].to_vec());
        }
        if let Some(out) = &mut out {
            out.extend_from_slice(if replaced { b"\\ufffd" } else { &bytes[at..end] });
        }
        at = end;
    }
    out.map_or(text, Cow::Owned)
}

/// Decodes JSON and notes duplicate members.
pub(super) fn json(bytes: &[u8]) -> Served<Decoded> {
    let mut problems = Vec::new();
    let readable = readable(bytes);
    let mut deserializer = serde_json::Deserializer::from_slice(&readable);
    let seed = Seed { path: String::new(), depth: 0, problems: &mut problems };
    let value = seed.deserialize(&mut deserializer).and_then(|v| deserializer.end().map(|()| v));
    let value = value.map_err(|e| {
        Refused::bad_request(format!("the object provided is unrecognized: json parse error: {e}"))
    })?;
    Ok(Decoded { value, problems })
}

/// Decodes a patch: a list of steps, or an object.
pub(super) fn patch(bytes: &[u8], steps: bool) -> Served<Decoded> {
    let bad = |why: &str| Refused::bad_request(format!("error decoding patch: {why}"));
    if let Some(why) = syntax::problem(bytes) {
        return Err(bad(&why));
    }
    let decoded = json(bytes)?;
    let (other, wanted) = if steps {
        let object = decoded.value.is_object().then_some("object");
        let other = object.or_else(|| other_than_object(&decoded.value));
        (other.filter(|what| *what != "array"), "[]handlers.jsonPatchOp")
    } else if decoded.value.is_null() {
        return Err(Refused::bad_request("Invalid JSON Patch"));
    } else {
        (other_than_object(&decoded.value), "map[string]interface {}")
    };
    match other {
        None => Ok(decoded),
        Some(what) => {
            Err(bad(&format!("json: cannot unmarshal {what} into Go value of type {wanted}")))
        }
    }
}

/// Decodes YAML that is to be applied.
pub(super) fn yaml(bytes: &[u8]) -> Served<Decoded> {
    let bad = |why: &str| Refused::bad_request(format!("error decoding YAML: {why}"));
    let decoded =
        read_yaml(bytes).map_err(|why| bad(&format!("error converting YAML to JSON: {why}")))?;
    match other_than_object(&decoded.value) {
        None => Ok(decoded),
        Some(what) => Err(bad(&format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
        ))),
    }
}

fn read_yaml(bytes: &[u8]) -> Result<Decoded, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let decode = |value: yaml::Value| {
        let text = value.to_json().map_err(|e| e.to_string())?;
        json(text.as_bytes()).map_err(|e| e.body()["message"].to_string())
    };
    match yaml::parse_strict(text) {
        Ok(value) => decode(value),
        Err(strict) => {
            // Only a strict reader minds what the lenient one accepts: names given twice.
            let mut decoded = decode(yaml::parse(text).map_err(|e| e.to_string())?)?;
            let told = strict.to_string();
            decoded.problems.push(told.trim_end().to_owned());
            Ok(decoded)
        }
    }
}

struct Seed<'a> {
    path: String,
    depth: usize,
    problems: &'a mut Vec<String>,
}

impl Seed<'_> {
    fn inside(&mut self, path: String) -> Seed<'_> {
        Seed { path, depth: self.depth + 1, problems: self.problems }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEPTH {
            return Err(D::Error::custom(format!("nested more than {DEPTH} deep")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, items.len());
            match access.next_element_seed(self.inside(path))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let path =
                if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            let value = access.next_value_seed(self.inside(path.clone()))?;
            // Go reads the second into the first.
            let merged = match (members.remove(&key), value) {
                (None, value) => {
                    members.insert(key, value);
                    continue;
                }
                (Some(Value::Object(mut first)), Value::Object(second)) => {
                    first.extend(second);
                    Value::Object(first)
                }
                (Some(_), second) => second,
            };
            self.problems.push(format!("duplicate field {path:?}"));
            members.insert(key, merged);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_members_are_told_with_their_place() {
        let decoded = json(br#"{"a":1,"b":[{"c":1,"c":2}],"a":3}"#).unwrap();
        assert_eq!(decoded.value, serde_json::json!({"a":3,"b":[{"c":2}]}));
        assert_eq!(decoded.problems, [r#"duplicate field "b[0].c""#, r#"duplicate field "a""#]);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(5000);
        assert_eq!(json(deep.as_bytes()).unwrap_err().code, 400);
    }
}
