//! What can be said of an object's health.

use std::fmt;

use jiff::Timestamp;

use crate::Error;

/// The words of kstatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It does what its spec says.
    Current,
    /// It is on its way there.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    NotFound,
    /// It cannot be told.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        })
    }
}

/// The health of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The word.
    pub status: Status,
    /// Why, in the library's words or those of the object's controller. Empty after expressions.
    pub message: String,
    /// When the status changes without a change of the object, if nothing else happens until then:
    /// a Pod that is not scheduled has failed from that moment on.
    pub changes_at: Option<Timestamp>,
}

impl Health {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), changes_at: None }
    }

    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, message)
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }

    /// The health of an object that does not exist.
    pub fn not_found() -> Self {
        Self::new(Status::NotFound, "Resource not found")
    }

    /// The health of an object that cannot be judged; the error is the message.
    pub fn unknown(error: &Error) -> Self {
        Self::new(Status::Unknown, error.to_string())
    }
}
