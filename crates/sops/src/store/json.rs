//! JSON objects. All numbers are floats, as for Go.

use serde_json::{Map, Value as Json};

use super::METADATA;
use crate::tree::{Branch, Branches, Item, Value};

pub(super) fn load(data: &[u8]) -> Result<(Branches, Json), String> {
    let mut object = parse(data)?;
    let metadata = object.shift_remove(METADATA).filter(|metadata| !metadata.is_null());
    let metadata = metadata.ok_or("sops metadata not found")?;
    Ok((vec![branch(&object)], metadata))
}

pub(super) fn load_plain(data: &[u8]) -> Result<Branches, String> {
    Ok(vec![branch(&parse(data)?)])
}

fn parse(data: &[u8]) -> Result<Map<String, Json>, String> {
    let parsed: Json = serde_json::from_slice(data)
        .map_err(|error| format!("Error unmarshalling input json: {}", place(&error)))?;
    match parsed {
        Json::Object(object) => Ok(object),
        _ => Err("Could not unmarshal input data: Expected JSON object start".to_owned()),
    }
}

/// Where a text breaks; what stands there may be secret.
fn place(error: &serde_json::Error) -> String {
    format!("invalid JSON at line {}, column {}", error.line(), error.column())
}

fn branch(object: &Map<String, Json>) -> Branch {
    object.iter().map(|(name, json)| Item::Named(name.clone(), value(json))).collect()
}

/// A value of JSON. Depth is bounded when a text is read.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(object) => Value::Branch(branch(object)),
    }
}

pub(super) fn emit(branches: &Branches) -> Result<Vec<u8>, String> {
    let object = object(super::first(branches))?;
    let mut made = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut made, formatter);
    serde::Serialize::serialize(&object, &mut serializer).map_err(|error| error.to_string())?;
    made.push(b'\n');
    Ok(escaped(&made))
}

/// As Go writes JSON: what could end a script in HTML is escaped. It stands in texts only.
fn escaped(json: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(json.len());
    for byte in json {
        match byte {
            b'<' => made.extend_from_slice(b"\\u003c"),
            b'>' => made.extend_from_slice(b"\\u003e"),
            b'&' => made.extend_from_slice(b"\\u0026"),
            other => made.push(*other),
        }
    }
    made
}

fn object(branch: &[Item]) -> Result<Json, String> {
    let mut object = Map::new();
    for item in branch {
        if let Item::Named(name, value) = item {
            object.insert(name.clone(), as_json(value)?);
        }
    }
    Ok(Json::Object(object))
}

fn as_json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null | Value::Comment(_) => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Int(whole) => Json::from(*whole),
        Value::Float(float) => number(*float)?,
        Value::Text(text) => Json::String(String::from_utf8_lossy(text).into_owned()),
        Value::Time(text) => Json::String(text.clone()),
        Value::List(items) => {
            let items = items.iter().filter(|item| !matches!(item, Value::Comment(_)));
            Json::Array(items.map(as_json).collect::<Result<_, _>>()?)
        }
        Value::Branch(branch) => object(branch)?,
    })
}

/// A whole float is written without a fraction, as Go does.
fn number(float: f64) -> Result<Json, String> {
    if float.fract() == 0.0 && float.abs() < 1e18 {
        let whole = format!("{float:.0}").parse::<i64>();
        return whole.map(Json::from).map_err(|error| error.to_string());
    }
    let number = serde_json::Number::from_f64(float);
    number.map(Json::Number).ok_or_else(|| "JSON has no infinity".to_owned())
}
