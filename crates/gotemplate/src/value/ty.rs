//! Go types, as far as templates can see them.

use std::fmt;
use std::sync::Arc;

use super::{List, Map, Value};

/// Go's `reflect.Kind`. Its display is Go's name of the kind (`kindOf`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Go's own")]
pub enum Kind {
    Invalid,
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float64,
    Complex128,
    Func,
    Interface,
    Map,
    Pointer,
    Slice,
    String,
    Struct,
}

impl Kind {
    /// Whether values of the kind can be nil.
    pub(crate) fn is_nillable(self) -> bool {
        matches!(self, Self::Func | Self::Interface | Self::Map | Self::Pointer | Self::Slice)
    }

    /// Whether the kind is a signed or unsigned integer.
    pub(crate) fn is_integer(self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::Int | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::Func => "func",
            Self::Interface => "interface",
            Self::Map => "map",
            Self::Pointer => "ptr",
            Self::Slice => "slice",
            Self::String => "string",
            Self::Struct => "struct",
        })
    }
}

/// A Go type. Its display is Go's spelling (`%T`, `typeOf`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`.
    Any,
    /// A predeclared type; the kind is never one of the composed kinds.
    Basic(Kind),
    /// `[]T`.
    List(Arc<Type>),
    /// `map[K]V`.
    Map(Arc<(Type, Type)>),
    /// A function type in Go's spelling.
    Func(Arc<str>),
    /// A declared type: its name and kind.
    Named(Arc<str>, Kind),
    /// `reflect.Value`: a parameter that takes anything, nil included.
    Reflect,
}

impl Type {
    /// `string`.
    pub const STRING: Self = Self::Basic(Kind::String);
    /// `bool`.
    pub const BOOL: Self = Self::Basic(Kind::Bool);
    /// `int`.
    pub const INT: Self = Self::Basic(Kind::Int);
    /// `int64`.
    pub const INT64: Self = Self::Basic(Kind::Int64);
    /// `float64`.
    pub const FLOAT64: Self = Self::Basic(Kind::Float64);
    /// `uint8`, the element of `[]byte`.
    pub const BYTE: Self = Self::Basic(Kind::Uint8);

    /// `[]element`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map[key]element`.
    pub fn map(key: Self, element: Self) -> Self {
        Self::Map(Arc::new((key, element)))
    }

    /// `map[string]interface {}`.
    pub fn dict() -> Self {
        Self::map(Self::STRING, Self::Any)
    }

    /// The declared type `name` of `kind`.
    pub fn named(name: &str, kind: Kind) -> Self {
        Self::Named(name.into(), kind)
    }

    /// The kind of the type's values.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Any => Kind::Interface,
            Self::Basic(kind) | Self::Named(_, kind) => *kind,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Func(_) => Kind::Func,
            Self::Reflect => Kind::Struct,
        }
    }

    /// Whether an untyped nil can be given for the type.
    pub(crate) fn takes_nil(&self) -> bool {
        self.kind().is_nillable() || *self == Self::Reflect
    }

    /// The zero value of the type. That of a struct has no fields to show, so it is nil here.
    pub(crate) fn zero(&self) -> Value {
        match self {
            Self::List(element) => Value::List(List::nil((**element).clone())),
            Self::Map(types) => Value::Map(Map::nil(types.0.clone(), types.1.clone())),
            Self::Basic(Kind::Bool) => Value::Bool(false),
            Self::Basic(Kind::String) => Value::string(""),
            Self::Basic(Kind::Float64) => Value::Float(0.0),
            Self::Basic(Kind::Complex128) => Value::Complex(0.0, 0.0),
            Self::Basic(kind) if kind.is_signed() => Value::Int(0, *kind),
            Self::Basic(kind) if kind.is_unsigned() => Value::Uint(0, *kind),
            _ => Value::Nil,
        }
    }

    /// Whether `==` works on values of the type.
    pub(crate) fn is_comparable(&self) -> bool {
        !matches!(self.kind(), Kind::Map | Kind::Slice | Kind::Func)
    }

    /// Reads the spelling used in function signatures: Go's own, with `any` for `interface {}`,
    /// `dict` for `map[string]interface {}` and `value` for `reflect.Value`.
    pub(crate) fn parse(spelling: &str) -> Self {
        if let Some(element) = spelling.strip_prefix("[]") {
            return Self::list(Self::parse(element));
        }
        match spelling {
            "any" => Self::Any,
            "value" => Self::Reflect,
            "dict" => Self::dict(),
            "bool" => Self::BOOL,
            "string" => Self::STRING,
            "int" => Self::INT,
            "int64" => Self::INT64,
            "uint32" => Self::Basic(Kind::Uint32),
            "uint64" => Self::Basic(Kind::Uint64),
            "float64" => Self::FLOAT64,
            "time.Duration" => Self::named(spelling, Kind::Int64),
            "*semver.Version" => Self::named(spelling, Kind::Pointer),
            name => Self::named(name, Kind::Struct),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("interface {}"),
            Self::Basic(kind) => kind.fmt(f),
            Self::List(element) => write!(f, "[]{element}"),
            Self::Map(types) => write!(f, "map[{}]{}", types.0, types.1),
            Self::Func(text) | Self::Named(text, _) => f.write_str(text),
            Self::Reflect => f.write_str("reflect.Value"),
        }
    }
}
