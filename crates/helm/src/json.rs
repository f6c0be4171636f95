//! JSON as Go's encoding/json writes it.

use serde_json::{Map, Value};

/// How deep values may nest: what the stack of any thread bears.
pub(crate) const MAX_DEPTH: usize = 500;

/// The JSON text of a value, without white space: `<`, `>`, `&` and two line separators escaped, whole
/// floats without a fraction. Objects are written in their own order, as structs are; see [`sorted`]
/// for those that are maps in Go.
pub(crate) fn encode(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text, 0);
    text
}

fn write(value: &Value, text: &mut String, depth: usize) {
    if depth > MAX_DEPTH {
        text.push_str("null");
        return;
    }
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => text.push_str(&number.to_string()),
            (None, Some(number), _) => text.push_str(&number.to_string()),
            (None, None, number) => text.push_str(&float(number.unwrap_or_default())),
        },
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text, depth + 1);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(key, text);
                text.push(':');
                write(value, text, depth + 1);
            }
            text.push('}');
        }
    }
}

/// A float as Go writes it: an exponent only below 1e-6 and from 1e21 on, with at least one digit.
fn float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let hex = format!("\\u{:04x}", u32::from(c));
                text.push_str(&hex);
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// The value with the names of all its objects in the order of their bytes, as Go writes maps.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(entries) => Value::Object(sorted_map(entries)),
        other => other.clone(),
    }
}

/// [`sorted`] for an object.
pub(crate) fn sorted_map(entries: &Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
}

/// A struct under construction: fields that are empty are left out, as `omitempty` asks for.
#[derive(Debug, Default)]
pub(crate) struct Struct(pub(crate) Map<String, Value>);

impl Struct {
    /// A field that is always there.
    pub(crate) fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A field that is left out if it is empty: "", 0, false, null or without items.
    pub(crate) fn full(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let empty = match &value {
            Value::Null => true,
            Value::Bool(truth) => !truth,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
        };
        if empty { self } else { self.field(name, value) }
    }
}

impl From<Struct> for Value {
    fn from(built: Struct) -> Self {
        Self::Object(built.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_escapes_are_go_s() {
        let value = json!({"b": 1.0, "a": [1e21, 1e-7, 0.5, -3, 1e20], "c": "<\u{2028}\u{1}>é"});
        assert_eq!(
            encode(&sorted(&value)),
            r#"{"a":[1e+21,1e-7,0.5,-3,100000000000000000000],"b":1,"c":"\u003c\u2028\u0001\u003eé"}"#
        );
    }
}
