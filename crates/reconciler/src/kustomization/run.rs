//! One run of a Kustomization: what it found out so far, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use api::duration::{self, Go};
use api::kustomize::{Kustomization, KustomizationStatus, ResourceInventory, ResourceRef};
use api::meta::Status as _;
use api::reason;
use apply::Entry;
use controller::{Claim, Event, Next, Report, Stop, Telling, Turn, Verdict};
use jiff::Timestamp;

use super::source::Found;
use super::{GROUP, KustomizationReconciler, history};

/// Condition: whether what was applied works.
pub(super) const HEALTHY: &str = "Healthy";

/// The least that health checks get.
const LEAST_TIMEOUT: Duration = Duration::from_secs(30);

/// What a run has so far.
pub(super) struct Run<'a> {
    pub(super) it: &'a Kustomization,
    pub(super) status: KustomizationStatus,
    /// What happened, to be told in this order.
    events: Vec<Event>,
    /// The revision that is applied, once it is known.
    revision: Option<String>,
    origin_revision: Option<String>,
    /// When it began; a run that waited for health began before this turn.
    pub(super) started: Timestamp,
    /// Whether it found all as it left it, woken by nothing but what it watches: that is no news.
    pub(super) is_quiet: bool,
}

/// How a run ends early.
#[derive(Debug)]
pub(super) enum End {
    /// Something must happen first; an event tells it, if there is something to tell.
    Wait { reason: &'static str, message: String, after: Duration, told: Option<String> },
    /// The user must act.
    Stall { reason: &'static str, message: String },
    /// It did not work, and is tried again after the retry interval.
    Fail { reason: &'static str, message: String },
    /// Objects are on their way.
    Parked(Next),
    /// The object changed, or the process ends.
    Superseded,
    /// Others have something to do.
    GiveWay,
}

impl<'a> Run<'a> {
    pub(super) fn begin(it: &'a Kustomization, turn: &Turn) -> Self {
        let status = it.status.clone().unwrap_or_default();
        let (revision, origin_revision) = (None, None);
        let (events, started) = (Vec::new(), turn.now());
        Self { it, status, events, revision, origin_revision, started, is_quiet: false }
    }

    /// From now on it is about the artifact of this source.
    pub(super) fn is_about(&mut self, found: &Found) {
        self.revision = Some(found.artifact.revision.clone());
        self.origin_revision = found.origin_revision().map(str::to_owned);
    }

    /// The revision, once it is known.
    pub(super) fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or_default()
    }

    /// Says what is going on, as upstream does: it is shown when the run waits or fails.
    pub(super) fn note(&self, turn: &mut Turn, doing: &str) {
        turn.note(self.progress(doing));
    }

    pub(super) fn progress(&self, doing: &str) -> String {
        let timeout = Go(timeout(self.it));
        format!("{doing} for revision {} with a timeout of {timeout}", self.revision())
    }

    /// Tells something when the run has ended.
    pub(super) fn tell(&mut self, mut event: Event) {
        event.metadata.extend(self.metadata());
        self.events.push(event);
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let revision = self.revision.iter().map(|it| ("revision", it));
        let origin = self.origin_revision.iter().map(|it| ("originRevision", it));
        revision
            .chain(origin)
            .map(|(key, value)| (format!("{GROUP}/{key}"), value.clone()))
            .collect()
    }

    /// Sets a condition that is not the kit's.
    pub(super) fn set(&mut self, turn: &Turn, claim: Claim<'_>) {
        let mut conditions = turn.conditions_of(&self.status);
        conditions.set(claim);
        *self.status.conditions_mut() = conditions.list;
    }

    /// Removes the condition that tells of health.
    pub(super) fn forget_health(&mut self) {
        self.status.conditions_mut().retain(|condition| condition.type_ != HEALTHY);
    }

    /// The inventory as it is in the status.
    ///
    /// # Errors
    /// An entry that cannot be read.
    pub(super) fn inventory(&self) -> Result<Vec<Entry>, apply::Error> {
        let entries = self.status.inventory.iter().flat_map(|inventory| &inventory.entries);
        entries.map(|entry| Entry::parse(&entry.id, &entry.version)).collect()
    }

    /// Sets the inventory.
    pub(super) fn set_inventory(&mut self, entries: &[Entry]) {
        let entry = |it: &Entry| ResourceRef { id: it.key(), version: it.version.clone() };
        let entries = entries.iter().map(entry).collect();
        self.status.inventory = Some(ResourceInventory { entries });
    }

    /// Counts this try.
    pub(super) fn tried(&mut self, digest: &str, status: &'static str, now: Timestamp) {
        if self.is_quiet {
            return;
        }
        let mut metadata = BTreeMap::from([("revision".to_owned(), self.revision().to_owned())]);
        metadata.extend(self.origin_revision.clone().map(|it| ("originRevision".to_owned(), it)));
        let took = self.took(now);
        let it = history::Try { digest, status, took, at: now, metadata };
        history::record(self.status.history.get_or_insert_default(), it);
    }

    pub(super) fn took(&self, now: Timestamp) -> Duration {
        now.duration_since(self.started).try_into().unwrap_or_default()
    }

    /// The report of a good run.
    pub(super) fn applied(mut self, now: Timestamp) -> Report<KustomizationReconciler> {
        let revision = self.revision().to_owned();
        self.status.last_applied_revision = Some(revision.clone());
        self.status.last_applied_origin_revision.clone_from(&self.origin_revision);
        let every = interval(self.it);
        let message =
            format!("Reconciliation finished in {}, next run in {}", Go(self.took(now)), Go(every));
        let mut event = Event::info(reason::RECONCILIATION_SUCCEEDED, message);
        event.metadata.insert(format!("{GROUP}/commit_status"), "update".to_owned());
        if !self.is_quiet {
            self.tell(event);
        }
        self.report(Verdict::Ready {
            reason: reason::RECONCILIATION_SUCCEEDED,
            message: format!("Applied revision: {revision}"),
            next: Next::Interval { every },
        })
    }

    /// The report of a run that ended early.
    ///
    /// # Errors
    /// There is nothing to report.
    pub(super) fn ended(mut self, end: End) -> Result<Report<KustomizationReconciler>, Stop> {
        let verdict = match end {
            End::Wait { reason, message, after, told } => {
                if let Some(told) = told {
                    self.tell(Event::info(reason, told));
                }
                Verdict::Wait { reason, message, next: Next::Again { after } }
            }
            End::Stall { reason, message } => {
                self.tell(Event::error(reason, message.clone()));
                Verdict::Stall { reason, message }
            }
            End::Fail { reason, message } => {
                self.tell(Event::error(reason, message.clone()));
                let next = Next::Again { after: retry_interval(self.it) };
                Verdict::Wait { reason, message, next }
            }
            End::Parked(next) => Verdict::Pending { next },
            End::Superseded => return Err(Stop::Superseded),
            End::GiveWay => return Err(Stop::GiveWay),
        };
        Ok(self.report(verdict))
    }

    fn report(self, verdict: Verdict) -> Report<KustomizationReconciler> {
        let mut report = Report::new(self.status, verdict);
        report.events = self.events;
        report.telling = Telling::Nothing;
        report
    }
}

/// A duration of the spec; the CRD lets no others through.
fn given(text: Option<&str>) -> Option<Duration> {
    text.and_then(|text| duration::parse(text).ok())
}

/// `spec.interval`.
pub(super) fn interval(it: &Kustomization) -> Duration {
    given(Some(&it.spec.interval)).unwrap_or(LEAST_TIMEOUT)
}

pub(super) fn retry_interval(it: &Kustomization) -> Duration {
    given(it.spec.retry_interval.as_deref()).unwrap_or_else(|| interval(it))
}

/// How long health checks and the end of deletion are waited for: `spec.timeout`, else half a
/// minute less than the interval, and never less than half a minute.
pub(super) fn timeout(it: &Kustomization) -> Duration {
    let given = given(it.spec.timeout.as_deref());
    given.unwrap_or_else(|| interval(it).saturating_sub(LEAST_TIMEOUT)).max(LEAST_TIMEOUT)
}
