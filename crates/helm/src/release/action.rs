//! What to do next with a release: helm-controller's state machine as a function.

/// What the storage and the history say of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Absent,
    /// Something was going on when a process ended.
    Locked,
    /// It is there, but not as it was left: somebody else changed it.
    Unmanaged,
    /// Chart, values or the way to render them are not what the spec asks for.
    OutOfSync,
    /// The cluster is not what was installed.
    Drifted,
    /// Its tests have not run.
    Untested,
    /// The last attempt, or its tests, failed.
    Failed,
    /// All is well.
    InSync,
}

/// What was attempted last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// An installation.
    Install,
    /// An upgrade.
    Upgrade,
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Take it back, and try again a number of times.
    Remediate {
        /// How often to try again; negative for ever.
        retries: i64,
        /// Take back the last failure, too.
        remediate_last: bool,
        /// Take back by uninstalling, not by rolling back (an installation always is uninstalled).
        uninstall: bool,
    },
    /// Try again, after a while, without taking anything back.
    Retry,
}

/// What the spec asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// For installations.
    pub install: Strategy,
    /// For upgrades.
    pub upgrade: Strategy,
    /// Drift is corrected, not only told.
    pub correct_drift: bool,
    /// An annotation asks for an attempt, whatever the state.
    pub forced: bool,
}

/// What is known of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failed {
    /// What was attempted last, if anything.
    pub last: Option<Attempt>,
    /// How many installations failed since the spec changed.
    pub installs: i64,
    /// How many upgrades failed since the spec changed.
    pub upgrades: i64,
    /// Whether there is a good revision to go back to.
    pub has_previous: bool,
    /// Whether that revision is still as it was recorded.
    pub previous_is_intact: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Install it.
    Install,
    /// Upgrade it.
    Upgrade,
    /// Forget the history, and upgrade.
    AdoptAndUpgrade,
    /// Mark the interrupted revision as failed, and look again.
    Unlock,
    /// Run its tests.
    Test,
    /// Bring the cluster back to what was installed.
    CorrectDrift,
    /// Tell of the drift, and be done.
    ReportDrift,
    /// Take back an upgrade.
    RollBack,
    /// Take back by uninstalling.
    UninstallRemediation,
    /// Nothing: all is well.
    Done,
    /// Give up: too many failures.
    RetriesExceeded,
    /// Give up: there is nothing to go back to.
    MissingRollbackTarget,
}

/// The next action for a release in `state`. One action a turn; the state is looked at again after
/// each.
pub fn next_action(state: State, policy: &Policy, failed: &Failed) -> Action {
    match state {
        State::Absent => match policy.install {
            install if policy.forced || !is_exhausted(install, failed.installs) => Action::Install,
            _ => Action::RetriesExceeded,
        },
        State::Locked => Action::Unlock,
        State::Unmanaged => Action::AdoptAndUpgrade,
        State::OutOfSync if is_exhausted(policy.upgrade, failed.upgrades) && !policy.forced => {
            Action::RetriesExceeded
        }
        State::OutOfSync => Action::Upgrade,
        State::Drifted if policy.correct_drift => Action::CorrectDrift,
        State::Drifted => Action::ReportDrift,
        State::Untested => Action::Test,
        State::InSync if policy.forced => Action::Upgrade,
        State::InSync => Action::Done,
        State::Failed => after_failure(policy, failed),
    }
}

/// Whether no attempt is left.
fn is_exhausted(strategy: Strategy, failures: i64) -> bool {
    match strategy {
        Strategy::Remediate { retries, .. } => retries >= 0 && failures > retries,
        Strategy::Retry => false,
    }
}

fn after_failure(policy: &Policy, failed: &Failed) -> Action {
    let Some(last) = failed.last else { return Action::Upgrade };
    let (strategy, failures) = match last {
        Attempt::Install => (policy.install, failed.installs),
        Attempt::Upgrade => (policy.upgrade, failed.upgrades),
    };
    let Strategy::Remediate { remediate_last, uninstall, .. } = strategy else {
        return Action::Upgrade;
    };
    if failures <= 0 || policy.forced {
        return Action::Upgrade;
    }
    if is_exhausted(strategy, failures) && !remediate_last {
        return Action::RetriesExceeded;
    }
    if last == Attempt::Install || uninstall {
        return Action::UninstallRemediation;
    }
    match (failed.has_previous, failed.previous_is_intact) {
        (false, _) => Action::MissingRollbackTarget,
        (true, false) => Action::Upgrade,
        (true, true) => Action::RollBack,
    }
}
