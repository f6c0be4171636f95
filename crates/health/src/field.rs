//! Fields of an object, read as the Go library reads them.

use serde_json::{Map, Value};

use crate::Error;

/// The field at `path`, or nothing if a mapping on the way lacks it.
///
/// # Errors
/// If something on the way is no mapping.
fn nested<'o>(object: &'o Value, path: &[&str]) -> Result<Option<&'o Value>, Error> {
    let mut value = object;
    for (depth, field) in path.iter().enumerate() {
        value = match value {
            Value::Null => return Ok(None),
            Value::Object(map) => match map.get(*field) {
                Some(value) => value,
                None => return Ok(None),
            },
            other => return Err(wrong(&path[..=depth], other, "map[string]interface{}")),
        };
    }
    Ok(Some(value))
}

/// A string at `path`; null is an error, as upstream.
pub(crate) fn string<'o>(object: &'o Value, path: &[&str]) -> Result<Option<&'o str>, Error> {
    let value = nested(object, path).map_err(|error| error.looking_up(path))?;
    value
        .map(|value| value.as_str().ok_or_else(|| wrong(path, value, "string").looking_up(path)))
        .transpose()
}

/// A whole number at `path`; null is an error, as upstream.
pub(crate) fn integer(object: &Value, path: &[&str]) -> Result<Option<i64>, Error> {
    nested_integer(object, path).map_err(|error| error.looking_up(path))
}

/// As [`integer`], with an error that does not say what it was looked up for.
pub(crate) fn nested_integer(object: &Value, path: &[&str]) -> Result<Option<i64>, Error> {
    let value = nested(object, path)?;
    value.map(|value| value.as_i64().ok_or_else(|| wrong(path, value, "int64"))).transpose()
}

/// The fields of an object.
pub(crate) fn nested_object(object: &Value) -> Result<&Map<String, Value>, Error> {
    object.as_object().ok_or_else(|| wrong(&[], object, "map[string]interface{}"))
}

/// A whole number at `path`, or `default` if there is none.
pub(crate) fn integer_or(object: &Value, path: &[&str], default: i64) -> i64 {
    nested(object, path).ok().flatten().and_then(Value::as_i64).unwrap_or(default)
}

/// A string at `path`, or `default` if there is none.
pub(crate) fn string_or<'o>(object: &'o Value, path: &[&str], default: &'o str) -> &'o str {
    nested(object, path).ok().flatten().and_then(Value::as_str).unwrap_or(default)
}

/// A list at `path`.
pub(crate) fn list<'o>(object: &'o Value, path: &[&str]) -> Result<Option<&'o [Value]>, Error> {
    match nested(object, path)? {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(wrong(path, other, "[]interface{}")),
    }
}

fn wrong(path: &[&str], value: &Value, expected: &str) -> Error {
    Error::Field(format!(
        ".{} accessor error: {} is of the type {}, expected {expected}",
        path.join("."),
        printed(value),
        type_name(value)
    ))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as Go's `%v` prints it. Depth is bounded by that of a document.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(float)) => printed_float(float),
            (None, None) => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(printed).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let mut pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", printed(value))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

fn printed_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => float.to_string(),
    }
}
