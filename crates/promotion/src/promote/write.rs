//! Writing: safe to run any number of times, by any replica.

use std::collections::BTreeMap;

use api::{
    meta::{Time, time},
    promotion::{Intent, Pipeline, PlanChange, PushFallback},
    reason,
    source::GitRepository,
};
use controller::{Stop, Turn};
use git::{CommitMeta, Edit, Expected, NewCommit, Outcome, Snapshot, Update};
use jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use pipeline::{
    promotion::{Action, Phase, Reason, next},
    write::{self, Head, Write},
};
use serde_json::json;
use setters::stage as edit;

use super::{
    Go, Run,
    act::{changes, judged},
    facts,
};
use crate::{
    CONTROLLER,
    branch::{self, Held, Known, Source},
    ledger, message,
    queue::Name,
    stage,
    template::Wording,
};

/// How often a push is tried again on a head that moved.
const RACES: usize = 10;

/// What became of a push.
enum Push {
    Landed,
    /// Somebody else was faster.
    Stale,
    Refused(String),
}

impl Run<'_> {
    /// Writes the bundle's values to the branch.
    pub(super) async fn write(&mut self, turn: &mut Turn) -> Result<Go, Stop> {
        let source = self.source().await?;
        let address = source.remote.address.to_string();
        let queue = self.queues.turn(&self.context.writers, (address, &source.branch)).await;
        let done = self.tries(&source, turn).await;
        let committed = !self.status.commits.is_empty();
        for repository in queue.end(committed.then(|| source.repository.clone())) {
            self.wake_flux(&repository).await;
        }
        done
    }

    async fn tries(&mut self, source: &Source, turn: &mut Turn) -> Result<Go, Stop> {
        for _ in 0..RACES {
            turn.check()?;
            if let Some(go) = self.once(source, turn).await? {
                return Ok(go);
            }
        }
        let text = format!("branch '{}' moved {RACES} times while it was written", source.branch);
        Err(Stop::fail(reason::GIT_OPERATION_FAILED, text))
    }

    /// One try; nothing if somebody else was faster.
    async fn once(&mut self, source: &Source, turn: &mut Turn) -> Result<Option<Go>, Stop> {
        let now = turn.now();
        let head = source.head(self.status.intent.is_some(), self.context).await?;
        let plan = self.planned(&head).await?;
        if let Err((reason, why)) = judged(&plan) {
            self.enter(Phase::Failed, reason.word(), &why, now);
            return Ok(Some(Go::On));
        }
        let found = self.find(&head).await?;
        let seen = Head {
            found,
            holds_bundle: plan.is_empty(),
            holds_current: self.holds_current(&plan)? && self.is_untouched(source, &head).await?,
        };
        match write::decide(ledger::kind(self.it.spec.kind), &seen) {
            Write::Found(id) => self.record(source, &id, (false, now)),
            Write::Overwritten(id) => {
                self.record(source, &id, (false, now));
                let text = "a later commit changed the values";
                self.enter(Phase::Failed, Reason::Overwritten.word(), text, now);
            }
            Write::Unchanged => {
                self.record(source, &head.commit_id().to_string(), (true, now));
            }
            Write::Foreign => {
                let text = "the branch was changed, which the stage has not seen yet";
                self.enter(Phase::Gating, "Foreign", text, now);
                return Ok(Some(Go::Wait));
            }
            Write::Commit => return self.commit(source, (&head, plan), turn).await,
        }
        Ok(Some(Go::On))
    }

    /// Whether the folders that are copied are as the commit left them that brought what the stage runs.
    pub(super) async fn is_untouched(
        &self,
        source: &Source,
        head: &Snapshot,
    ) -> Result<bool, Stop> {
        let commit = self.stage_now().current.and_then(|it| it.commit);
        let (Some(about), Some(since)) = (&self.about, commit) else { return Ok(true) };
        let edited = branch::edited((&about.stage, source), head, &since, self.context).await?;
        Ok(edited.is_none())
    }

    /// Whether the branch holds what the stage runs, as far as the stage knows.
    pub(super) fn holds_current(&self, plan: &edit::Plan) -> Result<bool, Stop> {
        if plan.sites.is_empty() {
            // Folders are copied there: what they hold is not read back.
            return Ok(true);
        }
        let about = self.need()?;
        let namespace = self.it.namespace().unwrap_or_default();
        let Some(current) = self.stage_now().current.map(|it| it.bundle) else { return Ok(false) };
        let pipe = about.pipe.name_any();
        let bundles = ledger::bundles_for(&about.stage, self.stores);
        let mut parts = stage::parts(self.stores, &namespace, &pipe);
        parts.insert(String::new(), stage::form(&about.pipe, self.stores));
        let held = branch::held(
            &plan.sites,
            &Known {
                pipeline: &pipe,
                order: about.config.wants.order,
                bundles: &bundles,
                parts: &parts,
                current: Some(&current),
                copied: &[],
            },
        );
        Ok(held != Held::Nothing && held.name() == Some(current.as_str()))
    }

    async fn commit(
        &mut self,
        source: &Source,
        (head, plan): (&Snapshot, edit::Plan),
        turn: &mut Turn,
    ) -> Result<Option<Go>, Stop> {
        let now = turn.now();
        let parent = head.commit_id().to_string();
        let Some((commit, at)) = self.draft(source, head, plan, now).await? else {
            self.record(source, &parent, (true, now));
            return Ok(Some(Go::On));
        };
        let id = commit.id().to_string();
        let (branch, replaces) = (None, None);
        self.status.intent =
            Some(Intent { at, parent, commit: Some(id.clone()), branch, replaces });
        turn.record(&self.status).await?;
        if let Some(why) = self.shut(now) {
            self.enter(Phase::Gating, "GateShut", &why, now);
            return Ok(Some(Go::On));
        }
        match self.push(source, &commit).await? {
            Push::Landed => {
                self.record(source, &id, (false, now));
                Ok(Some(Go::On))
            }
            Push::Stale => Ok(None),
            Push::Refused(why) => {
                // Whatever the server says: if the head moved, that was it.
                let again = source.head(false, self.context).await?;
                if again.commit_id() != head.commit_id() {
                    return Ok(None);
                }
                if self.push_spec().fallback == Some(PushFallback::PullRequest) {
                    // From now on it goes by a pull request.
                    let branch = self.request_branch();
                    self.status.intent =
                        self.status.intent.take().map(|it| Intent { branch: Some(branch), ..it });
                    return Ok(Some(Go::On));
                }
                self.enter(Phase::Failed, Reason::PushRejected.word(), &why, now);
                Ok(Some(Go::On))
            }
        }
    }

    /// The commit, as it is made each time on the same parent, and its time; nothing if there is nothing
    /// to change.
    pub(super) async fn draft(
        &self,
        source: &Source,
        head: &Snapshot,
        plan: edit::Plan,
        now: Timestamp,
    ) -> Result<Option<(NewCommit, Time)>, Stop> {
        let failed = |why: git::Error| Stop::fail(reason::GIT_OPERATION_FAILED, why);
        let parent = head.commit_id().to_string();
        let kept = self.status.intent.as_ref().filter(|it| it.parent == parent);
        let at = kept.map_or(time(now), |it| it.at.clone());
        let message = self.message(&changes(&plan))?;
        let writes = plan.files.into_iter().map(|(path, bytes)| Edit::Write { path, bytes });
        let removes = plan.removed.into_iter().map(|path| Edit::Remove { path });
        let meta = CommitMeta {
            author: source.author.clone(),
            committer: source.author.clone(),
            time: at.0.as_second(),
            message,
        };
        let commit =
            head.commit(writes.chain(removes).collect(), meta, source.signer.clone()).await;
        Ok(commit.map_err(failed)?.map(|it| (it, at)))
    }

    /// Why the gates that are asked each time are not open any more: asked once more in the step that
    /// pushes.
    pub(super) fn shut(&self, now: Timestamp) -> Option<String> {
        let step = facts::with(self, now, |state, facts| {
            // It was looked for just now, under the turn of the branch.
            facts.searched = true;
            next(state, facts)
        });
        match step.action {
            Action::Enter { message, .. } => Some(message),
            Action::Wait { blocked_by, .. } => Some(blocked_by),
            // Stateful gates were asked before.
            Action::Write
            | Action::Plan
            | Action::Ask(_)
            | Action::Search
            | Action::Look
            | Action::Merge
            | Action::Close(_)
            | Action::Observe
            | Action::Done => None,
        }
    }

    async fn push(&self, source: &Source, commit: &NewCommit) -> Result<Push, Stop> {
        let update = Update {
            reference: source.reference(),
            target: Some(commit.id()),
            expected: Expected::Commit(commit.parent()),
            force: false,
        };
        let push = git::Push {
            commit: commit.clone(),
            updates: vec![update],
            options: source.options.clone(),
        };
        let pushed = self.context.mirrors.push(&source.remote, push).await;
        let pushed = pushed.map_err(|why| Stop::fail(reason::GIT_OPERATION_FAILED, why))?;
        Ok(match self.counted(pushed.outcomes) {
            Some(Outcome::Ok | Outcome::UpToDate) | None => Push::Landed,
            Some(Outcome::Stale { .. }) => Push::Stale,
            Some(Outcome::Rejected { reason }) => Push::Refused(reason),
        })
    }

    /// What became of a push, counted.
    pub(super) fn counted(&self, outcomes: Vec<Outcome>) -> Option<Outcome> {
        let outcome = outcomes.into_iter().next();
        self.context.meters.pushed(match &outcome {
            Some(Outcome::Ok | Outcome::UpToDate) | None => "ok",
            Some(Outcome::Stale { .. }) => "stale",
            Some(Outcome::Rejected { .. }) => "rejected",
        });
        outcome
    }

    pub(super) fn message(&self, changes: &[PlanChange]) -> Result<String, Stop> {
        let about = self.need()?;
        let namespace = self.it.namespace().unwrap_or_default();
        let (parts, before) = (about.parts(), self.before());
        let spec = about.bundle.as_ref().map(|it| it.spec.clone()).unwrap_or_default();
        let commit = |name: &String| {
            let status = self.stores.stages.get(&namespace, name)?.status.clone()?;
            let commit = status.current?.commit?;
            Some(format!("{name}@{}", commit.get(..7).unwrap_or(&commit)))
        };
        let named = self.status.gates.iter().filter(|it| it.kind != "implicit");
        let gates = named.map(|it| {
            let state = format!("{:?}", it.state).to_lowercase();
            let message = it.message.clone().unwrap_or_default();
            (it.name.clone(), format!("{state}: {message}"))
        });
        let approvals = self.status.approvals.iter().filter(|it| it.allowed);
        let from = about.stage.spec.from.iter().filter_map(|it| commit(&it.stage));
        let kind = format!("{:?}", self.it.spec.kind);
        let message = message::Message {
            uid: &self.it.uid().unwrap_or_default(),
            name: &self.it.name_any(),
            pipeline: &about.pipe.name_any(),
            stage: (&namespace, &self.it.spec.stage),
            bundle: &self.it.spec.bundle,
            version: spec.version.as_deref(),
            kind: &kind,
            reason: self.it.spec.reason.as_deref(),
            from: from.collect(),
            parts: &parts,
            before: &before,
            gates: gates.collect(),
            approvals: approvals.map(|it| format!("{} {}", it.by, it.at.0)).collect(),
            rolls_back: self.status.rollback_of.as_deref(),
            wording: wording(&about.pipe),
            changes,
        };
        message.text().map_err(|why| Stop::fail(reason::UPDATE_FAILED, why))
    }

    /// Asks Flux to look at once; it looks by itself later if that fails.
    pub(super) async fn wake_flux(&self, (namespace, name): &Name) {
        let api: Api<GitRepository> = Api::namespaced(self.context.client.clone(), namespace);
        let commit = self.status.commits.last().map(|it| it.sha.as_str()).unwrap_or_default();
        let patch = json!({"metadata": {"annotations": {
            api::meta::REQUESTED_AT: format!("promotion/{}/{commit}", self.it.name_any()),
        }}});
        let params =
            PatchParams { field_manager: Some(CONTROLLER.into()), ..PatchParams::default() };
        if let Err(why) = api.patch(name, &params, &Patch::Merge(patch)).await {
            tracing::debug!(%why, namespace, name, "cannot ask for a reconciliation");
        }
    }
}

/// How the Pipeline words commits, if it does.
fn wording(pipe: &Pipeline) -> Option<Wording<'_>> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let commit = &pipe.spec.git.as_ref()?.commit;
    let text = commit.message_template.as_deref().filter(|it| !it.is_empty())?;
    Some(Wording { text, values: commit.message_template_values.as_ref().unwrap_or(&NONE) })
}
