//! What is done with pull requests and statuses, on whichever forge; safe to be done twice.

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http_client::Options;

use crate::budget::{Account, Budget};
use crate::call::Session;
use crate::login::{Login, basic};
use crate::provider::{self, Provider as _, provider};
use crate::pull::{Merge, Merged, Proposal, Proposed, PullRequest, State};
use crate::{Caller, CommitStatus, Error, Forge, Kind, Repository};

/// A repository on its forge, and who asks.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// How to log in.
    pub login: &'a Login,
    /// For whom.
    pub caller: &'a Caller<'a>,
    /// How connections are made.
    pub http: &'a Options,
    /// The time for each request.
    pub timeout: Duration,
}

impl Access<'_> {
    fn account(&self) -> Account {
        let host = self.repository.api.host_str().unwrap_or_default();
        (host.to_owned(), self.login.fingerprint())
    }
}

impl Forge {
    /// What the forge last said about how much this login may ask.
    pub fn budget(&self, access: &Access<'_>) -> Option<Budget> {
        self.budgets().get(&access.account())
    }

    /// The pull request of a branch: the open one, else the newest.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn find_pull(
        &self,
        access: &Access<'_>,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, Error> {
        let session = self.session(access).await?;
        provider!(access.repository.kind, it => it.find(&session, head, base).await)
    }

    /// The pull request of this number.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn pull(&self, access: &Access<'_>, number: u64) -> Result<PullRequest, Error> {
        let session = self.session(access).await?;
        provider!(access.repository.kind, it => it.get(&session, number).await)
    }

    /// Sees to it that an open pull request is there as proposed. One that was opened before, or by
    /// an attempt whose answer got lost, is found by its branch and brought up to date; one that is
    /// merged or closed is left as it is, and returned.
    ///
    /// # Errors
    /// Any of [`Error`]. What a pull request can do without is no error but a note.
    pub async fn propose(&self, access: &Access<'_>, wanted: &Proposal) -> Result<Proposed, Error> {
        let session = self.session(access).await?;
        let kind = access.repository.kind;
        let find =
            async || provider!(kind, it => it.find(&session, &wanted.head, &wanted.base).await);
        let (mut pull, opened) = match find().await? {
            Some(pull) => (pull, false),
            None => match provider!(kind, it => it.open(&session, wanted).await) {
                Ok(pull) => (pull, true),
                // Somebody was faster, or the answer was lost: then it is there now.
                Err(error) if error.leaves_open() => match find().await {
                    Ok(Some(pull)) if pull.state == State::Open => (pull, true),
                    _ => return Err(error),
                },
                Err(error) => return Err(error),
            },
        };
        let mut notes = Vec::new();
        if pull.state == State::Open {
            if pull.title != wanted.title || pull.body.trim_end() != wanted.body.trim_end() {
                pull = provider!(kind, it => it.edit(&session, &pull, wanted).await)?;
            }
            adorn(&session, kind, &pull, (wanted, opened), &mut notes).await?;
        }
        Ok(Proposed { pull, opened, notes })
    }

    /// Makes a pull request a draft, or ready.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn set_draft(
        &self,
        access: &Access<'_>,
        pull: &PullRequest,
        draft: bool,
    ) -> Result<(), Error> {
        if pull.draft == draft {
            return Ok(());
        }
        let session = self.session(access).await?;
        provider!(access.repository.kind, it => it.draft(&session, pull, draft).await)
    }

    /// Adds a comment, unless one with the same `key` is there; the key is not shown to readers.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn comment(
        &self,
        access: &Access<'_>,
        number: u64,
        (key, text): (&str, &str),
    ) -> Result<(), Error> {
        let session = self.session(access).await?;
        let kind = access.repository.kind;
        let mark = format!("<!-- sluice:{} -->", key.replace("--", "-"));
        let known = provider!(kind, it => it.comments(&session, number).await)?;
        if known.iter().any(|it| it.contains(&mark)) {
            return Ok(());
        }
        let text = format!("{text}\n\n{mark}");
        provider!(kind, it => it.comment(&session, number, &text).await)
    }

    /// Closes a pull request without merging it; one that is closed or merged stays so.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn close_pull(&self, access: &Access<'_>, number: u64) -> Result<PullRequest, Error> {
        let session = self.session(access).await?;
        let kind = access.repository.kind;
        let pull = provider!(kind, it => it.get(&session, number).await)?;
        if pull.state != State::Open {
            return Ok(pull);
        }
        let closed = provider!(kind, it => it.close(&session, number).await);
        let pull = provider!(kind, it => it.get(&session, number).await)?;
        if pull.state == State::Open {
            closed?;
        }
        Ok(pull)
    }

    /// Merges a pull request. What counts is what the forge says about it afterwards: an answer that
    /// got lost, or one that it was merged already, is a success.
    ///
    /// # Errors
    /// Any of [`Error`], when the forge cannot be asked or does not let this login merge.
    pub async fn merge_pull(
        &self,
        access: &Access<'_>,
        number: u64,
        how: &Merge,
    ) -> Result<Merged, Error> {
        let session = self.session(access).await?;
        let kind = access.repository.kind;
        let look = async || provider!(kind, it => it.get(&session, number).await);
        let before = look().await?;
        match before.state {
            State::Merged => return Ok(Merged::Done(Box::new(before))),
            State::Closed => return Ok(Merged::Closed),
            State::Open if before.head_commit != how.head_commit => {
                return Ok(Merged::Moved(before.head_commit));
            }
            State::Open => {}
        }
        let error = match provider!(kind, it => it.merge(&session, number, how).await) {
            Ok(()) => None,
            Err(error) if error.leaves_open() => Some(error),
            Err(error) => return Err(error),
        };
        let after = match look().await {
            Ok(after) => after,
            Err(why) => return Err(error.unwrap_or(why)),
        };
        match (after.state, error) {
            (State::Merged, _) => Ok(Merged::Done(Box::new(after))),
            (State::Closed, _) => Ok(Merged::Closed),
            (State::Open, _) if after.head_commit != how.head_commit => {
                Ok(Merged::Moved(after.head_commit))
            }
            (State::Open, Some(error)) if error.is_not_yet() => {
                Ok(Merged::NotYet(error.to_string()))
            }
            (State::Open, Some(error)) => Err(error),
            (State::Open, None) => Ok(Merged::NotYet("the merge is under way".to_owned())),
        }
    }

    /// What is said about a commit, the newest of each context.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn statuses(
        &self,
        access: &Access<'_>,
        commit: &str,
    ) -> Result<Vec<CommitStatus>, Error> {
        let session = self.session(access).await?;
        provider!(access.repository.kind, it => it.statuses(&session, commit).await)
    }

    /// Says something about a commit, unless the same is said already.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn set_status(
        &self,
        access: &Access<'_>,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), Error> {
        let session = self.session(access).await?;
        let kind = access.repository.kind;
        let said = provider!(kind, it => it.statuses(&session, commit).await)?;
        if said.iter().any(|it| it.says_the_same(status)) {
            return Ok(());
        }
        provider!(kind, it => it.say(&session, commit, status).await)
    }

    async fn session(&self, access: &Access<'_>) -> Result<Session<'_>, Error> {
        let Access { repository, login, http, timeout, .. } = *access;
        let headers: HeaderMap = match login {
            Login::Token(token) => provider::headers(repository.kind, token),
            Login::Basic { username, password } => match repository.kind {
                // GitLab takes no passwords, but people put tokens in their place.
                Kind::GitLab => provider::headers(repository.kind, password),
                kind => {
                    let mut headers = provider::headers(kind, password);
                    let value =
                        crate::call::headers(&[(AUTHORIZATION, &basic(username, password))]);
                    headers.extend(value);
                    headers
                }
            },
            Login::App(app) => {
                let token = self.app_token(app, access.caller, http, timeout).await?;
                provider::headers(repository.kind, &token.token)
            }
        };
        Ok(Session {
            client: self.client(http)?,
            api: repository.api.clone(),
            path: repository.path.clone(),
            headers,
            timeout,
            now: self.now(),
            budgets: self.budgets(),
            account: access.account(),
        })
    }
}

/// Labels and reviewers. Only who opens it asks for reviews: a person may have sent them away since.
async fn adorn(
    session: &Session<'_>,
    kind: Kind,
    pull: &PullRequest,
    (wanted, opened): (&Proposal, bool),
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let mut note = |what: &str, result: Result<(), Error>| match result {
        Ok(()) => Ok(()),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            notes.push(format!("{what}: {error}"));
            Ok(())
        }
    };
    let missing = |it: &&String| !pull.labels.contains(it);
    let labels: Vec<String> = wanted.labels.iter().filter(missing).cloned().collect();
    if !labels.is_empty() {
        note("labels", provider!(kind, it => it.label(session, pull, &labels).await))?;
    }
    if opened && !wanted.reviewers.is_empty() {
        let asked = provider!(kind, it => it.review(session, pull, &wanted.reviewers).await);
        note("reviewers", asked)?;
    }
    Ok(())
}
