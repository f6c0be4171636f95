//! What a scalar without quotes means to go-yaml v3, by which kyaml reads manifests.

use crate::compose::Composer;
use crate::parser::Dialect;
use crate::resolve::{Resolved, resolve_1_2};
use crate::timestamp::rfc3339;
use crate::{Error, Node, PlainKind, Value};

/// The first document of a text as kyaml reads it, without its comments; nothing for an empty text.
///
/// # Errors
/// As [`crate::parse`] for broken grammar, too deep nesting and unknown anchors.
pub fn read(text: &str) -> Result<Option<Node>, Error> {
    Ok(Composer::new(text, Dialect::V3)?.next_document()?.map(|document| document.root))
}

/// The type that a scalar written as `text` without quotes and tag has for go-yaml v3: unlike
/// [`crate::resolve_plain`], only `true` and `false` are booleans.
///
/// ```
/// use yaml::{PlainKind, core_kind};
/// assert_eq!(core_kind("yes"), PlainKind::Str);
/// assert_eq!(core_kind("0777"), PlainKind::Int);
/// ```
pub fn core_kind(text: &str) -> PlainKind {
    resolve_1_2(text).into()
}

/// The value that goes with [`core_kind`]. A timestamp is what JSON makes of it: a text in the form
/// of RFC 3339.
///
/// ```
/// use yaml::{Value, core_value};
/// assert_eq!(core_value("0x1F"), Value::Int(31));
/// assert_eq!(core_value("2024-01-01"), Value::from("2024-01-01T00:00:00Z"));
/// ```
pub fn core_value(text: &str) -> Value {
    match resolve_1_2(text) {
        Resolved::Null => Value::Null,
        Resolved::Bool(is) => Value::Bool(is),
        Resolved::Int(number) => Value::Int(number),
        Resolved::Uint(number) => Value::Uint(number),
        Resolved::Float(number) => Value::Float(number),
        Resolved::Timestamp => Value::String(rfc3339(text).unwrap_or_else(|| text.to_owned())),
        Resolved::Merge | Resolved::Str => Value::from(text),
    }
}
