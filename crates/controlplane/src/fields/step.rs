//! One step of a path into an object, as managed fields write it.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::schema::{go, value::compare};

/// One step down: into a field, or to an item of a list.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The named field (`f:name`).
    Field(String),
    /// The list item with these key fields, sorted by name (`k:{"name":"x"}`).
    Key(Vec<(String, Value)>),
    /// The item of a set (`v:"x"`).
    Item(Value),
    /// The item at an index (`i:0`).
    Index(i64),
}

impl Step {
    /// Reads the serialized form; `None` for kinds of steps nobody knows.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, String> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(format!("missing colon: {text}"));
        };
        let json = |rest: &str| serde_json::from_str(rest).map_err(|e| format!("{text}: {e}"));
        Ok(Some(match kind {
            "f" => Self::Field(rest.to_owned()),
            "v" => Self::Item(json(rest)?),
            "i" => Self::Index(rest.parse().map_err(|_| format!("{text}: not an index"))?),
            "k" => match json(rest)? {
                Value::Object(map) => Self::key(map.into_iter().collect()),
                _ => return Err(format!("{text}: not an object")),
            },
            _ => return Ok(None),
        }))
    }

    /// The step to the list item with these key fields.
    pub(crate) fn key(mut fields: Vec<(String, Value)>) -> Self {
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Self::Key(fields)
    }

    /// The serialized form.
    pub(crate) fn serialized(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => {
                let map: Map<String, Value> = fields.iter().cloned().collect();
                format!("k:{}", Value::Object(map))
            }
            Self::Item(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// The form for people, such as `.spec` or `[name="x"]`.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Key(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{name}={}", shown(value)));
                format!("[{}]", fields.collect::<Vec<_>>().join(","))
            }
            Self::Item(value) => format!("[={}]", shown(value)),
            Self::Index(index) => format!("[{index}]"),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Item(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

/// A path for people, such as `.spec.containers[name="app"].image`.
pub(crate) fn path(steps: &[Step]) -> String {
    steps.iter().map(Step::shown).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => go::quote(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(","))
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}={}", shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        scalar => go::bad_value(scalar),
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => order_keys(a, b),
            (Self::Item(a), Self::Item(b)) => order(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Step {}

fn order_keys(a: &[(String, Value)], b: &[(String, Value)]) -> Ordering {
    for ((a_name, a_value), (b_name, b_value)) in a.iter().zip(b) {
        let found = a_name.cmp(b_name).then_with(|| order(a_value, b_value));
        if found.is_ne() {
            return found;
        }
    }
    a.len().cmp(&b.len())
}

/// The order of values in structured-merge-diff: numbers, strings, booleans, lists, maps, null.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let differing = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| o.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(_), Value::Object(_)) => go::json(a).cmp(&go::json(b)),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_read_and_print() {
        for text in
            ["f:spec", "k:{\"containerPort\":80,\"protocol\":\"TCP\"}", "v:\"a\"", "i:3", "f:a:b"]
        {
            assert_eq!(Step::parse(text).unwrap().unwrap().serialized(), text);
        }
        assert_eq!(Step::parse("x:new").unwrap(), None);
        assert!(Step::parse("spec").is_err());
        assert!(Step::parse("k:[1]").is_err());
        let steps: Vec<Step> = ["f:spec", "k:{\"b\":1,\"a\":\"x\"}", "v:true", "i:0"]
            .iter()
            .map(|text| Step::parse(text).unwrap().unwrap())
            .collect();
        assert_eq!(path(&steps), ".spec[a=\"x\",b=1][=true][0]");
    }
}
