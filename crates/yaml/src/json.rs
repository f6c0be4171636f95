//! Values as JSON text, in the spelling of Go's `encoding/json`.

use crate::number::json_float;
use crate::value::{Mapping, Value};
use crate::{Error, MAX_DEPTH};

impl Value {
    /// The value as JSON, byte for byte as Go writes it: no white space, names sorted by their
    /// bytes, whole floats without a fraction, and `<`, `>`, `&` escaped.
    ///
    /// # Errors
    /// [`Error::Json`] for an infinity, "not a number" and nesting deeper than [`MAX_DEPTH`].
    pub fn to_json(&self) -> Result<String, Error> {
        let mut text = String::new();
        write(self, 0, &mut text)?;
        Ok(text)
    }
}

fn write(value: &Value, depth: usize, into: &mut String) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Json(format!("json: exceeded max depth of {MAX_DEPTH}")));
    }
    match value {
        Value::Null => into.push_str("null"),
        Value::Bool(is) => into.push_str(if *is { "true" } else { "false" }),
        Value::Int(number) => into.push_str(&number.to_string()),
        Value::Uint(number) => into.push_str(&number.to_string()),
        Value::Float(number) => {
            let text = json_float(*number)
                .map_err(|name| Error::Json(format!("json: unsupported value: {name}")))?;
            into.push_str(&text);
        }
        Value::String(text) => write_string(text, into),
        Value::Sequence(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                write(item, depth + 1, into)?;
            }
            into.push(']');
        }
        Value::Mapping(mapping) => write_mapping(mapping, depth, into)?,
    }
    Ok(())
}

fn write_mapping(mapping: &Mapping, depth: usize, into: &mut String) -> Result<(), Error> {
    let mut pairs: Vec<_> = mapping.iter().collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    into.push('{');
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            into.push(',');
        }
        write_string(name, into);
        into.push(':');
        write(value, depth + 1, into)?;
    }
    into.push('}');
    Ok(())
}

fn write_string(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                into.push_str(&escape(c));
            }
            _ => into.push(c),
        }
    }
    into.push('"');
}

fn escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}
