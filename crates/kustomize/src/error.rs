//! Why a build fails, in kustomize's words where it has some.

use crate::Question;

/// What a tree got wrong, or what the caller has to find out first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read, or must not be.
    #[error("{0}")]
    Load(String),
    /// A remote file that the server did not give.
    #[error("{0}")]
    Remote(String),
    /// A text that is no YAML, or no resource.
    #[error("{0}")]
    Syntax(String),
    /// A kustomization, a patch or the configuration of a plugin that says what cannot be done.
    #[error("{0}")]
    Invalid(String),
    /// Two resources with one id.
    #[error("{0}")]
    Conflict(String),
    /// Something is told about a resource that there is not, or of which there are several.
    #[error("{0}")]
    NoMatch(String),
    /// A field of a resource that is not what an edit needs.
    #[error("{0}")]
    Field(String),
    /// Something that does not run in process, or is not allowed.
    #[error("{0}")]
    Refused(String),
    /// The build is larger than its [`crate::Budget`].
    #[error("limit exceeded: {0}")]
    Limit(String),
    /// The build needs to know something first: answer, and build again.
    #[error("{0} is not answered")]
    Asked(Question),
    /// What was being done when it happened.
    #[error("{what}: {cause}")]
    Context {
        /// What was being done.
        what: String,
        /// What happened.
        cause: Box<Error>,
    },
    /// The same, quoted as kustomize quotes errors of components.
    #[error("{what}: {:?}", .cause.to_string())]
    Quoted {
        /// What was being done.
        what: String,
        /// What happened.
        cause: Box<Error>,
    },
}

impl Error {
    /// Says what was being done; questions stay questions.
    pub(crate) fn within(self, what: impl Into<String>) -> Self {
        match self {
            Self::Asked(_) => self,
            cause => Self::Context { what: what.into(), cause: Box::new(cause) },
        }
    }

    pub(crate) fn quoted(self, what: impl Into<String>) -> Self {
        match self {
            Self::Asked(_) => self,
            cause => Self::Quoted { what: what.into(), cause: Box::new(cause) },
        }
    }

    /// The error behind what was being done.
    pub fn root(&self) -> &Self {
        match self {
            Self::Context { cause, .. } | Self::Quoted { cause, .. } => cause.root(),
            error => error,
        }
    }

    /// Whether trying something else instead makes no sense.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.root(), Self::Asked(_) | Self::Limit(_))
    }
}

impl From<yaml::Error> for Error {
    fn from(error: yaml::Error) -> Self {
        Self::Syntax(error.to_string())
    }
}
