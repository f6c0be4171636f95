//! Pull requests, which GitLab calls merge requests.

use jiff::Timestamp;

/// A pull request as a forge tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// How it stands.
    pub state: State,
    /// Whether it says that it is not to be merged yet.
    pub draft: bool,
    /// The title, without what marks a draft.
    pub title: String,
    /// The text.
    pub body: String,
    /// The branch that is to be merged.
    pub head: String,
    /// That branch's commit.
    pub head_commit: String,
    /// The branch to merge into.
    pub base: String,
    /// The labels.
    pub labels: Vec<String>,
    /// The commit that the merge made, if it is merged.
    pub merge_commit: Option<String>,
    /// Who merged it.
    pub merged_by: Option<String>,
    /// When.
    pub merged_at: Option<Timestamp>,
    /// What the forge calls it elsewhere in its API.
    pub(crate) node: String,
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be merged, some day.
    Open,
    /// It was merged.
    Merged,
    /// It was closed without.
    Closed,
}

/// A pull request as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The branch that is to be merged; it is of the same repository.
    pub head: String,
    /// The branch to merge into.
    pub base: String,
    /// The title.
    pub title: String,
    /// The text, as Markdown.
    pub body: String,
    /// Labels it should have beside those it has.
    pub labels: Vec<String>,
    /// Users, and teams as `organisation/team`, who are asked to review it.
    pub reviewers: Vec<String>,
    /// Whether it starts as a draft.
    pub draft: bool,
}

/// A pull request that is as proposed, but for what is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The pull request.
    pub pull: PullRequest,
    /// Whether it was opened just now.
    pub opened: bool,
    /// What the forge did not do, though the pull request is there: unknown reviewers and the like.
    pub notes: Vec<String>,
}

/// How to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// By which method; as the repository is set up without one.
    pub method: Option<Method>,
    /// The commit that the branch must still be at.
    pub head_commit: String,
    /// The first line of the merge's message.
    pub title: String,
    /// The rest of it.
    pub message: String,
}

/// How commits get to the other branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// One by one.
    Rebase,
}

/// What came of an attempt to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It is merged, by this attempt or before.
    Done(Box<PullRequest>),
    /// Not yet, says the forge: checks run, it is a draft, another merge is under way.
    NotYet(String),
    /// Its branch is not at the expected commit any more.
    Moved(String),
    /// It was closed by somebody.
    Closed,
}
