//! One attempt to bring a bundle into a stage: what comes next.
//!
//! ```text
//! Pending ─> Gating ─> Writing ─> Deploying ─> Verifying ─> Succeeded
//!    │          │  ^      │ │          │            │
//!    │          │  └──────┘ └> Proposed┘            │      a gate shut meanwhile
//!    └──────────┴──> Superseded, Rejected, Aborted  └──> Failed
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{
    approval::Approval,
    gate::{self, Answer, Asking, Gate, Record, Verdict},
    request::{self, Pull, Request},
};

/// Where a promotion stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for its turn in the stage.
    #[default]
    Pending,
    /// Its gates are asked.
    Gating,
    /// It is being written.
    Writing,
    /// Its pull request is open.
    Proposed,
    /// It is waited for until it runs.
    Deploying,
    /// What runs is verified.
    Verifying,
    /// It runs and is verified.
    Succeeded,
    /// It did not work.
    Failed,
    /// Somebody did not want it.
    Rejected,
    /// Something newer took its place.
    Superseded,
    /// Somebody ended it.
    Aborted,
}

impl Phase {
    /// Whether it never changes any more.
    pub fn is_terminal(self) -> bool {
        self >= Self::Succeeded
    }

    /// Whether something newer may still take its place.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::Gating | Self::Proposed)
    }
}

/// Who wants a promotion. The greater goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody: it records what a person committed.
    Adopt,
    /// The stage.
    Auto,
    /// A person.
    #[default]
    Manual,
    /// The stage, after a failure.
    Rollback,
}

/// Why a promotion failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A gate said no.
    GateFailed,
    /// A gate took too long.
    GateTimeout,
    /// The stage's files have no marker for a component.
    NoMarkers,
    /// The markers cannot say what differs.
    NotExpressible,
    /// Somebody else writes the same values.
    ConflictingAutomation,
    /// The server does not take the commit.
    PushRejected,
    /// Nobody merged the pull request.
    PullRequestTimeout,
    /// What runs it failed.
    DeployFailed,
    /// What runs it took too long.
    DeployTimeout,
    /// A later commit changed what it wrote.
    Overwritten,
    /// A verification said no.
    VerifyFailed,
    /// A verification could not be found out.
    VerifyError,
    /// Something of the bundle can no longer be had.
    ArtifactGone,
}

impl Reason {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::GateFailed => "GateFailed",
            Self::GateTimeout => "GateTimeout",
            Self::NoMarkers => "NoMarkers",
            Self::NotExpressible => "NotExpressible",
            Self::ConflictingAutomation => "ConflictingAutomation",
            Self::PushRejected => "PushRejected",
            Self::PullRequestTimeout => "PullRequestTimeout",
            Self::DeployFailed => "DeployFailed",
            Self::DeployTimeout => "DeployTimeout",
            Self::Overwritten => "Overwritten",
            Self::VerifyFailed => "VerifyFailed",
            Self::VerifyError => "VerifyError",
            Self::ArtifactGone => "ArtifactGone",
        }
    }
}

/// A promotion as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Who wants it.
    pub kind: Kind,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Whether it ends after its plan.
    pub dry_run: bool,
    /// Names of gates that are skipped.
    pub skip: Vec<String>,
    /// Who asked for it.
    pub requester: Option<String>,
    /// How its gates stand.
    pub gates: Vec<Record>,
    /// How its verifications stand.
    pub verify: Vec<Record>,
    /// Whether a push to the branch may have been tried.
    pub intended: bool,
    /// Whether it is written by a pull request.
    pub request: Request,
    /// The commit that holds it.
    pub written: Option<String>,
    /// Since when what runs it is healthy.
    pub healthy_since: Option<Timestamp>,
}

/// What is known about the world.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// Whether it is its turn in the stage.
    pub turn: bool,
    /// Why the stage is gone, or about to be.
    pub stage_gone: Option<String>,
    /// Who ends it, and why.
    pub aborted: Option<String>,
    /// Who does not want it, and why.
    pub rejected: Option<String>,
    /// Name of the promotion that takes its place.
    pub superseded_by: Option<String>,
    /// Why there is no reason for it any more: a rollback of what the branch no longer holds.
    pub moot: Option<String>,
    /// The gates that every promotion has.
    pub implicit: Vec<Record>,
    /// Why something of the bundle can no longer be had.
    pub artifact_gone: Option<String>,
    /// The stage's gates.
    pub gates: &'a [Gate],
    /// The stage's verifications.
    pub verify: &'a [Gate],
    /// What expressions see.
    pub context: &'a Map<String, Json>,
    /// Who agrees.
    pub approvals: &'a [Approval],
    /// What was found out about gates in this turn.
    pub answers: &'a BTreeMap<String, Answer>,
    /// The plan: whether there is one at the branch's head, and why it cannot be.
    pub plan: Option<Result<(), (Reason, String)>>,
    /// Whether it was looked for its commit in this turn, and is not there.
    pub searched: bool,
    /// How its pull request was seen in this turn, unless what it proposes is on the branch.
    pub pull: Option<Pull>,
    /// Whether its pull request is merged without a person.
    pub merges: bool,
    /// How long its pull request may stay open.
    pub patience: Option<SignedDuration>,
    /// How what runs it was seen in this turn.
    pub deployed: Option<Deployed>,
    /// How long it may take until it runs.
    pub timeout: SignedDuration,
    /// How long it must stay healthy.
    pub bake: SignedDuration,
}

/// How what must run a commit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// All of it runs the commit and is, or was, healthy.
    Healthy,
    /// Something does not yet.
    Waiting(String),
    /// Something failed.
    Failed(String),
    /// A later commit changed what was written.
    Overwritten(String),
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Enter a phase.
    Enter {
        /// The phase.
        phase: Phase,
        /// Why, in one word.
        reason: &'static str,
        /// Why, for people.
        message: String,
    },
    /// Make a plan on the branch's head.
    Plan,
    /// Find out about gates.
    Ask(Vec<String>),
    /// Look for the commit: it may have been pushed.
    Search,
    /// Write: to the branch, or to one of its own with a pull request.
    Write,
    /// Look at the pull request and whether the branch holds what it proposes.
    Look,
    /// Merge the pull request.
    Merge,
    /// Close the pull request and say why.
    Close(String),
    /// See how what runs it stands.
    Observe,
    /// Wait.
    Wait {
        /// When it can change by itself.
        until: Option<Timestamp>,
        /// For what.
        blocked_by: String,
    },
    /// Nothing, ever.
    Done,
}

/// What is to be done, and what is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub action: Action,
    /// How the gates stand, if they were asked.
    pub gates: Option<Vec<Record>>,
    /// How the verifications stand, if they were asked.
    pub verify: Option<Vec<Record>>,
    /// Since when what runs it is healthy.
    pub healthy_since: Option<Timestamp>,
}

/// Decides what a promotion does next.
pub fn next(state: &State, facts: &Facts<'_>) -> Step {
    request::guarded(decide(state, facts), state, facts)
}

fn decide(state: &State, facts: &Facts<'_>) -> Step {
    let plain =
        |action| Step { action, gates: None, verify: None, healthy_since: state.healthy_since };
    if state.phase.is_terminal() {
        return plain(Action::Done);
    }
    if let Some(ending) = ending(state, facts) {
        // A push that was tried may have come through: then it is no longer to be ended unseen.
        let unseen = state.intended && state.written.is_none() && !facts.searched;
        return plain(if unseen { Action::Search } else { ending });
    }
    match state.phase {
        Phase::Pending if facts.turn => plain(enter(Phase::Gating, "Started", "its turn has come")),
        Phase::Pending => plain(wait(None, "stage: another promotion has its turn")),
        Phase::Gating => gating(state, facts),
        Phase::Writing => writing(state, facts),
        Phase::Proposed => request::proposed(state, facts),
        Phase::Deploying => plain(deploying(state, facts)),
        Phase::Verifying => verifying(state, facts),
        Phase::Succeeded | Phase::Failed | Phase::Rejected | Phase::Superseded | Phase::Aborted => {
            plain(Action::Done)
        }
    }
}

/// What ends it from outside.
fn ending(state: &State, facts: &Facts<'_>) -> Option<Action> {
    if let Some(why) = &facts.stage_gone {
        return Some(enter(Phase::Aborted, "StageGone", why));
    }
    if let Some(why) = &facts.aborted {
        return Some(enter(Phase::Aborted, "Aborted", why));
    }
    let unwritten = state.written.is_none();
    if let Some(why) = facts.rejected.as_ref().filter(|_| unwritten) {
        return Some(enter(Phase::Rejected, "Rejected", why));
    }
    if let Some(why) = facts.moot.as_ref().filter(|_| unwritten) {
        return Some(enter(Phase::Superseded, "Moot", why));
    }
    let by = facts.superseded_by.as_ref().filter(|_| state.phase.is_waiting() && unwritten)?;
    Some(enter(Phase::Superseded, "Superseded", &format!("superseded by {by}")))
}

fn gating(state: &State, facts: &Facts<'_>) -> Step {
    let plain = |action| Step { action, gates: None, verify: None, healthy_since: None };
    if state.intended && state.written.is_none() && !facts.searched {
        return plain(Action::Search);
    }
    if let Some(action) = request::found(state, facts) {
        return plain(action);
    }
    match &facts.plan {
        None => return plain(Action::Plan),
        Some(Err((reason, why))) => return plain(fail(*reason, why)),
        Some(Ok(())) => {}
    }
    if state.dry_run {
        return plain(enter(
            Phase::Succeeded,
            "DryRun",
            "the plan is made, and nothing was written",
        ));
    }
    let (gates, verdict) = ask(state, facts);
    let action = match verdict {
        Verdict::Passed => enter(Phase::Writing, "GatesPassed", "all gates pass"),
        other => undecided(other, facts),
    };
    Step { action, gates: Some(gates), verify: None, healthy_since: None }
}

fn writing(state: &State, facts: &Facts<'_>) -> Step {
    let plain = |action| Step { action, gates: None, verify: None, healthy_since: None };
    if let Some(action) = request::found(state, facts) {
        return plain(action);
    }
    if state.written.is_some() {
        return plain(enter(Phase::Deploying, "Committed", "the commit is on the branch"));
    }
    if state.intended && !facts.searched {
        return plain(Action::Search);
    }
    if !facts.turn {
        return plain(enter(Phase::Gating, "TurnLost", "it is no longer its turn"));
    }
    // Asked again in the step that writes: what was open may be shut.
    let (gates, verdict) = ask(state, facts);
    let action = match verdict {
        Verdict::Passed => Action::Write,
        Verdict::Wait { blocked_by, .. } => enter(Phase::Gating, "GateShut", &blocked_by),
        other => undecided(other, facts),
    };
    Step { action, gates: Some(gates), verify: None, healthy_since: None }
}

pub(crate) fn ask(state: &State, facts: &Facts<'_>) -> (Vec<Record>, Verdict) {
    // A rollback brings back what was good: what was asked then is not asked again.
    let gates = if state.kind == Kind::Rollback { &[] } else { facts.gates };
    gate::decide(facts.implicit.clone(), gates, &state.gates, &asking(state, facts))
}

fn asking<'a>(state: &'a State, facts: &'a Facts<'_>) -> Asking<'a> {
    Asking {
        now: facts.now,
        skip: &state.skip,
        context: facts.context,
        approvals: facts.approvals,
        requester: state.requester.as_deref(),
        answers: facts.answers,
    }
}

pub(crate) fn undecided(verdict: Verdict, facts: &Facts<'_>) -> Action {
    match verdict {
        Verdict::Passed => Action::Write,
        Verdict::Ask(names) => Action::Ask(names),
        Verdict::Wait { .. } if facts.artifact_gone.is_some() => {
            fail(Reason::ArtifactGone, facts.artifact_gone.as_deref().unwrap_or_default())
        }
        Verdict::Wait { until, blocked_by } => Action::Wait { until, blocked_by },
        Verdict::Failed { message, timeout: true, .. } => fail(Reason::GateTimeout, &message),
        Verdict::Failed { message, .. } => fail(Reason::GateFailed, &message),
    }
}

fn deploying(state: &State, facts: &Facts<'_>) -> Action {
    let deadline = state.since.saturating_add(facts.timeout).unwrap_or(Timestamp::MAX);
    match &facts.deployed {
        None => Action::Observe,
        Some(Deployed::Healthy) => {
            enter(Phase::Verifying, "Deployed", "everything runs the commit and is healthy")
        }
        Some(Deployed::Overwritten(why)) => fail(Reason::Overwritten, why),
        Some(Deployed::Failed(why)) => fail(Reason::DeployFailed, why),
        Some(Deployed::Waiting(why)) if deadline <= facts.now => {
            fail(Reason::DeployTimeout, &format!("not deployed within {:#}: {why}", facts.timeout))
        }
        Some(Deployed::Waiting(why)) => wait(Some(deadline), why),
    }
}

fn verifying(state: &State, facts: &Facts<'_>) -> Step {
    let healthy = state.healthy_since;
    let step = |action, healthy_since| Step { action, gates: None, verify: None, healthy_since };
    let late = facts.bake.saturating_add(facts.timeout);
    let deadline = state.since.saturating_add(late).unwrap_or(Timestamp::MAX);
    match &facts.deployed {
        None => return step(Action::Observe, healthy),
        Some(Deployed::Overwritten(why)) => return step(fail(Reason::Overwritten, why), healthy),
        Some(Deployed::Failed(why)) => {
            let why = format!("it did not stay healthy: {why}");
            return step(fail(Reason::VerifyFailed, &why), None);
        }
        Some(Deployed::Waiting(why)) if is_baking(state, facts) => {
            let action = if deadline <= facts.now {
                fail(Reason::VerifyFailed, &format!("it did not stay healthy: {why}"))
            } else {
                wait(Some(deadline), &format!("bake: {why}"))
            };
            return step(action, None);
        }
        // Once it is baked, what comes later changes only how the stage is.
        Some(Deployed::Healthy | Deployed::Waiting(_)) => {}
    }
    let since = healthy.unwrap_or(facts.now);
    let baked = since.saturating_add(facts.bake).unwrap_or(Timestamp::MAX);
    if baked > facts.now {
        return step(wait(Some(baked), &format!("bake: healthy until {baked}")), Some(since));
    }
    let gates = if state.kind == Kind::Rollback { &[] } else { facts.verify };
    let (records, verdict) = gate::decide(Vec::new(), gates, &state.verify, &asking(state, facts));
    let action = match verdict {
        Verdict::Passed => enter(Phase::Succeeded, "Succeeded", "deployed and verified"),
        Verdict::Ask(names) => Action::Ask(names),
        Verdict::Wait { until, blocked_by } => Action::Wait { until, blocked_by },
        Verdict::Failed { message, error: true, .. } => fail(Reason::VerifyError, &message),
        Verdict::Failed { message, .. } => fail(Reason::VerifyFailed, &message),
    };
    Step { action, gates: None, verify: Some(records), healthy_since: Some(since) }
}

/// Whether it must be healthy still: not once it was for long enough.
fn is_baking(state: &State, facts: &Facts<'_>) -> bool {
    let baked = |since: Timestamp| since.saturating_add(facts.bake).unwrap_or(Timestamp::MAX);
    let done = state.healthy_since.is_some_and(|since| baked(since) <= facts.now);
    facts.bake.is_positive() && !done
}

pub(crate) fn enter(phase: Phase, reason: &'static str, message: &str) -> Action {
    Action::Enter { phase, reason, message: message.to_owned() }
}

pub(crate) fn fail(reason: Reason, message: &str) -> Action {
    enter(Phase::Failed, reason.word(), message)
}

pub(crate) fn wait(until: Option<Timestamp>, blocked_by: &str) -> Action {
    Action::Wait { until, blocked_by: blocked_by.to_owned() }
}
