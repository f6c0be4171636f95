//! Drift: told, and brought back.

use api::helm::DriftDetectionMode;
use api::reason;
use controller::Event;
use helm::release::{Record, State};

use super::action::Bench;
use super::drift::{self, Drift};
use super::run::{Run, running};
use super::snapshot::full_name;
use super::spec;

/// Whether what was released is still so; what is not is told.
pub(super) async fn drifted(
    run: &mut Run<'_>,
    bench: &Bench<'_>,
    (state, record): (State, Option<&Record>),
) -> Result<(State, Option<Drift>), String> {
    let looks = spec::drift_mode(run.it) != DriftDetectionMode::Disabled;
    let (State::InSync, Some(record), true) = (state, record, looks) else {
        return Ok((state, None));
    };
    let (drift, errors) = drift::detect(bench.cluster(), run.it, record).await?;
    if !drift.is_some() {
        let Some(first) = errors.first() else { return Ok((state, None)) };
        let all =
            if errors.len() == 1 { first.clone() } else { format!("[{}]", errors.join(", ")) };
        return Err(format!("unable to determine cluster state: {all}"));
    }
    for why in errors {
        tracing::error!("diff of release against cluster state completed with error: {why}");
    }
    let name = run.latest().map(full_name).unwrap_or_default();
    let summary = drift.summary();
    let what = "has drifted from the desired state";
    let message = format!("Cluster state of release {name} {what}:\n{summary}");
    run.tell(Event::error(reason::DRIFT_DETECTED, message));
    Ok((State::Drifted, Some(drift)))
}

/// Brings back what differs.
pub(super) async fn corrected(run: &mut Run<'_>, bench: &Bench<'_>, drift: Drift) {
    let message = running("correct cluster drift", spec::timeout(run.it));
    run.reconciling(reason::PROGRESSING, &message);
    run.in_progress("correcting cluster drift");
    let done = drift::correct(bench.cluster(), drift).await;
    let Some(current) = run.latest().cloned() else { return };
    let (name, changes) = (full_name(&current), done.changes.join("\n"));
    if !done.errors.is_empty() {
        let partially = if done.changes.is_empty() { "" } else { "partially " };
        let mut message = format!(
            "Failed to {partially}correct cluster state of release {name}:\n{}",
            done.errors.join("\n")
        );
        if !done.changes.is_empty() {
            message = format!("{message}\n\nSuccessful corrections:\n{changes}");
        }
        run.tell_of(&current, Event::error(reason::DRIFT_CORRECTION_FAILED, message));
    } else if !done.changes.is_empty() {
        let message = format!("Cluster state of release {name} has been corrected:\n{changes}");
        run.tell_of(&current, Event::info(reason::DRIFT_CORRECTED, message));
    }
}
