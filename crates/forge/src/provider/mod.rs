//! What each forge does its own way; a file for each of them.

mod gitea;
mod github;
mod gitlab;

use http::HeaderMap;

use crate::call::Session;
use crate::pull::{Merge, Proposal, PullRequest};
use crate::{CommitStatus, Error, Kind};

/// One forge's way of doing things. Everything here is one request, or a few that change nothing
/// but what they say; what is tried again and what is good enough is decided elsewhere.
pub(crate) trait Provider {
    /// The headers of every request that is made with this token.
    fn token(&self, token: &str) -> HeaderMap;

    /// The pull request of a branch: the open one, else the newest.
    async fn find(
        &self,
        it: &Session<'_>,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, Error>;

    /// The pull request of this number.
    async fn get(&self, it: &Session<'_>, number: u64) -> Result<PullRequest, Error>;

    /// Opens a pull request.
    async fn open(&self, it: &Session<'_>, wanted: &Proposal) -> Result<PullRequest, Error>;

    /// Brings title and text of an open one to what is wanted.
    async fn edit(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        wanted: &Proposal,
    ) -> Result<PullRequest, Error>;

    /// Brings it to being a draft or not.
    async fn draft(&self, it: &Session<'_>, pull: &PullRequest, draft: bool) -> Result<(), Error>;

    /// Adds labels.
    async fn label(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        labels: &[String],
    ) -> Result<(), Error>;

    /// Asks for reviews.
    async fn review(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        reviewers: &[String],
    ) -> Result<(), Error>;

    /// The texts of its comments.
    async fn comments(&self, it: &Session<'_>, number: u64) -> Result<Vec<String>, Error>;

    /// Adds a comment.
    async fn comment(&self, it: &Session<'_>, number: u64, text: &str) -> Result<(), Error>;

    /// Closes it without merging.
    async fn close(&self, it: &Session<'_>, number: u64) -> Result<(), Error>;

    /// Merges it.
    async fn merge(&self, it: &Session<'_>, number: u64, how: &Merge) -> Result<(), Error>;

    /// What is said about a commit; the newest of each context first.
    async fn statuses(&self, it: &Session<'_>, commit: &str) -> Result<Vec<CommitStatus>, Error>;

    /// Says something about a commit.
    async fn say(&self, it: &Session<'_>, commit: &str, status: &CommitStatus)
    -> Result<(), Error>;
}

/// Does something with the provider of a kind; a new one is a line here.
macro_rules! provider {
    ($kind:expr, $it:ident => $do:expr) => {
        match $kind {
            $crate::Kind::GitHub => {
                let $it = $crate::provider::GITHUB;
                $do
            }
            $crate::Kind::GitLab => {
                let $it = $crate::provider::GITLAB;
                $do
            }
            $crate::Kind::Gitea => {
                let $it = $crate::provider::GITEA;
                $do
            }
        }
    };
}

pub(crate) use provider;
pub(crate) const GITHUB: github::GitHub = github::GitHub;
pub(crate) const GITLAB: gitlab::GitLab = gitlab::GitLab;
pub(crate) const GITEA: gitea::Gitea = gitea::Gitea;

/// The headers of every request to this kind of forge.
pub(crate) fn headers(kind: Kind, token: &str) -> HeaderMap {
    provider!(kind, it => it.token(token))
}
