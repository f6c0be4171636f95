//! Label and field selectors.

use serde_json::Value;

use super::object::Object;

/// Which objects of a list or watch are wanted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Selector {
    /// All must hold of the labels.
    pub(crate) labels: Vec<LabelRequirement>,
    /// All must hold of the fields.
    pub(crate) fields: Vec<FieldRequirement>,
}

/// One term of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabelRequirement {
    /// `key` or `key in (…)`, `key=value`.
    In(String, Vec<String>),
    /// `key notin (…)`, `key!=value`; holds also without the label.
    NotIn(String, Vec<String>),
    /// `key`.
    Exists(String),
    /// `!key`.
    Absent(String),
    /// `key>n`.
    Greater(String, i64),
    /// `key<n`.
    Less(String, i64),
}

/// One term of a field selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldRequirement {
    /// Member names from the root of the object, as in `metadata.name`.
    pub(crate) path: Vec<String>,
    /// What the field must (or must not) be.
    pub(crate) value: String,
    /// Whether it must not be `value`.
    pub(crate) negated: bool,
}

impl Selector {
    /// Whether everything matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether `object`, stored at `path`, is wanted.
    pub(crate) fn matches(&self, path: &str, object: &Object) -> bool {
        self.labels.iter().all(|term| term.holds(object)) && self.fields_match(path, object)
    }

    fn fields_match(&self, path: &str, object: &Object) -> bool {
        let mut parsed: Option<Value> = None;
        self.fields.iter().all(|term| {
            let (namespace, name) = path.split_once('/').unwrap_or(("", path));
            let parts: Vec<&str> = term.path.iter().map(String::as_str).collect();
            let equal = match parts.as_slice() {
                ["metadata", "name"] => name == term.value,
                ["metadata", "namespace"] => namespace == term.value,
                parts => {
                    let value = parsed.get_or_insert_with(|| object.value());
                    field(value, parts) == term.value
                }
            };
            equal != term.negated
        })
    }
}

impl LabelRequirement {
    fn holds(&self, object: &Object) -> bool {
        let number = |key: &str| object.meta.label(key).and_then(|v| v.parse::<i64>().ok());
        match self {
            Self::In(key, values) => {
                object.meta.label(key).is_some_and(|v| values.iter().any(|w| w == v))
            }
            Self::NotIn(key, values) => {
                object.meta.label(key).is_none_or(|v| values.iter().all(|w| w != v))
            }
            Self::Exists(key) => object.meta.label(key).is_some(),
            Self::Absent(key) => object.meta.label(key).is_none(),
            Self::Greater(key, bound) => number(key).is_some_and(|n| n > *bound),
            Self::Less(key, bound) => number(key).is_some_and(|n| n < *bound),
        }
    }
}

/// The text of a scalar field; an absent one is empty, as its Go zero value would be.
fn field(value: &Value, path: &[&str]) -> String {
    match path.iter().fold(value, |v, part| &v[part]) {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
