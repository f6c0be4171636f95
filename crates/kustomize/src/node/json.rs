//! Trees to values and back, on the ways on which kyaml goes over JSON.

use yaml::{Mapping, PlainKind, Value};

use super::{Map, Node, Scalar, Style, Tag};
use crate::Error;

impl Node {
    /// The value it is printed as.
    ///
    /// # Errors
    /// A scalar that its tag forbids, a name given twice, a name that is no text.
    pub(crate) fn to_value(&self) -> Result<Value, Error> {
        self.value_at(true)
    }

    fn value_at(&self, root: bool) -> Result<Value, Error> {
        match self {
            Self::Scalar(scalar) => scalar.to_value(),
            Self::List(items) => items
                .iter()
                .map(|item| item.value_at(false))
                .collect::<Result<_, _>>()
                .map(Value::Sequence),
            Self::Map(map) => map.to_value(root).map(Value::Mapping),
        }
    }

    /// As `UnmarshalJSON` of kyaml: numbers are doubles on the way, but whole ones keep all their
    /// digits here.
    pub(crate) fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Scalar(Scalar::tagged("null", Tag::Null)),
            Value::Bool(is) => Self::Scalar(Scalar::tagged(&is.to_string(), Tag::Bool)),
            Value::Int(number) => Self::number(&number.to_string()),
            Value::Uint(number) => Self::number(&number.to_string()),
            Value::Float(_) => Self::number(value.to_yaml().unwrap_or_default().trim_end()),
            Value::String(text) => {
                let plain = yaml::core_kind(&text) == PlainKind::Str && !text.contains('\n');
                Self::Scalar(Scalar { value: text, tag: Tag::Str, style: Style::quoted(!plain) })
            }
            Value::Sequence(items) => Self::List(items.into_iter().map(Self::from_value).collect()),
            Value::Mapping(map) => Self::Map(
                map.into_iter().map(|(key, value)| (key, Self::from_value(value))).collect(),
            ),
        }
    }

    fn number(text: &str) -> Self {
        Self::Scalar(Scalar::tagged(text, Tag::of(yaml::core_kind(text))))
    }
}

impl Map {
    fn to_value(&self, root: bool) -> Result<Mapping, Error> {
        let mut mapping = Mapping::new();
        for (key, value) in &self.pairs {
            if !root && !matches!(key.tag, Tag::Str | Tag::None) {
                return Err(Error::Field(format!(
                    "json: unsupported type: map[interface {{}}]interface {{}}: the key `{}` is no \
                     string, put it in quotes",
                    key.value
                )));
            }
            let value = value.value_at(false)?;
            if mapping.insert(key.value.clone(), value).is_some() {
                return Err(Error::Field(format!(
                    "yaml: unmarshal errors:\n  mapping key {:?} already defined",
                    key.value
                )));
            }
        }
        Ok(mapping)
    }
}
