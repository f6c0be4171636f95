//! The values templates work on: what Go's `reflect` sees.

mod compare;
mod container;
mod cycle;
mod entries;
mod json;
mod object;
mod ty;

use std::rc::Rc;

pub use container::{Key, List, Map};
pub use object::{Object, Record};
pub use ty::{Kind, Type};

pub(crate) use cycle::free_cycles;

use crate::func::Function;
use crate::text::Str;

/// One Go value.
///
/// Lists and maps are shared, as in Go: a clone is the same container, and `set` on one is seen by
/// all. A value belongs to one thread.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// An untyped nil.
    #[default]
    Nil,
    /// A `bool`.
    Bool(bool),
    /// A signed integer of the given kind.
    Int(i64, Kind),
    /// An unsigned integer of the given kind.
    Uint(u64, Kind),
    /// A `float64`.
    Float(f64),
    /// A `complex128`.
    Complex(f64, f64),
    /// A `string`.
    String(Str),
    /// A slice.
    List(List),
    /// A map.
    Map(Map),
    /// A function, for `call`.
    Func(Rc<Function>),
    /// A value of a declared type.
    Object(Rc<dyn Object>),
}

impl Value {
    /// A Go `int`.
    pub fn int(number: i64) -> Self {
        Self::Int(number, Kind::Int)
    }

    /// A Go `int64`.
    pub fn int64(number: i64) -> Self {
        Self::Int(number, Kind::Int64)
    }

    /// A `string`.
    pub fn string(text: impl Into<Str>) -> Self {
        Self::String(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(Type::Any, items))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        let items = items.into_iter().map(Self::string).collect();
        Self::List(List::new(Type::STRING, items))
    }

    /// A `map[string]interface {}`.
    pub fn map<S: Into<Str>>(entries: impl IntoIterator<Item = (S, Self)>) -> Self {
        Self::Map(Map::dict(entries.into_iter().map(|(key, value)| (key.into(), value))))
    }

    /// A `map[string]string`.
    pub fn string_map<K: Into<Str>, V: Into<Str>>(
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let entries = entries.into_iter();
        let entries = entries.map(|(key, value)| (Key::from(key.into()), Self::string(value)));
        Self::Map(Map::new(Type::STRING, Type::STRING, entries))
    }

    /// A value of a declared type.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// The kind; an untyped nil is [`Kind::Invalid`].
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_, kind) | Self::Uint(_, kind) => *kind,
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Func(_) => Kind::Func,
            Self::Object(object) => object.kind(),
        }
    }

    /// The type, or `None` for an untyped nil.
    pub fn ty(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::List(list) => Type::List(list.element_arc()),
            Self::Map(map) => Type::Map(map.types()),
            Self::Func(function) => Type::Func(function.go_type().into()),
            Self::Object(object) => Type::Named(object.type_name().into(), object.kind()),
            basic => Type::Basic(basic.kind()),
        })
    }

    /// Go's `%T`.
    pub fn type_name(&self) -> String {
        self.ty().map_or_else(|| "<nil>".to_owned(), |ty| ty.to_string())
    }

    /// Whether the value is nil: untyped, or a nil slice or map.
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// The value below a declared type, if that is not a struct; otherwise the value itself.
    pub(crate) fn underlying(&self) -> Self {
        match self {
            Self::Object(object) => object.underlying().unwrap_or_else(|| self.clone()),
            other => other.clone(),
        }
    }

    /// Go's truth of a value in `if`: not the zero value, not empty.
    pub fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(number, _) => *number != 0,
            Self::Uint(number, _) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Func(_) => true,
            Self::Object(object) => object.underlying().is_none_or(|value| value.truth()),
        }
    }

    /// Sprig's opposite of `empty`: truth, except that a declared type is never empty.
    pub(crate) fn is_full(&self) -> bool {
        self.truth()
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&Str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}
