//! One order- and comment-keeping YAML document model, true to go-yaml.

mod compose;
mod cursor;
mod decode;
mod emit;
mod error;
mod json;
mod node;
mod number;
mod parser;
mod resolve;
mod scalar;
mod scanner;
mod timestamp;
mod token;
mod value;

pub use emit::json_to_yaml;
pub use error::Error;
pub use resolve::{PlainKind, reads_as_string, resolve_plain};
pub use scalar::{Scalar, scalars};
pub use token::Style;
pub use value::{Mapping, Pairs, Value};

use compose::Composer;
use parser::Dialect;

/// How deeply collections may be nested. go-yaml allows 10,000; values are walked recursively, and
/// this is what the stack of any thread bears.
pub const MAX_DEPTH: usize = 500;

/// The value of the first document of `text`; nothing for an empty text.
///
/// Reads as sigs.k8s.io/yaml v1.6.0 (`YAMLToJSON`) does: words and numbers of YAML 1.1, merge
/// keys, the last of several values with the same name wins, later documents are not looked at.
///
/// # Errors
/// In go-yaml's words: broken grammar, a value that its tag forbids, an unknown anchor or one that
/// contains itself, more work through aliases than the document is worth, nesting deeper than
/// [`MAX_DEPTH`], a name that is null, a list or a mapping.
pub fn parse(text: &str) -> Result<Value, Error> {
    parse_first(text, false)
}

/// As [`parse`], but a name that is given twice in a mapping is an error that tells all such places
/// (`YAMLToJSONStrict`).
pub fn parse_strict(text: &str) -> Result<Value, Error> {
    parse_first(text, true)
}

fn parse_first(text: &str, strict: bool) -> Result<Value, Error> {
    match Composer::new(text, Dialect::V2)?.next_document()? {
        Some(root) => decode::decode(&root, strict),
        None => Ok(Value::Null),
    }
}

/// The values of all documents of `text`, read as by [`parse`].
pub fn documents(text: &str) -> Result<Vec<Value>, Error> {
    let mut composer = Composer::new(text, Dialect::V2)?;
    let mut values = Vec::new();
    while let Some(root) = composer.next_document()? {
        values.push(decode::decode(&root, false)?);
    }
    Ok(values)
}
