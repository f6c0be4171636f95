//! Keys of any type, and values whose keys are of any type.

use std::fmt::{self, Display, Formatter};

use super::Entries;
use crate::value::Value;
use crate::{Error, number};

/// A value as go-yaml decodes it, before names become strings.
pub(super) enum Any {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(String),
    Sequence(Vec<Any>),
    Mapping(Entries),
}

/// A name in a mapping. `1` and `"1"` differ, as they do in a Go map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// The bits of a double, zero being positive.
    Float(u64),
    String(String),
}

impl Key {
    pub(super) fn new(any: Any) -> Result<Self, Error> {
        Ok(match any {
            Any::Null => Self::Null,
            Any::Bool(is) => Self::Bool(is),
            Any::Int(number) => Self::Int(number),
            Any::Uint(number) => Self::Uint(number),
            Any::Float(number) => Self::Float((number + 0.0).to_bits()),
            Any::String(text) => Self::String(text),
            Any::Sequence(_) | Any::Mapping(_) => {
                return Err(Error::Decode(format!("invalid map key: {any}")));
            }
        })
    }

    /// Its name in JSON.
    fn into_name(self, value: &Any) -> Result<String, Error> {
        Ok(match self {
            Self::String(text) => text,
            Self::Bool(is) => is.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(bits) => number::float_key(f64::from_bits(bits)),
            Self::Null => {
                return Err(unsupported("%!s(<nil>)", "<nil>", value));
            }
            Self::Uint(number) => {
                return Err(unsupported("uint64", &format!("{number:#x}"), value));
            }
        })
    }
}

fn unsupported(kind: &str, key: &str, value: &Any) -> Error {
    let value = match value {
        Any::Null => "<nil>".to_owned(),
        value => value.to_string(),
    };
    Error::Json(format!("unsupported map key of type: {kind}, key: {key}, value: {value}"))
}

impl Any {
    pub(super) fn into_value(self) -> Result<Value, Error> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(is) => Value::Bool(is),
            Self::Int(number) => Value::Int(number),
            Self::Uint(number) => Value::Uint(number),
            Self::Float(number) => Value::Float(number),
            Self::String(text) => Value::String(text),
            Self::Sequence(items) => {
                let items = items.into_iter().map(Self::into_value);
                Value::Sequence(items.collect::<Result<_, _>>()?)
            }
            Self::Mapping(entries) => {
                let entries = entries.into_iter().map(|(key, any)| {
                    let name = key.into_name(&any)?;
                    Ok((name, any.into_value()?))
                });
                Value::Mapping(entries.collect::<Result<_, Error>>()?)
            }
        })
    }
}

/// Go's `%#v`.
impl Display for Any {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("interface {}(nil)"),
            Self::Bool(is) => is.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Uint(number) => write!(f, "{number:#x}"),
            Self::Float(number) => f.write_str(&number::go_float(*number)),
            Self::String(text) => f.write_str(&quote(text)),
            Self::Sequence(items) => {
                f.write_str("[]interface {}{")?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    item.fmt(f)?;
                }
                f.write_str("}")
            }
            Self::Mapping(entries) => {
                f.write_str("map[interface {}]interface {}{")?;
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                for (index, (key, any)) in entries.into_iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    write!(f, "{key}:{any}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Go's `%#v`.
impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("interface {}(nil)"),
            Self::Bool(is) => is.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Uint(number) => write!(f, "{number:#x}"),
            Self::Float(bits) => f.write_str(&number::go_float(f64::from_bits(*bits))),
            Self::String(text) => f.write_str(&quote(text)),
        }
    }
}

/// Go's `strconv.Quote`.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{b}' => quoted.push_str("\\v"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' => quoted.extend(['\\', c]),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&escape('x', 2, c)),
            '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&escape('u', 4, c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(kind: char, width: usize, c: char) -> String {
    format!("\\{kind}{:0width$x}", u32::from(c))
}
