//! JSON values as CEL sees them through a schema.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Program, Value as Cel};
use serde_json::Value;

use super::format;
use super::node::{Additional, Kind, Node};

/// The fields of every whole object.
pub(crate) const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Converts a value; `resource` is true for whole objects, whose metadata is always visible.
pub(crate) fn value(value: &Value, node: &Node, resource: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => number(n, node),
        Value::String(text) => string(text, node),
        Value::Array(items) => {
            let of = node.items.as_deref();
            let converted = items.iter().map(|item| match of {
                Some(of) => self::value(item, of, of.embedded),
                None => untyped(item),
            });
            Cel::List(Arc::new(converted.collect()))
        }
        Value::Object(map) => {
            let mut out = HashMap::with_capacity(map.len());
            for (name, child) in map {
                if let Some((key, child)) = entry(name, child, node, resource || node.embedded) {
                    out.insert(Key::String(Arc::new(key)), child);
                }
            }
            Cel::Map(Map { map: Arc::new(out) })
        }
    }
}

/// A field as CEL sees it, or `None` if it does not.
fn entry(name: &str, child: &Value, node: &Node, resource: bool) -> Option<(String, Cel)> {
    if let Some(Additional::Of(of)) = &node.additional {
        return Some((name.to_owned(), value(child, of, of.embedded)));
    }
    if resource && META.contains(&name) {
        return Some((name.to_owned(), untyped(&identity(name, child))));
    }
    let property = node.properties.get(name)?;
    let known = property.kind.is_some() || property.int_or_string;
    let key = escaped(name).filter(|_| known)?;
    Some((key, value(child, property, property.embedded)))
}

/// Of metadata, rules see the name only.
fn identity(name: &str, child: &Value) -> Value {
    let (true, Value::Object(map)) = (name == "metadata", child) else { return child.clone() };
    let visible = |key: &&String| matches!(key.as_str(), "name" | "generateName");
    map.keys().filter(visible).map(|key| (key.clone(), map[key].clone())).collect()
}

pub(crate) fn untyped(value: &Value) -> Cel {
    match value {
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(untyped).collect())),
        Value::Object(map) => {
            let entries = map.iter().map(|(k, v)| (Key::String(Arc::new(k.clone())), untyped(v)));
            Cel::Map(Map { map: Arc::new(entries.collect()) })
        }
        scalar => self::value(scalar, &Node::default(), false),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole numbers within the range of i64")]
#[expect(clippy::cast_precision_loss, reason = "CEL doubles are what a number schema asks for")]
fn number(n: &serde_json::Number, node: &Node) -> Cel {
    let float = n.as_f64().unwrap_or(f64::NAN);
    match (node.kind, n.as_i64()) {
        (Some(Kind::Number), Some(i)) => Cel::Float(i as f64),
        (_, Some(i)) => Cel::Int(i),
        (Some(Kind::Integer), None) if float.fract() == 0.0 => Cel::Int(float as i64),
        _ => Cel::Float(float),
    }
}

fn string(text: &str, node: &Node) -> Cel {
    let plain = || Cel::String(Arc::new(text.to_owned()));
    if node.int_or_string || node.kind != Some(Kind::String) {
        return plain();
    }
    match node.checks.format_name.as_deref() {
        Some("byte") => base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_or_else(|_| plain(), |bytes| Cel::Bytes(Arc::new(bytes))),
        Some("date-time") => made_by(&TIMESTAMP, "timestamp(text)", text).unwrap_or_else(plain),
        Some("date") => {
            let midnight = format!("{text}T00:00:00Z");
            made_by(&TIMESTAMP, "timestamp(text)", &midnight).unwrap_or_else(plain)
        }
        Some("duration") => format::duration_nanos(text)
            .and_then(|nanos| made_by(&DURATION, "duration(text)", &format!("{nanos}ns")))
            .unwrap_or_else(plain),
        _ => plain(),
    }
}

static TIMESTAMP: OnceLock<Program> = OnceLock::new();
static DURATION: OnceLock<Program> = OnceLock::new();

/// Times and durations are values of CEL's own; its functions make them from text.
fn made_by(program: &OnceLock<Program>, source: &str, text: &str) -> Option<Cel> {
    let program = program.get_or_init(|| {
        Program::compile(source).expect("because the two sources of this file parse")
    });
    let mut context = Context::default();
    context.add_variable_from_value("text", Cel::String(Arc::new(text.to_owned())));
    program.execute(&context).ok()
}

/// Words of CEL that cannot name a field.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name of a field in CEL, or `None` if it cannot have one.
pub(crate) fn escaped(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-./_".contains(c)) {
        return None;
    }
    let text = name.replace("__", "\u{0}").replace('.', "__dot__").replace('-', "__dash__");
    Some(text.replace('/', "__slash__").replace('\u{0}', "__underscores__"))
}

/// The name of the field that CEL calls `name`.
pub(crate) fn unescaped(name: &str) -> String {
    let word = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    if let Some(word) = word.filter(|word| RESERVED.contains(word)) {
        return word.to_owned();
    }
    let text = name.replace("__dot__", ".").replace("__dash__", "-").replace("__slash__", "/");
    text.replace("__underscores__", "__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_documented() {
        let cases = [
            ("namespace", "__namespace__"),
            ("x-prop", "x__dash__prop"),
            ("redact__d", "redact__underscores__d"),
            ("a.b/c", "a__dot__b__slash__c"),
            ("_plain_", "_plain_"),
        ];
        for (plain, want) in cases {
            assert_eq!(escaped(plain).unwrap(), want);
            assert_eq!(unescaped(want), plain);
        }
        assert_eq!(escaped("$ref"), None);
    }
}
