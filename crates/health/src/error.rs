//! Why the health of an object cannot be told.

/// What an object got wrong, so that its health cannot be told; the texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field is not of the type it has in all kinds.
    #[error("{0}")]
    Field(String),
    /// Status or conditions are not of the type they have in all kinds.
    #[error("{0}")]
    Conversion(String),
    /// An entry of `healthCheckExprs` cannot be used; waiting or trying again does not help.
    #[error("failed to create custom status evaluator for healthchecks[{index}]: {why}")]
    Check {
        /// Which one.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
    /// An expression has no verdict on the object.
    #[error(transparent)]
    Expression(#[from] expression::Error),
    /// A Pod is in a phase that does not exist.
    #[error("unknown phase {0}")]
    Phase(String),
}

impl Error {
    pub(crate) fn looking_up(self, path: &[&str]) -> Self {
        match self {
            Self::Field(text) => {
                Self::Field(format!("looking up {} from resource: {text}", path.join(".")))
            }
            other => other,
        }
    }
}
