//! YAML into structs, as sigs.k8s.io/yaml and Go's encoding/json fill them: names in any case, unknown
//! ones ignored, numbers taken for texts where a text is asked for.

use serde_json::Value as Json;
use yaml::{Mapping, Value};

use crate::Error;

/// Reads the first document of a text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Error> {
    let read = yaml::text(text).and_then(|text| yaml::parse(&text));
    read.map_err(|error| Error::Yaml(format!("error converting YAML to JSON: {error}")))
}

/// The same, but a mapping has only these fields.
pub(crate) fn parse_some(text: &[u8], names: &[&str]) -> Result<Value, Error> {
    let read = yaml::text(text).and_then(|text| yaml::parse_some(&text, names));
    read.map_err(|error| Error::Yaml(format!("error converting YAML to JSON: {error}")))
}

/// The fields of one struct.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    mapping: Option<&'a Mapping>,
    /// The struct and field that hold them, as Go's errors name it.
    place: &'a str,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; a null has none.
    ///
    /// # Errors
    /// When it is no mapping.
    pub(crate) fn of(value: &'a Value, place: &'a str, ty: &str) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(Self { mapping: None, place }),
            Value::Mapping(mapping) => Ok(Self { mapping: Some(mapping), place }),
            other => Err(mismatch(other, &format!("Go value of type {ty}"))),
        }
    }

    /// The value of a field; a null is none.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        let mapping = self.mapping?;
        let folded = || {
            let found = mapping.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value)
        };
        mapping.get(name).or_else(folded).filter(|value| **value != Value::Null)
    }

    /// A text; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        let Some(value) = self.get(name) else { return Ok(String::new()) };
        scalar_text(value).ok_or_else(|| self.wrong(value, name, "string"))
    }

    /// A truth value.
    pub(crate) fn bool(&self, name: &str) -> Result<bool, Error> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(other) => Err(self.wrong(other, name, "bool")),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self, name: &str, ty: &str) -> Result<&'a [Value], Error> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Sequence(items)) => Ok(items),
            Some(other) => Err(self.wrong(other, name, ty)),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let items = self.items(name, "[]string")?.iter();
        items
            .map(|item| match item {
                Value::Null => Ok(String::new()),
                item => scalar_text(item).ok_or_else(|| self.wrong(item, name, "string")),
            })
            .collect()
    }

    /// Texts by name, in the order of the names.
    pub(crate) fn text_map(&self, name: &str) -> Result<Option<Vec<(String, String)>>, Error> {
        let entries = match self.get(name) {
            None => return Ok(None),
            Some(Value::Mapping(entries)) => entries,
            Some(other) => return Err(self.wrong(other, name, "map[string]string")),
        };
        let mut texts = Vec::new();
        for (key, value) in entries.iter() {
            let text = match value {
                Value::Null => String::new(),
                value => scalar_text(value).ok_or_else(|| self.wrong(value, name, "string"))?,
            };
            texts.push((key.to_owned(), text));
        }
        texts.sort();
        Ok(Some(texts))
    }

    fn wrong(&self, value: &Value, name: &str, ty: &str) -> Error {
        mismatch(value, &format!("Go struct field {}.{name} of type {ty}", self.place))
    }
}

/// The text of a scalar where Go asks for a string.
fn scalar_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => return None,
    })
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`.
fn float_text(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-4..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) =
        exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Go's error for a JSON value of the wrong kind.
pub(crate) fn mismatch(value: &Value, into: &str) -> Error {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Sequence(_) => "array",
        Value::Mapping(_) => "object",
    };
    Error::Yaml(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into {into}"
    ))
}

/// JSON in the model of YAML. The JSON reader bounds its depth.
pub(crate) fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::Sequence(items.into_iter().map(from_json).collect()),
        Json::Object(entries) => Value::Mapping(
            entries.into_iter().map(|(key, value)| (key, from_json(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::float_text;

    #[test]
    fn floats_are_written_as_go_does() {
        let text = |number: f64| float_text(number);
        assert_eq!(text(1.1), "1.1");
        assert_eq!(text(1e21), "1e+21");
        assert_eq!(text(1.5e-7), "1.5e-07");
        assert_eq!(text(100_000.0), "100000");
    }
}
