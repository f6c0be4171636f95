//! What can go wrong with an artifact.

use std::io;

/// Why an operation on artifacts failed. None holds content of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name or path that cannot be part of an artifact's place or tree.
    #[error("{0}")]
    Path(String),
    /// A digest that is malformed, or whose algorithm is not supported.
    #[error("{0}")]
    Digest(String),
    /// The content has more bytes, files or rules than it may have.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What is too large.
        what: String,
        /// The most it may be, with its unit.
        limit: String,
    },
    /// The archive cannot be read, or holds what must not be extracted.
    #[error("{0}")]
    Archive(String),
    /// What should be archived could not be read.
    #[error("{0}")]
    Content(String),
    /// The disk is full.
    #[error("no space left on device")]
    Full,
    /// The disk cannot be used.
    #[error("{0}")]
    Disk(String),
}

impl Error {
    /// Whether the same call may succeed later with nothing changed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Disk(_) | Self::Content(_))
    }

    /// A limit on `what`.
    pub(crate) fn limit(what: impl Into<String>, limit: impl Into<String>) -> Self {
        Self::Limit { what: what.into(), limit: limit.into() }
    }
}

impl From<io::Error> for Error {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => match why.downcast::<Self>() {
                Ok(own) => own,
                Err(why) => Self::Disk(why.to_string()),
            },
        }
    }
}

impl From<Error> for io::Error {
    /// For code that only knows input and output; the way back restores the error.
    fn from(why: Error) -> Self {
        Self::other(why)
    }
}
