//! What happened to an object.

use std::fmt;

use crate::Entry;

/// What was done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It did not exist and does now.
    Created,
    /// It was changed.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It was deleted, or already gone.
    Deleted,
    /// It is not touched: a control annotation or another owner forbids it.
    Skipped,
}

impl Action {
    /// Whether the object was written.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Created | Self::Configured | Self::Deleted)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
        })
    }
}

/// An object and what was done with it. Displayed as `Kind/namespace/name action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object as the API server named it.
    pub entry: Entry,
    /// What was done.
    pub action: Action,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entry.id, self.action)
    }
}
