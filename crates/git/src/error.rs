//! What can go wrong with a repository, in the words Flux users know.

/// Why a Git operation failed.
///
/// The texts follow go-git and fluxcd/pkg/git where those say something, since people and tools read
/// them in conditions. None holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server, or its host key, did not accept us or we do not accept it.
    #[error("{0}")]
    Denied(String),
    /// There is no such repository (or we may not see it).
    #[error("{0}")]
    NotFound(String),
    /// The repository exists and has no commit.
    #[error("remote repository is empty")]
    Empty,
    /// The repository has no such reference.
    #[error("couldn't find remote ref \"{0}\"")]
    RefNotFound(String),
    /// A tree has no such file or folder.
    #[error("{0}: no such file or directory")]
    PathNotFound(String),
    /// The server could not be reached or failed; a later try may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The operation took longer than it was given.
    #[error("context deadline exceeded")]
    Timeout,
    /// The address is no URL of a repository.
    #[error("failed to parse URL: {0}")]
    Address(String),
    /// What the user configured cannot work.
    #[error("{0}")]
    Config(String),
    /// The repository does not fit the configured size.
    #[error(
        "the repository needs more than {limit} bytes, which is the configured limit for one repository"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A file or other object of the repository does not fit the configured size.
    #[error(
        "the repository has an object of more than {limit} bytes, which is the configured limit for one object"
    )]
    ObjectTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A file that was asked for is too large to be read.
    #[error("{path} has more than {limit} bytes, which is the configured limit for one file")]
    FileTooLarge {
        /// The path in the repository.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The answer is not Git, or breaks off.
    #[error("{0}")]
    Protocol(String),
    /// The data folder cannot be used.
    #[error("{0}")]
    Local(String),
    /// A clone of `url` failed because of `cause`.
    #[error("unable to clone '{url}': {cause}")]
    Clone {
        /// The repository, without credentials.
        url: String,
        /// What happened.
        cause: Box<Error>,
    },
    /// There was nothing to clone at `url`, told as fluxcd/pkg/git tells it.
    #[error("unable to clone: {cause}: git repository: '{url}'")]
    NothingToClone {
        /// The repository, without credentials.
        url: String,
        /// What happened.
        cause: Box<Error>,
    },
    /// Listing the references of `url` failed because of `cause`.
    #[error("unable to list remote for '{url}': {cause}")]
    List {
        /// The repository, without credentials.
        url: String,
        /// What happened.
        cause: Box<Error>,
    },
    /// A push failed because of `cause`.
    #[error("failed to push to remote: {cause}")]
    Push {
        /// What happened.
        cause: Box<Error>,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.cause(),
            Self::Unreachable(_) | Self::Timeout | Self::Protocol(_) | Self::Local(_)
        )
    }

    /// Whether the repository, reference or path does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.cause(), Self::NotFound(_) | Self::RefNotFound(_) | Self::PathNotFound(_))
    }

    /// Whether credentials or keys were refused, by the server or by us.
    pub fn is_denied(&self) -> bool {
        matches!(self.cause(), Self::Denied(_))
    }

    /// Whether the repository exists and has no commit.
    pub fn is_empty_repository(&self) -> bool {
        matches!(self.cause(), Self::Empty)
    }

    /// The error without the context around it.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Clone { cause, .. }
            | Self::NothingToClone { cause, .. }
            | Self::List { cause, .. }
            | Self::Push { cause } => cause.cause(),
            plain => plain,
        }
    }
}
