//! What an action that has ended makes of the status, and what is told of it.

use api::duration::Go;
use api::helm::{ReleaseAction, Snapshot};
use api::reason;
use controller::{Claim, Event};
use helm::chart::Chart;
use helm::release::{Algorithm, Record};
use jiff::Timestamp;

use super::action::Work;
use super::run::{About, RELEASED, REMEDIATED, Run, TEST_SUCCESS};
use super::snapshot::{self, chart, full_name};
use super::spec::{self, Deed};

/// The chart and the values of an attempt, for what is told of its failure.
pub(super) struct Attempted<'a> {
    pub(super) chart: &'a Chart,
    pub(super) values: &'a str,
}

/// How a run goes on after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// How the release stands is found out anew.
    Look,
    /// Nothing was recorded: it is tried again.
    Retry,
}

/// An installation or upgrade begins: what was said of the one before no longer holds.
pub(super) fn begin_release(run: &mut Run<'_>, action: ReleaseAction) {
    run.status.last_attempted_release_action = Some(action);
    if action == ReleaseAction::Install {
        run.history().clear();
    }
    run.remove(TEST_SUCCESS);
    run.remove(REMEDIATED);
}

/// An installation or upgrade has ended.
pub(super) fn released(
    run: &mut Run<'_>,
    work: &Work,
    result: Result<(), String>,
    (attempted, now): (&Attempted<'_>, Timestamp),
) -> After {
    let action = match work.deed {
        Deed::Install => ReleaseAction::Install,
        _ => ReleaseAction::Upgrade,
    };
    let took = now.duration_since(work.started).try_into().unwrap_or_default();
    run.status.last_attempted_release_action_duration = Some(Go(took).to_string());
    record(run, work);
    let after = match result {
        Ok(()) => {
            succeeded(run, action);
            After::Look
        }
        Err(why) => {
            failed(run, work, (action, &why), attempted);
            if work.is_recorded() {
                count(run, action);
                After::Look
            } else {
                After::Retry
            }
        }
    };
    run.summarize();
    after
}

/// Puts what an installation or upgrade recorded into the history.
fn record(run: &mut Run<'_>, work: &Work) {
    let mut observed = work.observed.values().rev();
    let Some(newest) = observed.next() else { return };
    let newest = newest.clone();
    let older: Vec<Snapshot> = observed.cloned().collect();
    let history = run.history();
    history.insert(0, newest);
    for mut older in older {
        let known = history.iter_mut().skip(1).find(|it| {
            (&it.name, &it.namespace, it.version) == (&older.name, &older.namespace, older.version)
        });
        let Some(known) = known else { continue };
        older.test_hooks.clone_from(&known.test_hooks);
        *known = older;
    }
}

fn succeeded(run: &mut Run<'_>, action: ReleaseAction) {
    let (reason, verb) = match action {
        ReleaseAction::Install => (reason::INSTALL_SUCCEEDED, "install"),
        ReleaseAction::Upgrade => (reason::UPGRADE_SUCCEEDED, "upgrade"),
    };
    let Some(current) = run.latest().cloned() else { return };
    let (name, chart) = (full_name(&current), chart(&current));
    let message = format!("Helm {verb} succeeded for release {name} with chart {chart}");
    run.set(Claim { kind: RELEASED, status: "True", reason, message: &message });
    if spec::tests(run.it) && current.test_hooks.is_none() {
        let message = format!("Helm release {name} with chart {chart} is awaiting tests");
        let reason = reason::AWAITING_TESTS;
        run.set(Claim { kind: TEST_SUCCESS, status: "Unknown", reason, message: &message });
    }
    if spec::retry_interval(run.it, Some(action)).is_some() {
        run.clear_failures();
    }
    run.tell_of(&current, Event::info(reason, message));
}

fn failed(
    run: &mut Run<'_>,
    work: &Work,
    (action, why): (ReleaseAction, &str),
    attempted: &Attempted<'_>,
) {
    let (reason, verb) = match action {
        ReleaseAction::Install => (reason::INSTALL_FAILED, "install"),
        ReleaseAction::Upgrade => (reason::UPGRADE_FAILED, "upgrade"),
    };
    let metadata = &attempted.chart.metadata;
    let message = format!(
        "Helm {verb} failed for release {}/{} with chart {}@{}: {}",
        spec::release_namespace(run.it),
        spec::release_name(run.it),
        metadata.name,
        metadata.version,
        why.trim()
    );
    fail(run);
    run.set(Claim { kind: RELEASED, status: "False", reason, message: &message });
    let digest = run.status.last_attempted_revision_digest.clone().unwrap_or_default();
    let about = About {
        chart_version: &metadata.version,
        config_digest: attempted.values,
        app_version: &metadata.app_version,
        oci_digest: &digest,
    };
    let mut event = Event::error(reason, work.log.below(&message));
    event.metadata = about.metadata();
    run.tell(event);
}

/// Counts a failure.
fn fail(run: &mut Run<'_>) {
    run.status.failures = Some(run.status.failures.unwrap_or_default() + 1);
}

/// Counts a failed attempt, by which it is known how often to try again.
fn count(run: &mut Run<'_>, action: ReleaseAction) {
    let counter = match action {
        ReleaseAction::Install => &mut run.status.install_failures,
        ReleaseAction::Upgrade => &mut run.status.upgrade_failures,
    };
    *counter = Some(counter.unwrap_or_default() + 1);
}

/// How often the last attempt failed.
pub(super) fn failures(run: &Run<'_>) -> i64 {
    let status = &run.status;
    let counted = match status.last_attempted_release_action {
        Some(ReleaseAction::Install) => status.install_failures,
        Some(ReleaseAction::Upgrade) => status.upgrade_failures,
        None => None,
    };
    counted.unwrap_or_default()
}

/// A remediation, by rolling back or uninstalling, has ended.
pub(super) fn remediated(run: &mut Run<'_>, work: &Work, result: Result<(), String>) -> After {
    let before = run.latest().cloned();
    let previous = run.history().iter().find(|it| it.version == work.target).cloned();
    adopt(run, work);
    let changed =
        run.latest().map(|it| it.digest.clone()) != before.as_ref().map(|it| it.digest.clone());
    let about = match work.deed {
        Deed::RollBack => previous,
        _ => run.latest().cloned(),
    };
    let Some(about) = about else { return After::Retry };
    let (name, chart) = (full_name(&about), chart(&about));
    let (what, reasons) = match work.deed {
        Deed::RollBack => (
            format!("Helm rollback to previous release {name} with chart {chart}"),
            (reason::ROLLBACK_SUCCEEDED, reason::ROLLBACK_FAILED),
        ),
        _ => (
            format!("Helm uninstall remediation for release {name} with chart {chart}"),
            (reason::UNINSTALL_SUCCEEDED, reason::UNINSTALL_FAILED),
        ),
    };
    let result = match result {
        Ok(()) if !changed && work.deed == Deed::Uninstall => {
            Err("uninstall completed with error: release not updated in Helm storage".to_owned())
        }
        result => result,
    };
    // Upstream sums up after a rollback only: an uninstallation leaves Ready as it was.
    let sums_up = work.deed == Deed::RollBack;
    match result {
        Ok(()) => {
            let message = format!("{what} succeeded");
            let reason = reasons.0;
            run.set(Claim { kind: REMEDIATED, status: "True", reason, message: &message });
            run.tell_of(&about, Event::info(reason, message));
        }
        Err(why) => {
            let message = format!("{what} failed: {}", why.trim());
            fail(run);
            let reason = reasons.1;
            run.set(Claim { kind: REMEDIATED, status: "False", reason, message: &message });
            run.tell_of(&about, Event::error(reason, work.log.below(&message)));
            if !changed {
                if sums_up {
                    run.summarize();
                }
                return After::Retry;
            }
        }
    }
    if sums_up {
        run.summarize();
    }
    After::Look
}

/// Takes over revisions as they were recorded: known ones change, a new one comes to the front.
fn adopt(run: &mut Run<'_>, work: &Work) {
    for observed in work.observed.values() {
        let history = run.history();
        let known = history.iter_mut().find(|it| {
            (&it.name, &it.namespace, it.version)
                == (&observed.name, &observed.namespace, observed.version)
        });
        match known {
            Some(known) => {
                let tests = known.test_hooks.take();
                *known = Snapshot { test_hooks: tests, ..observed.clone() };
            }
            None if work.deed == Deed::RollBack => history.insert(0, observed.clone()),
            None => {}
        }
    }
}

/// Tests have ended.
pub(super) fn tested(
    run: &mut Run<'_>,
    record: Option<&Record>,
    result: Result<(), String>,
) -> After {
    let current = run.latest().cloned();
    if let (Some(record), Some(current)) = (record, &current)
        && snapshot::is_of(current, record)
    {
        let mut tested = snapshot::renewed(current, record);
        tested.test_hooks = Some(snapshot::tests_of(record));
        run.history()[0] = tested;
    }
    let Some(current) = run.latest().cloned() else { return After::Retry };
    let (name, chart) = (full_name(&current), chart(&current));
    let after = match result {
        Ok(()) => {
            let told = match current.test_hooks.as_ref().map_or(0, std::collections::BTreeMap::len)
            {
                0 => "no test hooks".to_owned(),
                1 => "1 test hook completed successfully".to_owned(),
                count => format!("{count} test hooks completed successfully"),
            };
            let message =
                format!("Helm test succeeded for release {name} with chart {chart}: {told}");
            let reason = reason::TEST_SUCCEEDED;
            run.set(Claim { kind: TEST_SUCCESS, status: "True", reason, message: &message });
            run.tell_of(&current, Event::info(reason, message));
            After::Look
        }
        Err(why) => {
            let why = why.trim();
            let message = format!("Helm test failed for release {name} with chart {chart}: {why}");
            let reason = reason::TEST_FAILED;
            fail(run);
            run.set(Claim { kind: TEST_SUCCESS, status: "False", reason, message: &message });
            run.tell_of(&current, Event::error(reason, message));
            let last = run.status.last_attempted_release_action;
            if current.test_hooks.is_none() {
                After::Retry
            } else {
                if let Some(action) = last
                    && spec::ignores_tests_after(run.it, Some(action)) == Some(false)
                {
                    count(run, action);
                }
                After::Look
            }
        }
    };
    run.summarize();
    after
}

/// The release was locked by an action that did not come to its end.
pub(super) fn unlocked(
    run: &mut Run<'_>,
    record: &Record,
    (was, result): (String, Result<(), String>),
) -> After {
    let history = run.history();
    let known = history.iter_mut().find(|it| snapshot::is_of(it, record));
    let current = match &known {
        Some(known) => snapshot::renewed(known, record),
        None => snapshot::of(record, None, Algorithm::default()),
    };
    let (name, chart) = (full_name(&current), chart(&current));
    let (message, event, after): (_, fn(&'static str, String) -> Event, _) = match result {
        Ok(()) => {
            if let Some(known) = known {
                *known = current.clone();
            }
            let message = format!("Unlocked Helm release {name} with chart {chart} in {was} state");
            (message, |reason, text| Event::info(reason, text), After::Look)
        }
        Err(why) => {
            fail(run);
            let what = format!("Unlock of Helm release {name} with chart {chart} in {was} state");
            let message = format!("{what} failed: {}", why.trim());
            (message, |reason, text| Event::error(reason, text), After::Retry)
        }
    };
    let reason = reason::PENDING_RELEASE;
    run.set(Claim { kind: RELEASED, status: "False", reason, message: &message });
    run.tell_of(&current, event(reason, message));
    run.summarize();
    after
}

/// The release was uninstalled for good: its object goes, or it moves to another place.
///
/// # Errors
/// It is not; why is in the status.
pub(super) fn uninstalled(
    run: &mut Run<'_>,
    work: &Work,
    result: Result<(), String>,
) -> Result<(), String> {
    let before = run.latest().cloned();
    adopt(run, work);
    let Some(current) = run.latest().cloned() else { return Ok(()) };
    let (name, chart) = (full_name(&current), chart(&current));
    let succeeded = reason::UNINSTALL_SUCCEEDED;
    let quiet = match &result {
        Err(why) if why.contains(super::action::NOT_FOUND) => {
            Some(format!("Release {name} was not found, assuming it is uninstalled"))
        }
        Err(why) if why.contains(super::action::ALREADY) => {
            Some(format!("Release {name} was already uninstalled"))
        }
        _ => None,
    };
    if let Some(message) = quiet {
        run.set(Claim { kind: RELEASED, status: "False", reason: succeeded, message: &message });
        run.summarize();
        return Ok(());
    }
    let unchanged = before.is_some_and(|it| it.digest == current.digest);
    let result = match result {
        Ok(()) if unchanged && current.status != "uninstalled" => {
            Err("uninstall completed with error: release not updated in Helm storage".to_owned())
        }
        result => result,
    };
    let (message, reason) = match &result {
        Ok(()) => {
            (format!("Helm uninstall succeeded for release {name} with chart {chart}"), succeeded)
        }
        Err(why) => {
            fail(run);
            let why = why.trim();
            let message =
                format!("Helm uninstall failed for release {name} with chart {chart}: {why}");
            (message, reason::UNINSTALL_FAILED)
        }
    };
    run.set(Claim { kind: RELEASED, status: "False", reason, message: &message });
    let event = match &result {
        Ok(()) => Event::info(reason, message),
        Err(_) => Event::error(reason, work.log.below(&message)),
    };
    run.tell_of(&current, event);
    run.summarize();
    result
}
