//! One run of a HelmRelease: what it found out so far, what it tells, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use api::duration::Go;
use api::helm::{HelmRelease, HelmReleaseStatus, Snapshot};
use api::meta::{Condition, READY, RECONCILING, STALLED, Status as _};
use api::reason;
use controller::{Claim, Conditions, Event, Next, Report, Telling, Turn, Verdict};

use super::{GROUP, HelmReleaseReconciler, snapshot, spec};

/// Condition: whether the release was made.
pub(super) const RELEASED: &str = "Released";
/// Condition: whether a failure was taken back.
pub(super) const REMEDIATED: &str = "Remediated";
/// Condition: whether its tests passed.
pub(super) const TEST_SUCCESS: &str = "TestSuccess";

/// What a run has so far.
pub(super) struct Run<'a> {
    pub(super) it: &'a HelmRelease,
    pub(super) status: HelmReleaseStatus,
    conditions: Conditions,
    events: Vec<Event>,
}

/// How a run ends.
#[derive(Debug)]
pub(super) enum End {
    /// All is as it should be.
    Done,
    /// It goes on after some time.
    After(Duration),
    /// It did not work, and is tried again with growing delay.
    Retry,
    /// The user must act.
    Stalled,
    /// Something is on its way.
    Parked(Next),
    /// The object changed, or the process ends.
    Superseded,
}

impl<'a> Run<'a> {
    pub(super) fn begin(it: &'a HelmRelease, turn: &Turn) -> Self {
        let status = it.status.clone().unwrap_or_default();
        let conditions = turn.conditions_of(&status);
        Self { it, status, conditions, events: Vec::new() }
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.get(kind)
    }

    pub(super) fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|it| it.status == "True")
    }

    pub(super) fn set(&mut self, claim: Claim<'_>) {
        self.conditions.set(claim);
    }

    pub(super) fn remove(&mut self, kind: &str) {
        self.conditions.remove(kind);
    }

    /// Something is going on.
    pub(super) fn reconciling(&mut self, reason: &'static str, message: &str) {
        self.conditions.remove(STALLED);
        self.set(Claim { kind: RECONCILING, status: "True", reason, message });
        self.keep_since(RECONCILING);
    }

    /// What the object says already is not news: an action that waits is looked at many times.
    fn keep_since(&mut self, kind: &str) {
        let mut told = self.it.status.iter().flat_map(|it| it.conditions.iter().flatten());
        let told = told.find(|it| it.type_ == kind);
        let now = self.conditions.list.iter_mut().find(|it| it.type_ == kind);
        if let (Some(told), Some(now)) = (told, now) {
            let all = |it: &Condition| {
                (it.status.clone(), it.reason.clone(), it.message.clone(), it.observed_generation)
            };
            if all(told) == all(now) {
                now.last_transition_time = told.last_transition_time.clone();
            }
        }
    }

    /// Nothing goes on until the user acts.
    pub(super) fn stalled(&mut self, reason: &'static str, message: &str) {
        self.conditions.remove(RECONCILING);
        self.set(Claim { kind: STALLED, status: "True", reason, message });
    }

    /// It is not ready.
    pub(super) fn not_ready(&mut self, reason: &'static str, message: &str) {
        self.set(Claim { kind: READY, status: "False", reason, message });
    }

    /// What Ready said is in doubt if it was for one of these reasons.
    pub(super) fn doubt(&mut self, reasons: &[&str]) {
        let stale = self.condition(READY).is_some_and(|it| reasons.contains(&it.reason.as_str()));
        if stale {
            self.in_progress("reconciliation in progress");
        }
    }

    /// Whether it is ready is not known.
    pub(super) fn in_progress(&mut self, message: &str) {
        let reason = reason::PROGRESSING;
        self.set(Claim { kind: READY, status: "Unknown", reason, message });
    }

    /// Puts a condition in the place of another one, since when that held.
    pub(super) fn replace(&mut self, old: &str, claim: Claim<'_>) {
        let Some(since) = self.condition(old).map(|it| it.last_transition_time.clone()) else {
            return;
        };
        self.remove(old);
        self.remove(claim.kind);
        let kind = claim.kind;
        self.set(claim);
        if let Some(new) = self.conditions.list.iter_mut().find(|it| it.type_ == kind) {
            new.last_transition_time = since;
        }
    }

    /// Makes Ready of Remediated, `TestSuccess` and Released: the newest, and of equally new ones the
    /// first in this order. A remediation is no success.
    pub(super) fn summarize(&mut self) {
        let tests = spec::tests(self.it);
        if !tests {
            self.remove(TEST_SUCCESS);
        }
        let counts = if tests && !spec::ignores_test_failures(self.it) {
            &[REMEDIATED, TEST_SUCCESS, RELEASED][..]
        } else {
            &[REMEDIATED, RELEASED]
        };
        let found = counts.iter().filter_map(|kind| self.conditions.get(kind));
        // The first of those that are equally new.
        let newest = found.rev().max_by_key(|it| it.observed_generation).cloned();
        let Some(newest) = newest else { return };
        let status = match newest.status.as_str() {
            _ if newest.type_ == REMEDIATED => "False",
            "True" => "True",
            "False" => "False",
            _ => "Unknown",
        };
        if status == "True" {
            self.remove(STALLED);
        }
        self.conditions.set(Claim {
            kind: READY,
            status,
            reason: &newest.reason,
            message: &newest.message,
        });
    }

    /// Whether Ready is true and nothing else is going on.
    pub(super) fn is_ready(&self) -> bool {
        self.is_true(READY) && !self.is_true(RECONCILING) && !self.is_true(STALLED)
    }

    /// The message of Ready.
    pub(super) fn ready_message(&self) -> String {
        self.condition(READY).map(|it| it.message.clone()).unwrap_or_default()
    }

    /// Tells something when the run has ended.
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Tells something of a revision.
    pub(super) fn tell_of(&mut self, snapshot: &Snapshot, mut event: Event) {
        let about = About {
            chart_version: &snapshot.chart_version,
            config_digest: &snapshot.config_digest,
            app_version: snapshot.app_version.as_deref().unwrap_or_default(),
            oci_digest: snapshot.oci_digest.as_deref().unwrap_or_default(),
        };
        event.metadata.extend(about.metadata());
        self.events.push(event);
    }

    /// The newest revision in the history.
    pub(super) fn latest(&mut self) -> Option<&Snapshot> {
        let history = self.status.history.as_mut()?;
        snapshot::sort(history);
        history.first()
    }

    pub(super) fn history(&mut self) -> &mut Vec<Snapshot> {
        self.status.history.get_or_insert_default()
    }

    pub(super) fn clear_failures(&mut self) {
        self.status.failures = None;
        self.status.install_failures = None;
        self.status.upgrade_failures = None;
    }

    /// The status as it is now.
    pub(super) fn finished_status(&mut self) -> HelmReleaseStatus {
        let mut status = self.status.clone();
        status.history = status.history.filter(|history| !history.is_empty());
        status.conditions_mut().clone_from(&self.conditions.list);
        status
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The report; nothing if there is nothing to report.
    pub(super) fn report(mut self, end: End) -> Option<Report<HelmReleaseReconciler>> {
        let (observed, finished, next) = match end {
            End::Done => {
                let every = spec::interval(self.it);
                (true, true, Some(Next::Interval { every }))
            }
            End::After(after) => (false, true, Some(Next::Again { after })),
            End::Retry => (false, true, None),
            End::Stalled => (true, true, Some(Next::Idle)),
            End::Parked(next) => (false, false, Some(next)),
            End::Superseded => return None,
        };
        let status = self.finished_status();
        let mut report = Report::new(status, Verdict::Own { observed, finished, next });
        report.events = self.events;
        report.telling = Telling::Nothing;
        Some(report)
    }
}

/// What machines want to know of a revision.
pub(super) struct About<'a> {
    pub(super) chart_version: &'a str,
    pub(super) config_digest: &'a str,
    pub(super) app_version: &'a str,
    pub(super) oci_digest: &'a str,
}

impl About<'_> {
    /// As metadata of an event.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("revision", self.chart_version),
            ("token", self.config_digest),
            ("app-version", self.app_version),
            ("oci-digest", self.oci_digest),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        pairs.map(|(key, value)| (format!("{GROUP}/{key}"), value.to_owned())).collect()
    }
}

/// The message while an action runs.
pub(super) fn running(name: &str, timeout: Duration) -> String {
    format!("Running '{name}' action with timeout of {}", Go(timeout))
}
