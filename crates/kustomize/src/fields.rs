//! The fields of a configuration, read as Go's `encoding/json` fills a struct.

use std::collections::BTreeMap;

use yaml::{Mapping, Value};

use crate::Error;
use crate::gvk::{Gvk, Id};
use crate::selector::Selector;

/// The fields of one mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'v> {
    map: Option<&'v Mapping>,
    /// The name of the Go struct, for errors.
    name: &'static str,
    strict: bool,
}

impl<'v> Fields<'v> {
    /// Of a mapping or null; unknown fields are ignored.
    pub(crate) fn of(value: &'v Value, name: &'static str) -> Result<Self, Error> {
        let map = match value {
            Value::Mapping(map) => Some(map),
            Value::Null => None,
            other => {
                return Err(Error::Invalid(format!(
                    "json: cannot unmarshal {} into Go value of type {name}",
                    json_type(other)
                )));
            }
        };
        Ok(Self { map, name, strict: false })
    }

    /// As [`Self::of`]; [`Self::only`] refuses unknown fields.
    pub(crate) fn strict(value: &'v Value, name: &'static str) -> Result<Self, Error> {
        Ok(Self { strict: true, ..Self::of(value, name)? })
    }

    /// Of a mapping below; strict if this is.
    pub(crate) fn below(&self, value: &'v Value, name: &'static str) -> Result<Self, Error> {
        Ok(Self { strict: self.strict, ..Self::of(value, name)? })
    }

    /// Refuses all other fields if it is strict.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Error> {
        if !self.strict {
            return Ok(());
        }
        let mut names = self.map.into_iter().flat_map(Mapping::iter).map(|(name, _)| name);
        match names.find(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name))) {
            Some(name) => Err(Error::Invalid(format!("json: unknown field {name:?}"))),
            None => Ok(()),
        }
    }

    /// The value of a field; upper and lower case do not matter. Null counts as nothing.
    pub(crate) fn get(&self, key: &str) -> Option<&'v Value> {
        let map = self.map?;
        let exact = map.get(key);
        let value = exact.or_else(|| {
            map.iter()
                .rev()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value)
        })?;
        Some(value).filter(|value| **value != Value::Null)
    }

    /// A text. Where nothing is strict, numbers and words are texts, too.
    fn text_of(&self, key: &str, value: &Value) -> Result<String, Error> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) if !self.strict => {
                Ok(value.to_yaml()?.trim_end().to_owned())
            }
            other => Err(self.wrong_type(key, other, "string")),
        }
    }

    fn wrong_type(&self, key: &str, value: &Value, wanted: &str) -> Error {
        Error::Invalid(format!(
            "json: cannot unmarshal {} into Go struct field {}.{key} of type {wanted}",
            json_type(value),
            self.name
        ))
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, Error> {
        self.get(key).map_or(Ok(String::new()), |value| self.text_of(key, value))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(is)) => Ok(*is),
            Some(other) => Err(self.wrong_type(key, other, "bool")),
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Result<i64, Error> {
        match self.get(key) {
            None => Ok(0),
            Some(Value::Int(number)) => Ok(*number),
            Some(other) => Err(self.wrong_type(key, other, "int")),
        }
    }

    pub(crate) fn list(&self, key: &str) -> Result<&'v [Value], Error> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Sequence(items)) => Ok(items),
            Some(other) => Err(self.wrong_type(key, other, "[]")),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        self.list(key)?.iter().map(|item| self.text_of(key, item)).collect()
    }

    pub(crate) fn map(&self, key: &str) -> Result<BTreeMap<String, String>, Error> {
        let map = match self.get(key) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Mapping(map)) => map,
            Some(other) => return Err(self.wrong_type(key, other, "map[string]string")),
        };
        map.iter().map(|(name, value)| Ok((name.to_owned(), self.text_of(key, value)?))).collect()
    }

    /// Each item of a list as fields.
    pub(crate) fn each(&self, key: &str, name: &'static str) -> Result<Vec<Self>, Error> {
        self.list(key)?.iter().map(|item| self.below(item, name)).collect()
    }

    pub(crate) fn gvk(&self) -> Result<Gvk, Error> {
        Ok(Gvk {
            group: self.text("group")?,
            version: self.text("version")?,
            kind: self.text("kind")?,
        })
    }

    pub(crate) fn id(&self) -> Result<Id, Error> {
        Ok(Id {
            gvk: self.gvk()?,
            name: self.text("name")?,
            namespace: self.text("namespace")?,
            cluster: false,
        })
    }

    pub(crate) fn selector(&self) -> Result<Selector, Error> {
        self.only(&[
            "group",
            "version",
            "kind",
            "name",
            "namespace",
            "labelSelector",
            "annotationSelector",
        ])?;
        Ok(Selector {
            id: self.id()?,
            labels: self.text("labelSelector")?,
            annotations: self.text("annotationSelector")?,
        })
    }

    /// A selector under a key, if there is one.
    pub(crate) fn selector_at(&self, key: &str) -> Result<Option<Selector>, Error> {
        self.get(key).map(|value| self.below(value, "Selector")?.selector()).transpose()
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Sequence(_) => "array",
        Value::Mapping(_) => "object",
    }
}
