//! Values on their way into and out of templates.

use gotemplate::{Map, Object, Str, Value};
use serde_json::Value as Json;

use crate::Error;
use crate::values::Values;

/// How many values one conversion may visit: shared maps can stand for more than fits in memory.
const MAX_VISITED: usize = 5_000_000;

/// Values of a chart for its templates. Integers, which come from `--set`, are `int64`. The reader
/// of the values bounds their depth.
pub(super) fn from_values(values: &Values) -> Map {
    Map::dict(values.iter().map(|(key, value)| (Str::from(&**key), from_json(value))))
}

/// One value for templates.
pub(super) fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::int64(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(&**text),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(from_values(entries)),
    }
}

/// A value that was read from YAML: all numbers are floats. The reader bounds its depth.
///
/// # Errors
/// For an infinity and "not a number".
pub(super) fn from_yaml(value: yaml::Value) -> Result<Value, Error> {
    Ok(from_floats(crate::values::from_yaml(value)?))
}

fn from_floats(value: Json) -> Value {
    Value::from(value)
}

/// What JSON would show of a value, in the model of YAML: whole floats are whole numbers, structs
/// are what their JSON is.
///
/// # Errors
/// For what JSON has no form for, and for nesting deeper than YAML allows.
pub(super) fn to_yaml(value: &Value) -> Result<yaml::Value, String> {
    Plain { left: MAX_VISITED, as_is: false }.value(value, 0)
}

/// As [`to_yaml`], but floats stay floats.
pub(super) fn to_yaml_as_is(value: &Value) -> Result<yaml::Value, String> {
    Plain { left: MAX_VISITED, as_is: true }.value(value, 0)
}

struct Plain {
    left: usize,
    as_is: bool,
}

impl Plain {
    fn value(&mut self, value: &Value, depth: usize) -> Result<yaml::Value, String> {
        self.left = self.left.checked_sub(1).ok_or("value is too large")?;
        if depth > yaml::MAX_DEPTH {
            return Err("value is nested too deep".to_owned());
        }
        Ok(match value {
            Value::Nil => yaml::Value::Null,
            Value::Bool(truth) => yaml::Value::Bool(*truth),
            Value::Int(number, _) => yaml::Value::Int(*number),
            Value::Uint(number, _) => whole(*number),
            Value::Float(number) if self.as_is => yaml::Value::Float(*number),
            Value::Float(number) => float(*number)?,
            Value::String(text) => yaml::Value::String(text.text().into_owned()),
            Value::List(list) if list.is_nil() => yaml::Value::Null,
            Value::List(list) => {
                if let Some(text) = bytes(list) {
                    return Ok(yaml::Value::String(text));
                }
                let items = list.items();
                let items = items.iter().map(|item| self.value(item, depth + 1));
                yaml::Value::Sequence(items.collect::<Result<_, _>>()?)
            }
            Value::Map(map) if map.is_nil() => yaml::Value::Null,
            Value::Map(map) => self.map(map, depth)?,
            Value::Object(object) => self.object(&**object, depth)?,
            Value::Complex(..) | Value::Func(_) => {
                return Err(format!("json: unsupported type: {}", value.type_name()));
            }
        })
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<yaml::Value, String> {
        let mut entries = yaml::Mapping::new();
        for (key, value) in map.entries() {
            let key = match &key.value() {
                Value::String(text) => text.text().into_owned(),
                Value::Int(number, _) => number.to_string(),
                Value::Uint(number, _) => number.to_string(),
                _ => return Err("json: unsupported type of a key".to_owned()),
            };
            entries.insert(key, self.value(&value, depth + 1)?);
        }
        Ok(yaml::Value::Mapping(entries))
    }

    fn object(&mut self, object: &dyn Object, depth: usize) -> Result<yaml::Value, String> {
        if let Some(shown) = object.json().or_else(|| object.underlying()) {
            return self.value(&shown, depth + 1);
        }
        let mut entries = yaml::Mapping::new();
        for (name, value) in object.fields() {
            entries.insert(name, self.value(&value, depth + 1)?);
        }
        Ok(yaml::Value::Mapping(entries))
    }
}

/// Bytes are base 64 in JSON.
fn bytes(list: &gotemplate::List) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    (*list.element() == gotemplate::Type::BYTE).then(|| STANDARD.encode(super::files::bytes(list)))
}

fn whole(number: u64) -> yaml::Value {
    i64::try_from(number).map_or(yaml::Value::Uint(number), yaml::Value::Int)
}

/// A float as it is after a journey through JSON.
fn float(number: f64) -> Result<yaml::Value, String> {
    if number.is_finite() {
        Ok(crate::values::whole(number))
    } else {
        Err("json: unsupported value".to_owned())
    }
}
