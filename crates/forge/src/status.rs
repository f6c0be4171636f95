//! Statuses that are attached to commits.

/// What somebody says about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// What it is about.
    pub context: String,
    /// The verdict.
    pub state: Verdict,
    /// One line more.
    pub description: String,
    /// Where to read on.
    pub url: String,
    /// Who said it; the slug of an App.
    pub creator: Option<String>,
}

/// A verdict about a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is none yet.
    Pending,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// It could not be found out.
    Error,
}

/// The longest description that all forges take, in characters.
const MAX_DESCRIPTION: usize = 140;

impl CommitStatus {
    pub(crate) fn short(&self) -> String {
        self.description.chars().take(MAX_DESCRIPTION).collect()
    }

    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.context == other.context
            && self.state == other.state
            && self.short() == other.short()
            && self.url == other.url
    }
}

/// Keeps the first status of each context.
pub(crate) fn latest(all: Vec<CommitStatus>) -> Vec<CommitStatus> {
    let mut kept: Vec<CommitStatus> = Vec::new();
    for it in all {
        if kept.iter().all(|known| known.context != it.context) {
            kept.push(it);
        }
    }
    kept
}
