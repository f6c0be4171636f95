//! A promotion that is written by a pull request: what comes next.
//!
//! What is merged is found by looking, never by remembering: before a promotion ends, it is looked
//! whether its pull request is merged, and one that is open is closed.

use jiff::Timestamp;

use crate::{
    gate::Verdict,
    promotion::{Action, Facts, Phase, Reason, State, Step, ask, enter, fail, undecided, wait},
};

/// Whether a promotion is written by a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Request {
    /// It is pushed to the branch.
    #[default]
    No,
    /// It is to be proposed.
    Wanted,
    /// Its own branch may have been pushed, and its pull request may be open.
    Made,
}

/// How a pull request was seen in this turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// There is none, or none any more.
    Absent,
    /// It can be merged.
    Open {
        /// Why it is not as it was left: somebody else committed to its branch.
        foreign: Option<String>,
        /// Whether it was made of something else than what the branch to merge into holds now.
        outdated: bool,
    },
    /// It was closed without being merged.
    Closed,
    /// It cannot be looked at any more, for this reason.
    Lost(String),
}

/// Keeps a promotion from ending while its pull request may be merged.
pub(crate) fn guarded(step: Step, state: &State, facts: &Facts<'_>) -> Step {
    let Action::Enter { phase, message, .. } = &step.action else { return step };
    if !phase.is_terminal() || state.request != Request::Made || state.written.is_some() {
        return step;
    }
    let action = match &facts.pull {
        None => Action::Look,
        Some(Pull::Open { .. }) => Action::Close(message.clone()),
        Some(Pull::Absent | Pull::Closed | Pull::Lost(_)) => return step,
    };
    Step { action, ..step }
}

/// What is done first with a promotion that may have a pull request: it may be merged or closed.
pub(crate) fn found(state: &State, facts: &Facts<'_>) -> Option<Action> {
    if state.request != Request::Made {
        return None;
    }
    if state.written.is_some() {
        return Some(enter(Phase::Deploying, "Merged", "the branch holds what was proposed"));
    }
    match &facts.pull {
        None => Some(Action::Look),
        Some(Pull::Closed) => {
            let text = "the pull request was closed without being merged";
            Some(enter(Phase::Rejected, "PullRequestClosed", text))
        }
        Some(Pull::Lost(why)) => Some(wait(None, &format!("pull request: {why}"))),
        Some(Pull::Absent | Pull::Open { .. }) => None,
    }
}

/// What is done with a pull request that may be open.
pub(crate) fn proposed(state: &State, facts: &Facts<'_>) -> Step {
    let plain =
        |action| Step { action, gates: None, verify: None, healthy_since: state.healthy_since };
    let after = |patience| state.since.saturating_add(patience).unwrap_or(Timestamp::MAX);
    let deadline = facts.patience.map(after);
    let looked = facts.pull.is_some() && state.written.is_none();
    if looked && deadline.is_some_and(|at| at <= facts.now) {
        let text = format!("not merged within {:#}", facts.patience.unwrap_or_default());
        return plain(fail(Reason::PullRequestTimeout, &text));
    }
    if let Some(action) = found(state, facts) {
        return plain(action);
    }
    match &facts.pull {
        Some(Pull::Open { foreign: Some(why), .. }) => {
            plain(wait(deadline, &format!("pull request: {why}")))
        }
        Some(Pull::Open { .. }) if !facts.turn => {
            plain(wait(deadline, "stage: another promotion has its turn"))
        }
        Some(Pull::Open { outdated: true, .. }) => plain(Action::Write),
        Some(Pull::Open { .. }) => open(state, facts, deadline),
        None | Some(Pull::Absent | Pull::Closed | Pull::Lost(_)) => {
            plain(enter(Phase::Gating, "PullRequestGone", "there is no pull request"))
        }
    }
}

/// Asks the gates once more in the step that merges.
fn open(state: &State, facts: &Facts<'_>, deadline: Option<Timestamp>) -> Step {
    let (gates, verdict) = ask(state, facts);
    let action = match verdict {
        Verdict::Passed if facts.merges => Action::Merge,
        Verdict::Passed => wait(deadline, "pull request: waits for somebody to merge it"),
        Verdict::Wait { until, blocked_by } => {
            wait(until.into_iter().chain(deadline).min(), &blocked_by)
        }
        other => undecided(other, facts),
    };
    Step { action, gates: Some(gates), verify: None, healthy_since: None }
}
