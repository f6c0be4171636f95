//! What can go wrong, in Go's words.

use crate::limit::Exhausted;

/// Why a template could not be parsed or executed. The display of the first three is Go's text,
/// letter by letter: users see it in conditions and search the web for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a template: `template: NAME:LINE: …`.
    #[error("{0}")]
    Parse(String),
    /// An action failed: `template: NAME:LINE:COLUMN: executing "NAME" at <CONTEXT>: …`.
    #[error("{message}")]
    Exec {
        /// The whole text.
        message: String,
        /// The text of the function's error that stopped the execution, if one did.
        cause: Option<String>,
    },
    /// There is no template of that name to execute.
    #[error("template: no template {0} associated with template {1}")]
    Missing(String, String),
    /// One of the limits was reached.
    #[error("template: {template}: {limit}")]
    Limit {
        /// Name of the executed template.
        template: String,
        /// Which limit, and its value.
        limit: String,
    },
}

/// Why a function did not return a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The function's own error, which is shown as `error calling NAME: …`.
    Failed(String),
    /// A limit was reached; the execution ends, whatever the function was called by.
    Limit(String),
}

impl From<Exhausted> for Fault {
    fn from(exhausted: Exhausted) -> Self {
        Self::Limit(exhausted.0)
    }
}

/// The error of a template that a function executed is the function's own, but for a limit.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Limit { limit, .. } => Self::Limit(limit),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_owned())
    }
}
