//! One order- and comment-keeping YAML document model, true to go-yaml.
//!
//! Flux, Helm and Kubernetes read YAML with go-yaml: manifests and values with version 2 (through
//! sigs.k8s.io/yaml), trees that are edited and printed again with version 3 (through kyaml). Both
//! differ from the letter of the standard and from each other, and users depend on it; so both are
//! reproduced here, with their error texts, over one scanner.
//!
//! ```text
//! text ─ scanner ─> tokens ─ parser ─> events ┬─> Scalar: value and bytes of each scalar
//!              (comments on the side)         └─> Node ─ decode ─> Value ─> JSON
//!                                                  │                  └───> YAML (v2: toYaml)
//!                                                  └─ print ─> YAML (v3: kyaml)
//! ```
//!
//! Invariants:
//! - Any text is either read or refused; none can make the engine panic, and work and memory are
//!   bounded by the size of the text: nesting by [`MAX_DEPTH`], aliases by go-yaml's ratio and by
//!   the bytes they copy.
//! - A value that is written is read back as the same value. The one exception is go-yaml's, too:
//!   the key `<<`.
//! - What is not touched in a tree keeps its style, quotes and comments when it is printed.
//!
//! ```
//! let value = yaml::parse("replicas: 0x10\nenabled: yes\n")?;
//! assert_eq!(value.to_json()?, r#"{"enabled":true,"replicas":16}"#);
//! assert_eq!(value.to_yaml()?, "enabled: true\nreplicas: 16\n");
//! let error = yaml::parse("a: 1\nb: - c\n").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "yaml: line 2: block sequence entries are not allowed in this context"
//! );
//! # Ok::<(), yaml::Error>(())
//! ```
//!
//! It does not merge trees and knows no schema.

mod comment;
mod compose;
mod cursor;
mod decode;
mod document;
mod emit;
mod error;
mod json;
mod node;
mod number;
mod parser;
mod plain;
mod resolve;
mod scalar;
mod scanner;
mod skim;
mod text;
mod timestamp;
mod token;
mod value;

pub use comment::Comments;
pub use document::Document;
pub use emit::{Indent, json_to_yaml, refolded};
pub use error::Error;
pub use node::{Content, Node};
pub use plain::{core_kind, core_value, read};
pub use resolve::{PlainKind, reads_as_string, resolve_plain};
pub use scalar::{Scalar, scalars};
pub use text::text;
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

/// As [`parse`], but a mapping has only the values with these names, in upper or lower case.
///
/// # Errors
/// The same.
pub fn parse_some(text: &str, names: &[&str]) -> Result<Value, Error> {
    match skim::skim(text, |name| names.iter().any(|it| it.eq_ignore_ascii_case(name)))? {
        Some(mapping) => decode::decode(&mapping, false),
        None => parse(text),
    }
}

fn parse_first(text: &str, strict: bool) -> Result<Value, Error> {
    match Composer::new(text, Dialect::V2)?.next_document()? {
        Some(document) => decode::decode(&document.root, strict),
        None => Ok(Value::Null),
    }
}

/// The values of all documents of `text`, read as by [`parse`].
pub fn parse_all(text: &str) -> Result<Vec<Value>, Error> {
    let mut composer = Composer::new(text, Dialect::V2)?;
    let mut values = Vec::new();
    while let Some(document) = composer.next_document()? {
        values.push(decode::decode(&document.root, false)?);
    }
    Ok(values)
}
