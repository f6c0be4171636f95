//! One node of a compiled schema.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::{format, format::Format, pattern, rule::Rule};

/// A JSON type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }
}

/// How a list is merged and compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// As one value.
    #[default]
    Atomic,
    /// As a set of scalars.
    Set,
    /// As a map with these key fields.
    Map(Vec<String>),
}

/// What an object may hold besides its properties.
#[derive(Debug, Clone)]
pub(crate) enum Additional {
    /// Anything (`true`) or nothing (`false`).
    Any(bool),
    /// Values of this schema.
    Of(Box<Node>),
}

/// One node of a schema; also used for the nested ones of `allOf`, `anyOf`, `oneOf` and `not`.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one extension of the schema language")]
pub(crate) struct Node {
    pub(crate) kind: Option<Kind>,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) int_or_string: bool,
    pub(crate) list: Option<ListKind>,
    pub(crate) atomic_map: bool,
    pub(crate) properties: BTreeMap<String, Node>,
    pub(crate) additional: Option<Additional>,
    pub(crate) items: Option<Box<Node>>,
    pub(crate) checks: Checks,
    pub(crate) rules: Vec<Rule>,
}

/// The value validations of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    /// The format as written, whether it is enforced or not.
    pub(crate) raw_format: Option<String>,
    pub(crate) format_name: Option<String>,
    pub(crate) format: Option<Format>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) enumeration: Vec<Value>,
    pub(crate) maximum: Option<Number>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) minimum: Option<Number>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) multiple_of: Option<Number>,
    pub(crate) max_length: Option<i64>,
    pub(crate) min_length: Option<i64>,
    pub(crate) max_items: Option<i64>,
    pub(crate) min_items: Option<i64>,
    pub(crate) max_properties: Option<i64>,
    pub(crate) min_properties: Option<i64>,
    pub(crate) required: Vec<String>,
    pub(crate) all_of: Vec<Node>,
    pub(crate) any_of: Vec<Node>,
    pub(crate) one_of: Vec<Node>,
    pub(crate) not: Option<Box<Node>>,
}

/// A compiled pattern with the text it came from.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) source: String,
    pub(crate) regex: Regex,
}

impl Node {
    /// Reads a schema that [`super::check`] found sound; what it does not know is ignored.
    pub(crate) fn parse(raw: &Value) -> Self {
        let Some(map) = raw.as_object() else { return Self::default() };
        Self {
            kind: text(map, "type").and_then(Kind::parse),
            nullable: flag(map, "nullable"),
            default: map.get("default").filter(|d| !d.is_null()).cloned(),
            preserve_unknown: flag(map, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(map, "x-kubernetes-embedded-resource"),
            int_or_string: flag(map, "x-kubernetes-int-or-string"),
            list: list_kind(map),
            atomic_map: text(map, "x-kubernetes-map-type") == Some("atomic"),
            properties: properties(map),
            additional: additional(map),
            items: map.get("items").map(|items| Box::new(Self::parse(items))),
            checks: Checks::parse(map),
            rules: Vec::new(),
        }
    }

    /// The schema of the named field.
    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        self.properties.get(name).or(match &self.additional {
            Some(Additional::Of(node)) => Some(node),
            _ => None,
        })
    }

    /// The key fields if this is a list of type map.
    pub(crate) fn list_keys(&self) -> Option<&[String]> {
        match &self.list {
            Some(ListKind::Map(keys)) => Some(keys),
            _ => None,
        }
    }

    /// The name CEL errors give this node's type.
    pub(crate) fn kind_name(&self) -> &'static str {
        self.kind.map_or("", Kind::name)
    }
}

impl Checks {
    fn parse(map: &Map<String, Value>) -> Self {
        let format_name = text(map, "format").filter(|name| !name.is_empty());
        let format = format_name.and_then(format::find);
        Self {
            raw_format: format_name.map(ToOwned::to_owned),
            format_name: format.and(format_name).map(ToOwned::to_owned),
            format,
            pattern: text(map, "pattern").and_then(Pattern::parse),
            enumeration: array(map, "enum").to_vec(),
            maximum: number(map, "maximum"),
            exclusive_maximum: flag(map, "exclusiveMaximum"),
            minimum: number(map, "minimum"),
            exclusive_minimum: flag(map, "exclusiveMinimum"),
            multiple_of: number(map, "multipleOf"),
            max_length: integer(map, "maxLength"),
            min_length: integer(map, "minLength"),
            max_items: integer(map, "maxItems"),
            min_items: integer(map, "minItems"),
            max_properties: integer(map, "maxProperties"),
            min_properties: integer(map, "minProperties"),
            required: texts(map, "required"),
            all_of: nodes(map, "allOf"),
            any_of: nodes(map, "anyOf"),
            one_of: nodes(map, "oneOf"),
            not: map.get("not").map(|not| Box::new(Node::parse(not))),
        }
    }
}

impl Pattern {
    fn parse(source: &str) -> Option<Self> {
        if source.is_empty() {
            return None;
        }
        let regex = pattern::compile(source).ok()?;
        Some(Self { source: source.to_owned(), regex })
    }
}

fn list_kind(map: &Map<String, Value>) -> Option<ListKind> {
    Some(match text(map, "x-kubernetes-list-type")? {
        "set" => ListKind::Set,
        "map" => ListKind::Map(texts(map, "x-kubernetes-list-map-keys")),
        _ => ListKind::Atomic,
    })
}

fn properties(map: &Map<String, Value>) -> BTreeMap<String, Node> {
    let Some(properties) = map.get("properties").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    properties.iter().map(|(name, raw)| (name.clone(), Node::parse(raw))).collect()
}

fn additional(map: &Map<String, Value>) -> Option<Additional> {
    Some(match map.get("additionalProperties")? {
        Value::Bool(allowed) => Additional::Any(*allowed),
        schema => Additional::Of(Box::new(Node::parse(schema))),
    })
}

fn nodes(map: &Map<String, Value>, name: &str) -> Vec<Node> {
    array(map, name).iter().map(Node::parse).collect()
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str)
}

fn texts(map: &Map<String, Value>, name: &str) -> Vec<String> {
    array(map, name).iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn array<'a>(map: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    map.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn flag(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn integer(map: &Map<String, Value>, name: &str) -> Option<i64> {
    map.get(name).and_then(Value::as_i64)
}

fn number(map: &Map<String, Value>, name: &str) -> Option<Number> {
    match map.get(name) {
        Some(Value::Number(number)) => Some(number.clone()),
        _ => None,
    }
}
