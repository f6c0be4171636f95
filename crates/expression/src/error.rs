//! What an expression got wrong.

/// Why an expression cannot be compiled or has no verdict; the texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no expression, or one whose types cannot be right; `problems` tells each with its
    /// place and line.
    #[error("failed to parse the CEL expression '{source_text}': {problems}")]
    Syntax {
        /// The expression.
        source_text: String,
        /// What is wrong, as cel-go prints it.
        problems: String,
    },
    /// It is longer or has more operators than any sensible one.
    #[error("the CEL expression is too large: {0}")]
    TooLarge(String),
    /// Its verdict is known to be no truth value.
    #[error("CEL expression output type mismatch: expected bool, got {0}")]
    Output(String),
    /// A constant in it cannot be what it is used for.
    #[error("failed to create CEL program: {0}")]
    Constant(String),
    /// It has no value for these variables.
    #[error("failed to evaluate the CEL expression '{source_text}': {why}")]
    Evaluation {
        /// The expression.
        source_text: String,
        /// What stopped it.
        why: String,
    },
    /// Its value is no truth value.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBool(String),
}

impl Error {
    /// Whether the expression itself is wrong, so that trying again with other objects is in vain.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Evaluation { .. } | Self::NotBool(_))
    }
}

/// Why an evaluation stopped, in cel-go's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop(pub(crate) String);

impl Stop {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn no_overload() -> Self {
        Self::new("no such overload")
    }

    pub(crate) fn overflow() -> Self {
        Self::new("integer overflow")
    }

    pub(crate) fn no_key(key: impl std::fmt::Display) -> Self {
        Self(format!("no such key: {key}"))
    }
}
