//! The tree of one resource, as kyaml holds it: scalars keep their text and their tag.

mod json;
mod matcher;
mod path;
mod read;
mod scalar;

pub(crate) use matcher::{Kind, matching};
pub(crate) use path::{lookup, lookup_create, smart_split, split};
pub(crate) use read::Reader;
pub(crate) use scalar::{Scalar, Style, Tag};

use crate::Error;

/// A scalar, a list or a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// Keys with their values in the order of the text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Map {
    pub(crate) pairs: Vec<(Scalar, Node)>,
}

impl Node {
    /// A text, whatever it looks like.
    pub(crate) fn text(value: &str) -> Self {
        Self::Scalar(Scalar::tagged(value, Tag::Str))
    }

    /// A scalar whose type follows from its look.
    pub(crate) fn plain(value: &str) -> Self {
        Self::Scalar(Scalar::tagged(value, Tag::None))
    }

    pub(crate) fn null() -> Self {
        Self::Scalar(Scalar::tagged("", Tag::Null))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.tag == Tag::Null)
    }

    /// Null, `{}` or `[]`.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.tag == Tag::Null,
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.pairs.is_empty(),
        }
    }

    /// The text of a scalar; collections have none.
    pub(crate) fn value(&self) -> &str {
        match self {
            Self::Scalar(scalar) => &scalar.value,
            _ => "",
        }
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_map_mut()?.get_mut(key)
    }

    /// How it is written; what is no scalar is not quoted.
    pub(crate) fn style(&self) -> Style {
        if let Self::Scalar(scalar) = self { scalar.style } else { Style::Plain }
    }

    /// Puts a scalar in the place of a scalar; how that is quoted stays.
    pub(crate) fn set_scalar(&mut self, value: &str, tag: Tag) -> Result<(), Error> {
        let Self::Scalar(old) = self else {
            return Err(self.wrong_kind("ScalarNode"));
        };
        *old = Scalar { value: value.to_owned(), tag, style: old.style };
        Ok(())
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "ScalarNode",
            Self::List(_) => "SequenceNode",
            Self::Map(_) => "MappingNode",
        }
    }

    /// kyaml's error for a node of another kind than a field asks for.
    pub(crate) fn wrong_kind(&self, expected: &str) -> Error {
        let contents = self.to_value().and_then(|value| Ok(value.to_yaml()?)).unwrap_or_default();
        Error::Field(format!(
            "wrong node kind: expected {expected} but got {}: node contents:\n{contents}",
            self.kind_name()
        ))
    }
}

impl Map {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.pairs.iter().find(|(name, _)| name.value == key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.pairs.iter_mut().find(|(name, _)| name.value == key).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.pairs.iter().position(|(name, _)| name.value == key)?;
        Some(self.pairs.remove(at).1)
    }

    /// Puts a value in without a look at what it is, in the place of one of that name.
    pub(crate) fn insert(&mut self, key: &str, value: Node) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => self.pairs.push((Scalar::key(key), value)),
        }
    }

    /// Sets a field as kyaml's `FieldSetter` does: null removes it, what replaces a scalar keeps its
    /// quotes, and a new text that YAML 1.1 reads as something else gets some.
    pub(crate) fn set(&mut self, key: &str, mut value: Node) {
        if value.is_null() {
            self.remove(key);
            return;
        }
        if let Some(old) = self.get_mut(key) {
            if let Node::Scalar(scalar) = &mut value {
                scalar.style = old.style();
            }
            *old = value;
            return;
        }
        if let Node::Scalar(scalar) = &mut value
            && matches!(scalar.tag, Tag::None | Tag::Str)
            && scalar.style == Style::Plain
        {
            scalar.style = Style::quoted(!yaml::reads_as_string(&scalar.value));
        }
        self.pairs.push((Scalar::key(key), value));
    }

    /// The mapping named `key`, made if there is none (or null).
    pub(crate) fn map_mut(&mut self, key: &str) -> Option<&mut Self> {
        if self.get(key).is_none_or(Node::is_null) {
            self.insert(key, Node::Map(Self::default()));
        }
        self.get_mut(key)?.as_map_mut()
    }
}

impl FromIterator<(String, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Node)>>(pairs: I) -> Self {
        Self { pairs: pairs.into_iter().map(|(key, node)| (Scalar::key(&key), node)).collect() }
    }
}
