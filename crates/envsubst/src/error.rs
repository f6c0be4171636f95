//! Why nothing can be substituted.

use crate::budget::{MAX_OUTPUT, MAX_STEPS};
use crate::grammar::MAX_DEPTH;

/// Why variables cannot be put into an object or a text; the texts are upstream's, without the
/// `envsubst error: ` that the reconciler sets before them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A variable has a name that cannot be written in `${…}`.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    Name(String),
    /// The text holds something that is no substitution, or one that cannot be made.
    #[error("variable substitution failed: {0}")]
    Substitution(#[from] Fault),
    /// The object cannot be written as YAML.
    #[error("cannot write the object as YAML: {0}")]
    Object(yaml::Error),
    /// With the values in place the object is no YAML anymore.
    #[error("YAMLToJSON: {0}")]
    Yaml(yaml::Error),
    /// With the values in place the object is no mapping anymore.
    #[error("the substituted text is no object but {0}")]
    NotAnObject(&'static str),
}

/// What is wrong with a text or one of its substitutions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A function is written as none is, e.g. `${a/b}`.
    #[error("bad substitution")]
    BadSubstitution,
    /// Something else than `}` or a function follows a name, e.g. `${a.b}`.
    #[error("missing closing brace")]
    MissingClosingBrace,
    /// No name follows `${`.
    #[error("unable to parse variable name")]
    VariableName,
    /// A function lacks its argument, e.g. `${a#}`.
    #[error("unable to parse substitution within function")]
    Argument,
    /// In strict mode: a plain `${name}` has no value.
    #[error("variable not set (strict mode): \"{0}\"")]
    NotSet(String),
    /// `${name:offset:length}` with a length below zero that ends before its beginning.
    #[error("substring of \"{0}\" has a negative length")]
    NegativeLength(String),
    /// Substitutions are nested too deeply.
    #[error("substitutions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The result would be too large.
    #[error("substitution makes more than {MAX_OUTPUT} bytes")]
    TooLarge,
    /// Patterns need too much work.
    #[error("patterns of substitutions take more than {MAX_STEPS} steps")]
    TooCostly,
    /// Substrings count bytes; one was cut inside of a character and not put together again.
    #[error("a substring ends inside of a character")]
    NotUtf8,
}
