//! Values from decoded JSON.

use super::{List, Map, Type, Value};
use crate::text::Str;

/// As Go decodes JSON into an `interface {}`: every number is a `float64`.
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(truth) => Self::Bool(truth),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::string(text),
            serde_json::Value::Array(items) => {
                Self::List(List::new(Type::Any, items.into_iter().map(Self::from).collect()))
            }
            serde_json::Value::Object(entries) => {
                let entries = entries.into_iter();
                Self::Map(Map::dict(
                    entries.map(|(key, value)| (Str::from(key), Self::from(value))),
                ))
            }
        }
    }
}
