//! Pull requests: a branch of the promotion's own, proposed, looked at, merged or closed. Each step is
//! safe to run any number of times: what is there is found by the name of the branch, and nothing is
//! pushed over what somebody else committed.

use std::time::Duration;

use api::{
    meta::time,
    promotion::{self as v1, Intent, MergeMethod, PullRequestState, PullRequestStatus},
    reason,
};
use controller::{Event, Stop, Turn};
use forge::{Error, Merge, Merged, Method, Proposal, PullRequest, State};
use git::{Expected, Id, NewCommit, Outcome, Snapshot, Update};
use jiff::Timestamp;
use kube::ResourceExt as _;
use pipeline::{
    promotion::{Phase, Reason},
    request::Pull,
    write::{self, Head, Write},
};
use setters::stage as edit;

use super::{Run, Wait, act::judged};
use crate::{
    branch::Source,
    ledger,
    provider::{Closed, Provider, Reach},
    stage::config,
};

/// Between two looks at a pull request that nobody told about.
pub(super) const POLL: Duration = Duration::from_mins(1);
/// Until something is tried again that a provider does not do yet.
const SOON: Duration = Duration::from_secs(10);
/// How long a merge may not be seen on the branch, and a pull request of a stage that goes may stay open.
const PATIENCE: Duration = Duration::from_mins(10);

fn wait(now: Timestamp, after: Duration, why: impl std::fmt::Display) -> Wait {
    Wait { until: now.checked_add(after).ok(), blocked_by: format!("pull request: {why}") }
}

/// Waits as long as a provider asks to.
fn refused(now: Timestamp, why: &Error) -> Wait {
    wait(now, why.retry_after().unwrap_or(SOON * 3), why)
}

impl Run<'_> {
    /// Whether the promotion is written by a pull request.
    pub(super) fn by_request(&self) -> bool {
        let begun = self.status.intent.as_ref().is_some_and(|it| it.branch.is_some());
        begun || self.push_spec().mode == Some(v1::PushMode::PullRequest)
    }

    /// How this promotion reaches the branch.
    pub(super) fn push_spec(&self) -> v1::Push {
        let Some(about) = &self.about else { return v1::Push::default() };
        let is_rollback = self.it.spec.kind == v1::PromotionKind::Rollback;
        config::push(&about.stage, &about.pipe, is_rollback)
    }

    /// The branch of a promotion's own: the same each time, and nobody else's.
    pub(super) fn request_branch(&self) -> String {
        let uid = self.it.uid().unwrap_or_default();
        let short: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let namespace = self.it.namespace().unwrap_or_default();
        format!("promotion/{namespace}/{}-{short}", self.it.name_any())
    }

    pub(super) async fn provider(&self) -> Result<Provider, Closed> {
        let wrong = |why: &str| Closed::Wrong(why.to_owned());
        let about = self.about.as_ref().ok_or_else(|| wrong("the stage is gone"))?;
        let key = crate::branch::repository_key(&about.stage, &about.pipe);
        let (namespace, name) = key.ok_or_else(|| wrong("no repository is named"))?;
        let repository = self.stores.repositories.get(&namespace, &name);
        let repository = repository.ok_or_else(|| wrong("its GitRepository does not exist"))?;
        let (own, promotion) = (self.it.namespace().unwrap_or_default(), self.it.name_any());
        let reach = Reach {
            client: &self.context.client,
            forge: &self.context.forge,
            guard: &self.context.guard,
            promotion: (&own, &promotion),
        };
        Provider::open(&self.push_spec(), &repository.spec.url, &reach).await
    }

    /// Looks at the pull request, and whether the branch holds what it proposes.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<Option<Wait>, Stop> {
        let provider = match self.provider().await {
            Ok(provider) => provider,
            Err(Closed::Wrong(why)) => {
                self.pull = Some(Pull::Lost(why));
                return Ok(None);
            }
            Err(Closed::Fail(why)) => return Ok(Some(wait(now, SOON, why))),
        };
        let found = self.find_pull(&provider).await;
        self.budget(&provider);
        let found = match found {
            Ok(found) => found,
            Err(why) if why.is_transient() => return Ok(Some(refused(now, &why))),
            Err(why) => {
                self.pull = Some(Pull::Lost(why.to_string()));
                return Ok(None);
            }
        };
        if let Some(found) = &found {
            self.show(found);
        }
        self.proposal.clone_from(&found);
        if self.stage_gone {
            self.pull = Some(match found.map(|it| it.state) {
                Some(State::Open) => Pull::Open { foreign: None, outdated: false },
                Some(State::Merged | State::Closed) | None => Pull::Closed,
            });
            return Ok(None);
        }
        self.compare(found, now).await
    }

    /// Shows how much the provider may still be asked.
    fn budget(&self, provider: &Provider) {
        let caller = provider.caller();
        if let Some(budget) = provider.forge.budget(&provider.access(&caller)) {
            let host = provider.repository.api.host_str().unwrap_or_default().to_owned();
            self.context.meters.budget(&host, budget.remaining);
        }
    }

    async fn find_pull(&self, provider: &Provider) -> Result<Option<PullRequest>, Error> {
        let caller = provider.caller();
        let access = provider.access(&caller);
        let known = self.status.pull_request.as_ref().and_then(|it| u64::try_from(it.number).ok());
        if let Some(number) = known {
            return match provider.forge.pull(&access, number).await {
                Ok(it) => Ok(Some(it)),
                Err(why) if why.is_not_found() => Ok(None),
                Err(why) => Err(why),
            };
        }
        let base = self.target();
        provider.forge.find_pull(&access, &self.request_branch(), &base).await
    }

    /// The branch to merge into.
    fn target(&self) -> String {
        let about = self.about.as_ref();
        let branch =
            about.and_then(|it| crate::branch::branch_of(&it.stage, &it.pipe, self.stores));
        branch.unwrap_or_default()
    }

    /// Compares a pull request with the branch it is to be merged into.
    async fn compare(
        &mut self,
        found: Option<PullRequest>,
        now: Timestamp,
    ) -> Result<Option<Wait>, Stop> {
        // What the provider tells of is on the branch by now.
        self.since = git::Moment::now();
        let source = self.source().await?;
        let head = source.head(true, self.context).await?;
        let plan = self.planned(&head).await?;
        let holds = plan.is_empty() && plan.problems.is_empty();
        let merged = found.as_ref().filter(|it| it.state == State::Merged);
        if let Some(merged) = merged.filter(|it| it.base == source.branch) {
            return self.merged(&source, &head, (merged, holds), now).await;
        }
        if holds {
            // By whom does not matter.
            self.record(&source, &head.commit_id().to_string(), (true, now));
            self.wake_flux(&source.repository).await;
            if found.is_some_and(|it| it.state == State::Open) {
                let text = "the branch holds what this proposes already";
                return self.close(text, now).await;
            }
            return Ok(None);
        }
        self.pull = Some(match found {
            None => Pull::Absent,
            Some(it) if it.state == State::Open => {
                let outdated = self.outdated(&source, (&head, &plan), &it).await?;
                Pull::Open { foreign: self.foreign(&source, &it), outdated }
            }
            Some(_) => Pull::Closed,
        });
        Ok(None)
    }

    /// Records a merge once the branch shows it.
    async fn merged(
        &mut self,
        source: &Source,
        head: &Snapshot,
        (pull, holds): (&PullRequest, bool),
        now: Timestamp,
    ) -> Result<Option<Wait>, Stop> {
        let failed = |why: git::Error| Stop::fail(reason::GIT_OPERATION_FAILED, why);
        let at = head.commit_id();
        let merge: Option<Id> = pull.merge_commit.as_ref().and_then(|it| it.parse().ok());
        let there = match merge {
            Some(merge) => head.contains(merge).await.map_err(failed)? == Some(true),
            None => false,
        };
        let old = pull.merged_at.and_then(|at| at.checked_add(PATIENCE).ok());
        if !there && !holds && old.is_none_or(|end| end > now) {
            return Ok(Some(wait(now, SOON, "it is merged, which the branch does not show yet")));
        }
        let id = merge.filter(|_| there).unwrap_or(at);
        self.record(source, &id.to_string(), (false, now));
        self.wake_flux(&source.repository).await;
        Ok(None)
    }

    /// Why a pull request is not as it was left.
    fn foreign(&self, source: &Source, it: &PullRequest) -> Option<String> {
        if it.base != source.branch {
            return Some(format!("somebody pointed it at branch '{}'", it.base));
        }
        (!self.is_own(&it.head_commit)).then(|| {
            let at = it.head_commit.get(..7).unwrap_or(&it.head_commit);
            format!("somebody else committed {at} to its branch: merge or close it by hand")
        })
    }

    /// Whether a commit on the promotion's own branch was made by the promotion.
    fn is_own(&self, commit: &str) -> bool {
        let intent = self.status.intent.as_ref();
        let own = intent.into_iter().flat_map(|it| [&it.commit, &it.replaces]);
        own.flatten().any(|it| it == commit)
    }

    /// Whether what is proposed was made of other lines than those that are there now.
    async fn outdated(
        &self,
        source: &Source,
        (head, plan): (&Snapshot, &edit::Plan),
        pull: &PullRequest,
    ) -> Result<bool, Stop> {
        let Some(intent) = &self.status.intent else { return Ok(true) };
        if intent.replaces.as_ref() == Some(&pull.head_commit)
            && intent.commit.as_ref() != Some(&pull.head_commit)
        {
            // The push that was intended did not come through.
            return Ok(true);
        }
        if head.commit_id().to_string() == intent.parent {
            return Ok(false);
        }
        let Ok(parent) = intent.parent.parse() else { return Ok(true) };
        let Some(parent) = source.commit(parent, self.context).await else { return Ok(true) };
        let before = self.planned(&parent).await?;
        let same = before.files == plan.files
            && before.removed == plan.removed
            && before.changes == plan.changes;
        Ok(!same)
    }

    /// Writes the branch and opens the pull request.
    pub(super) async fn propose(&mut self, turn: &mut Turn) -> Result<Option<Wait>, Stop> {
        let now = turn.now();
        let source = self.source().await?;
        let branch = self.request_branch();
        let (head, there) = source.heads(&branch, self.context).await?;
        let plan = self.planned(&head).await?;
        if let Err((reason, why)) = judged(&plan) {
            self.enter(Phase::Failed, reason.word(), &why, now);
            return Ok(None);
        }
        let seen = Head {
            found: None,
            holds_bundle: plan.is_empty(),
            holds_current: self.holds_current(&plan)? && self.is_untouched(&source, &head).await?,
        };
        match write::decide(ledger::kind(self.it.spec.kind), &seen) {
            Write::Unchanged | Write::Found(_) | Write::Overwritten(_) => {
                self.record(&source, &head.commit_id().to_string(), (true, now));
                self.wake_flux(&source.repository).await;
                return Ok(None);
            }
            Write::Foreign => {
                let text = "the branch was changed, which the stage has not seen yet";
                self.enter(Phase::Gating, "Foreign", text, now);
                let blocked_by = "branch: a commit changed it, which the stage has not seen yet";
                return Ok(Some(Wait { until: None, blocked_by: blocked_by.to_owned() }));
            }
            Write::Commit => {}
        }
        if let Some(foreign) = there.filter(|it| !self.is_own(&it.to_string())) {
            if matches!(self.pull, Some(Pull::Open { .. })) {
                let text = format!("somebody else committed {} to its branch", foreign.short());
                return Ok(Some(wait(now, POLL, text)));
            }
            let text = format!("branch '{branch}' holds {}, which is not ours", foreign.short());
            self.enter(Phase::Failed, Reason::PushRejected.word(), &text, now);
            return Ok(None);
        }
        self.write_branch(&source, (&head, plan), there, turn).await
    }

    async fn write_branch(
        &mut self,
        source: &Source,
        (head, plan): (&Snapshot, edit::Plan),
        there: Option<Id>,
        turn: &mut Turn,
    ) -> Result<Option<Wait>, Stop> {
        let now = turn.now();
        let summary = summary(&plan);
        let Some((commit, at)) = self.draft(source, head, plan, now).await? else {
            self.record(source, &head.commit_id().to_string(), (true, now));
            return Ok(None);
        };
        let branch = self.request_branch();
        let intent = Intent {
            at,
            parent: commit.parent().to_string(),
            commit: Some(commit.id().to_string()),
            branch: Some(branch.clone()),
            replaces: there.map(|it| it.to_string()).filter(|it| *it != commit.id().to_string()),
        };
        if self.status.intent.as_ref() != Some(&intent) {
            self.status.intent = Some(intent);
            turn.record(&self.status).await?;
        }
        let rebuilt = self.status.phase == Some(v1::Phase::Proposed);
        if let Some(why) = self.shut(now).filter(|_| !rebuilt) {
            self.enter(Phase::Gating, "GateShut", &why, now);
            return Ok(None);
        }
        match self.push_branch(source, &branch, &commit, there).await? {
            Outcome::Ok | Outcome::UpToDate => {}
            Outcome::Stale { .. } => return Ok(Some(wait(now, SOON, "its branch moved"))),
            Outcome::Rejected { reason } => {
                self.enter(Phase::Failed, Reason::PushRejected.word(), &reason, now);
                return Ok(None);
            }
        }
        let waits = self.open(&summary, now).await?;
        // What was pushed just now may not be shown yet.
        Ok(waits.or_else(|| rebuilt.then(|| wait(now, SOON, "its branch was made anew"))))
    }

    async fn push_branch(
        &self,
        source: &Source,
        branch: &str,
        commit: &NewCommit,
        there: Option<Id>,
    ) -> Result<Outcome, Stop> {
        let update = Update {
            reference: format!("refs/heads/{branch}"),
            target: Some(commit.id()),
            expected: there.map_or(Expected::Absent, Expected::Commit),
            // Only ever over what the promotion pushed itself.
            force: true,
        };
        let push = git::Push {
            commit: commit.clone(),
            updates: vec![update],
            options: source.options.clone(),
        };
        if there == Some(commit.id()) {
            return Ok(Outcome::UpToDate);
        }
        let pushed = self.context.mirrors.push(&source.remote, push).await;
        let pushed = pushed.map_err(|why| Stop::fail(reason::GIT_OPERATION_FAILED, why))?;
        Ok(self.counted(pushed.outcomes).unwrap_or(Outcome::UpToDate))
    }

    /// The changes of the plan that is shown.
    fn planned_changes(&self) -> Vec<v1::PlanChange> {
        self.status.plan.as_ref().map(|it| it.changes.clone()).unwrap_or_default()
    }

    /// Sees to it that the pull request is open.
    async fn open(&mut self, summary: &str, now: Timestamp) -> Result<Option<Wait>, Stop> {
        let provider = match self.provider().await {
            Ok(provider) => provider,
            Err(why) => return Ok(Some(wait(now, SOON * 3, why))),
        };
        let push = self.push_spec();
        let message = self.message(&self.planned_changes())?;
        let (title, text) = message.split_once("\n\n").unwrap_or((&message, ""));
        let wanted = Proposal {
            head: self.request_branch(),
            base: self.target(),
            title: title.to_owned(),
            body: body(text, summary),
            labels: push.labels,
            reviewers: push.reviewers,
            draft: push.draft.unwrap_or(false),
        };
        let caller = provider.caller();
        let done = provider.forge.propose(&provider.access(&caller), &wanted).await;
        let done = match done {
            Ok(done) => done,
            Err(why) => return Ok(Some(refused(now, &why))),
        };
        self.show(&done.pull);
        if let Some(status) = self.status.pull_request.as_mut() {
            status.notes = done.notes.into_iter().take(8).collect();
        }
        if self.status.phase != Some(v1::Phase::Proposed) {
            let text = format!("pull request {} is open", done.pull.url);
            self.events.push(Event::info(reason::PROMOTION_PROPOSED, text.clone()));
            self.enter(Phase::Proposed, "Proposed", &text, now);
        }
        self.pull = None;
        Ok(None)
    }

    fn show(&mut self, it: &PullRequest) {
        let notes = self.status.pull_request.take().map(|it| it.notes).unwrap_or_default();
        self.status.pull_request = Some(PullRequestStatus {
            number: i64::try_from(it.number).unwrap_or(i64::MAX),
            url: Some(it.url.clone()),
            branch: it.head.clone(),
            head: Some(it.head_commit.clone()),
            state: match it.state {
                State::Open => PullRequestState::Open,
                State::Merged => PullRequestState::Merged,
                State::Closed => PullRequestState::Closed,
            },
            merged_by: it.merged_by.clone(),
            merged_at: it.merged_at.map(time),
            merge_commit: it.merge_commit.clone(),
            notes,
        });
    }

    /// Merges the pull request if it is as it was left.
    pub(super) async fn merge(&mut self, now: Timestamp) -> Result<Option<Wait>, Stop> {
        let Some(pull) = self.proposal.clone() else {
            self.pull = None;
            return Ok(None);
        };
        let provider = match self.provider().await {
            Ok(provider) => provider,
            Err(why) => return Ok(Some(wait(now, SOON * 3, why))),
        };
        let caller = provider.caller();
        let access = provider.access(&caller);
        if pull.draft
            && let Err(why) = provider.forge.set_draft(&access, &pull, false).await
        {
            return Ok(Some(refused(now, &why)));
        }
        let message = self.message(&self.planned_changes())?;
        let (title, text) = message.split_once("\n\n").unwrap_or((&message, ""));
        let how = Merge {
            method: self.push_spec().method.map(|it| match it {
                MergeMethod::Merge => Method::Merge,
                MergeMethod::Squash => Method::Squash,
                MergeMethod::Rebase => Method::Rebase,
            }),
            head_commit: pull.head_commit.clone(),
            title: title.to_owned(),
            message: text.to_owned(),
        };
        Ok(match provider.forge.merge_pull(&access, pull.number, &how).await {
            Ok(Merged::NotYet(why)) => Some(wait(now, SOON, format!("not merged yet: {why}"))),
            Ok(Merged::Done(_) | Merged::Moved(_) | Merged::Closed) => {
                // What came of it is looked at.
                self.pull = None;
                None
            }
            Err(why) => Some(refused(now, &why)),
        })
    }

    /// Closes the pull request and says why.
    pub(super) async fn close(&mut self, why: &str, now: Timestamp) -> Result<Option<Wait>, Stop> {
        let Some(number) = self.proposal.as_ref().map(|it| it.number) else {
            self.pull = Some(Pull::Closed);
            return Ok(None);
        };
        let closed = match self.provider().await {
            Ok(provider) => self.close_at(&provider, number, why).await,
            Err(Closed::Fail(why)) => return Ok(Some(wait(now, SOON, why))),
            Err(Closed::Wrong(_)) => return Ok(self.gives_up("it cannot be closed")),
        };
        match closed {
            Ok(pull) => {
                self.show(&pull);
                self.proposal = Some(pull);
                // It may have been merged instead.
                self.pull = None;
                Ok(None)
            }
            Err(why) if why.is_transient() && !self.is_leaving(now) => Ok(Some(refused(now, &why))),
            Err(why) => Ok(self.gives_up(&why.to_string())),
        }
    }

    async fn close_at(
        &self,
        provider: &Provider,
        number: u64,
        why: &str,
    ) -> Result<PullRequest, Error> {
        let caller = provider.caller();
        let access = provider.access(&caller);
        let uid = self.it.uid().unwrap_or_default();
        let text = format!("Closed by promotion `{}`: {why}.", self.it.name_any());
        // A comment is good to have, but the closing counts.
        let said = provider.forge.comment(&access, number, (&format!("{uid}/closed"), &text)).await;
        if let Err(why) = said {
            tracing::debug!(%why, number, "cannot say why a pull request is closed");
        }
        provider.forge.close_pull(&access, number).await
    }

    /// It stays open, for people to close.
    fn gives_up(&mut self, why: &str) -> Option<Wait> {
        let text = format!("the pull request stays open: {why}");
        self.events.push(Event::error(reason::PROMOTION_PROPOSED, text.clone()));
        self.pull = Some(Pull::Lost(text));
        None
    }

    /// Whether the stage goes and has waited for long enough.
    fn is_leaving(&self, now: Timestamp) -> bool {
        let stage = self.about.as_ref().map(|it| &it.stage.metadata);
        let since = stage.and_then(|it| it.deletion_timestamp.as_ref());
        since.is_some_and(|at| at.0.checked_add(PATIENCE).is_ok_and(|end| end <= now))
    }
}

/// The files that change, for people.
fn summary(plan: &edit::Plan) -> String {
    let line = |it: &edit::Change| format!("- `{}`: `{}` -> `{}`", it.file, it.old, it.new);
    let mut lines: Vec<String> = plan.changes.iter().take(50).map(line).collect();
    if let Some(more) = plan.changes.len().checked_sub(50).filter(|more| *more > 0) {
        lines.push(format!("- and {more} more"));
    }
    lines.join("\n")
}

/// The text of a pull request: what changes, and the trailers of the commit.
fn body(message: &str, summary: &str) -> String {
    let (head, trailers) = message.trim_end().rsplit_once("\n\n").unwrap_or(("", message));
    format!("{head}\n\n{summary}\n\n```\n{}\n```\n", trailers.trim_end()).trim_start().to_owned()
}
