//! How a run of a release ends, and what it leaves in the status.

use api::duration::Go;
use api::helm::ReleaseAction;
use api::reason;
use apply::Entry;
use controller::{Event, Next, Reference};
use jiff::Timestamp;

use super::action::Work;
use super::outcome;
use super::run::{End, Run, running};
use super::snapshot::full_name;
use super::spec::{self, Deed};
use super::{annotation, state};

/// How the release stands could not be found out.
pub(super) fn undetermined(run: &mut Run<'_>, why: &str) -> End {
    let message = format!("Could not determine release state: {why}");
    run.not_ready(reason::STATE_ERROR, &message);
    End::Retry
}

/// There is nothing to do.
pub(super) fn done_with(run: &mut Run<'_>) -> End {
    run.remove(api::meta::RECONCILING);
    run.summarize();
    if run.is_ready() {
        let given = |digest: String| Some(digest).filter(|digest| !digest.is_empty());
        let it = run.it;
        run.status.observed_post_renderers_digest = given(state::post_renderers_digest(it));
        run.status.observed_common_metadata_digest = given(state::common_metadata_digest(it));
    }
    End::Done
}

/// It failed as often as it may.
pub(super) fn exhausted(run: &mut Run<'_>) -> End {
    let action = match run.status.last_attempted_release_action {
        Some(ReleaseAction::Install) => "install",
        Some(ReleaseAction::Upgrade) => "upgrade",
        None => "",
    };
    let message = format!("Failed to {action} after {} attempt(s)", outcome::failures(run));
    run.stalled(reason::RETRIES_EXCEEDED, &message);
    End::Stalled
}

/// The next action is of a kind that this run has taken already.
pub(super) fn stopped(run: &mut Run<'_>) -> End {
    let last = run.status.last_attempted_release_action;
    if let Some(interval) = spec::retry_interval(run.it, last) {
        return retried(run, interval);
    }
    if is_exhausted(run) {
        run.remove(api::meta::RECONCILING);
        return End::Done;
    }
    let message = run.ready_message();
    run.reconciling(reason::PROGRESSING_WITH_RETRY, &message);
    End::Retry
}

pub(super) fn retried(run: &mut Run<'_>, interval: std::time::Duration) -> End {
    let message = format!("retrying after {}", Go(interval));
    run.reconciling(reason::PROGRESSING_WITH_RETRY, &message);
    End::After(interval)
}

pub(super) fn is_exhausted(run: &Run<'_>) -> bool {
    let Some(action) = run.status.last_attempted_release_action else { return false };
    let retries = spec::retries(run.it, action);
    retries >= 0 && outcome::failures(run) > retries
}

/// A remediation ends a run.
pub(super) fn remediated(run: &mut Run<'_>) -> End {
    let last = run.status.last_attempted_release_action;
    if let Some(interval) = spec::retry_interval(run.it, last) {
        return retried(run, interval);
    }
    if is_exhausted(run) {
        return exhausted(run);
    }
    let message = run.ready_message();
    run.reconciling(reason::PROGRESSING_WITH_RETRY, &message);
    End::Retry
}

/// What people call an action.
fn name_of(deed: Deed) -> &'static str {
    match deed {
        Deed::Install => "install",
        Deed::Upgrade => "upgrade",
        Deed::Test => "test",
        Deed::RollBack => "rollback",
        Deed::Uninstall => "uninstall",
    }
}

/// What is shown while an action waits.
pub(super) fn shown(run: &mut Run<'_>, work: &Work) {
    let message = running(name_of(work.deed), spec::timeout_of(run.it, work.deed));
    run.reconciling(reason::PROGRESSING, &message);
    if matches!(work.deed, Deed::Install | Deed::Upgrade) {
        run.in_progress(&message);
    }
}

/// Parks the run until something of what is waited for changes.
pub(super) fn parked(entries: &[Entry], deadline: Timestamp) -> End {
    let reference = |entry: &Entry| {
        let id = &entry.id;
        Reference::named(&id.group, &id.kind, id.namespace.clone(), id.name.clone())
    };
    let wake_on = entries.iter().map(reference).collect();
    End::Parked(Next::Park { wake_on, deadline: Some(deadline) })
}

/// An action was given up for something newer.
pub(super) fn abandoned(run: &mut Run<'_>, work: &Work) {
    for observed in work.observed.values() {
        let history = run.history();
        let known = history.iter_mut().find(|it| {
            (&it.name, &it.namespace, it.version)
                == (&observed.name, &observed.namespace, observed.version)
        });
        match known {
            Some(known) => known.clone_from(observed),
            None => history.insert(0, observed.clone()),
        }
    }
}

/// Somebody else has changed the release while an action was on its way.
pub(super) fn overtaken(run: &mut Run<'_>, work: &Work, why: &str) -> End {
    abandoned(run, work);
    let (name, namespace) = (&work.name, spec::release_namespace(run.it));
    let message = format!(
        "Helm {} for release {namespace}/{name} was given up, somebody else has changed the release \
         meanwhile: {why}",
        name_of(work.deed)
    );
    run.not_ready("ReleaseChanged", &message);
    run.reconciling(reason::PROGRESSING_WITH_RETRY, &message);
    run.tell(Event::error("ReleaseChanged", message));
    End::Retry
}

pub(super) fn run_error(why: &str) -> End {
    tracing::error!("{why}");
    End::Retry
}

/// It has another place now, and may not be uninstalled where it is.
pub(super) fn kept(run: &mut Run<'_>, part: &str) -> End {
    let name = run.latest().map(full_name).unwrap_or_default();
    let message = format!(
        "the {part} is no longer that of the release {name}, which would be uninstalled first: put \
         it back, or remove the annotation {}",
        annotation::KEEP
    );
    run.not_ready("ReleaseMoved", &message);
    run.stalled("ReleaseMoved", &message);
    run.tell(Event::error("ReleaseMoved", message));
    End::Stalled
}
