//! Request bodies: size limit, JSON, and what is wrong with them.

use std::fmt;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::protobuf;
use crate::status::{Refused, Served};

/// The most bytes of a request body, as in kube-apiserver.
const LIMIT: usize = 3 << 20;
/// The deepest nesting of a body; the parser has a limit of its own.
const DEPTH: usize = 100;

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

/// Decodes an object by its media type.
pub(super) fn decode(headers: &HeaderMap, bytes: &[u8]) -> Served<Decoded> {
    match media_type(headers) {
        "" | "application/json" => json(bytes),
        "application/yaml" | "application/x-yaml" => yaml(bytes),
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

/// Decodes JSON and notes duplicate members.
pub(super) fn json(bytes: &[u8]) -> Served<Decoded> {
    let mut problems = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { path: String::new(), depth: 0, problems: &mut problems };
    let value = seed.deserialize(&mut deserializer).and_then(|v| deserializer.end().map(|()| v));
    let value = value.map_err(|e| {
        Refused::bad_request(format!("the object provided is unrecognized: json parse error: {e}"))
    })?;
    Ok(Decoded { value, problems })
}

/// Decodes YAML.
pub(super) fn yaml(bytes: &[u8]) -> Served<Decoded> {
    let bad = |why: String| {
        Refused::bad_request(format!(
            "the object provided is unrecognized: yaml parse error: {why}"
        ))
    };
    let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
    let decode = |value: yaml::Value| {
        value.to_json().map_err(|e| bad(e.to_string())).and_then(|text| json(text.as_bytes()))
    };
    match yaml::parse_strict(text) {
        Ok(value) => decode(value),
        Err(strict) => {
            // Only a strict reader minds what the lenient one accepts: names given twice.
            let mut decoded = decode(yaml::parse(text).map_err(|e| bad(e.to_string()))?)?;
            decoded.problems.push(strict.to_string());
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
            if members.insert(key, value).is_some() {
                self.problems.push(format!("duplicate field {path:?}"));
            }
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
