//! Whether a promotion's commit is there already, and whether it may be made.

use crate::promotion::Kind;

/// What a branch looks like to a promotion that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit of this promotion, by its trailer, among the commits since its intent.
    pub found: Option<String>,
    /// Whether the branch holds the bundle's values.
    pub holds_bundle: bool,
    /// Whether the branch holds the values of the bundle that the stage runs, as far as it knows.
    pub holds_current: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The commit is there.
    Found(String),
    /// The commit was there, but what it wrote no longer is.
    Overwritten(String),
    /// There is nothing to change; the head is as good as a commit.
    Unchanged,
    /// A person changed the branch, and the stage does not know it yet: wait until it does.
    Foreign,
    /// The commit is to be made.
    Commit,
}

/// Decides what is to be done with a branch. A trailer alone proves nothing: the values count.
pub fn decide(kind: Kind, head: &Head) -> Write {
    match &head.found {
        Some(commit) if head.holds_bundle => Write::Found(commit.clone()),
        Some(commit) => Write::Overwritten(commit.clone()),
        None if head.holds_bundle => Write::Unchanged,
        // A person who asks for a promotion has seen the branch; automation asks the stage.
        None if !head.holds_current && kind != Kind::Manual => Write::Foreign,
        None => Write::Commit,
    }
}
