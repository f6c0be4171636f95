//! What is told: conditions, inventory, events.

use std::time::Duration;

use api::{
    meta::{READY, RECONCILING, Status as _},
    reason,
    source_extensions::{ArtifactGenerator, ArtifactGeneratorStatus},
};
use controller::{Claim, Conditions, Event, Next, Report, Stop, Telling, Turn, Verdict};

use super::{ArtifactGeneratorReconciler, act::Outcome};

/// The reason of all good events.
pub(super) const EVENT: &str = READY;
pub(super) const IN_PROGRESS: &str = "Reconciliation in progress";
/// How often a generator runs without a cause.
const EVERY: Duration = Duration::from_hours(1);

type Told = Report<ArtifactGeneratorReconciler>;

/// Whether the generator has never run.
pub(super) fn is_new(it: &ArtifactGenerator) -> bool {
    condition(it, READY).is_none()
}

/// A run that ends before it has begun anything says of progress what was said before.
pub(super) fn keep_progress(it: &ArtifactGenerator, turn: &mut Turn) {
    if is_new(it) || condition(it, RECONCILING).is_some() {
        turn.note(IN_PROGRESS);
    } else {
        turn.withdraw_progress();
    }
}

/// The artifacts are what they should be.
pub(super) fn up_to_date(it: &ArtifactGenerator) -> Told {
    let status = it.status.clone().unwrap_or_default();
    let count = status.inventory.as_ref().map_or(0, Vec::len);
    let message = condition(it, READY).map(|it| it.message.clone()).unwrap_or_default();
    let next = Next::Again { after: EVERY };
    let verdict = Verdict::Ready { reason: reason::SUCCEEDED, message, next };
    let message = format!("No drift detected, {count} artifact(s) up to date");
    let telling = Telling::Instead(Event::trace(EVENT, message));
    Report { telling, ..Report::new(status, verdict) }
}

/// All artifacts were made.
pub(super) fn generated(it: &ArtifactGenerator, outcome: Outcome, digest: String) -> Told {
    let mut status = it.status.clone().unwrap_or_default();
    let count = outcome.inventory.len();
    status.inventory = Some(outcome.inventory);
    status.observed_sources_digest = Some(digest);
    let message = format!("reconciliation succeeded, generated {count} artifact(s)");
    let telling = Telling::Instead(Event::info(EVENT, message.clone()));
    let next = Next::Interval { every: EVERY };
    let verdict = Verdict::Ready { reason: reason::SUCCEEDED, message, next };
    Report { telling, events: outcome.events, ..Report::new(status, verdict) }
}

/// Some artifacts may have been made before one failed. The inventory stays as it was, as upstream has
/// it; what was made is found by its label.
pub(super) fn failed(it: &ArtifactGenerator, outcome: Outcome, why: Stop) -> Result<Told, Stop> {
    let status = it.status.clone().unwrap_or_default();
    let verdict = why.verdict().ok_or(Stop::Superseded)?;
    Ok(Report { events: outcome.events, ..Report::new(status, verdict) })
}

/// The annotation that pauses is set.
pub(super) fn disabled(it: &ArtifactGenerator, conditions: &mut Conditions) -> Event {
    let reason = reason::RECONCILIATION_DISABLED;
    if is_new(it) {
        let message = "Initialized with reconciliation suspended";
        conditions.set(Claim { kind: READY, status: "True", reason, message });
    }
    Event::error(reason, "Reconciliation is disabled")
}

fn condition<'a>(it: &'a ArtifactGenerator, kind: &str) -> Option<&'a api::meta::Condition> {
    it.status.as_ref().and_then(|status: &ArtifactGeneratorStatus| status.condition(kind))
}
