//! One order- and comment-keeping YAML document model, true to go-yaml.

mod cursor;
mod error;
mod parser;
mod resolve;
mod scalar;
mod scanner;
mod timestamp;
mod token;

pub use error::Error;
pub use resolve::{PlainKind, resolve_plain};
pub use scalar::{Scalar, scalars};
pub use token::Style;

/// How deeply collections may be nested.
pub const MAX_DEPTH: usize = 1000;
