//! What is done with a release, stage by stage: a stage that has to wait gives the turn back, and the
//! next turn goes on there.
//!
//! ```text
//! install   crds ─ established ─ prepare ─ hooks ─ apply ─ settle ─ hooks ─ finish
//! upgrade   the same
//! rollback                       prepare ─ hooks ─ apply ─ settle ─ hooks ─ finish
//! uninstall                      prepare ─ hooks ─ apply ─ settle ─ hooks ─ finish
//! test                                     hooks ─────────────────────────── finish
//! ```
//!
//! Invariants: nothing of an action is in the cluster before its revision is recorded as pending;
//! between two turns there are only names and times in memory, the rest is in the record.

mod crds;
mod hook;
mod install;
mod rollback;
mod uninstall;
mod upgrade;
mod wait;

pub(super) use self::uninstall::{ALREADY, NOT_FOUND};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use api::helm::{HelmRelease, Snapshot};
use apply::{Cluster, Entry};
use controller::Host;
use helm::chart::{Chart, MAX_CHART_BYTES};
use helm::release::{Record, Status, latest};
use helm::values::Values;
use jiff::Timestamp;

use self::Stage::{Apply, Crds, Established, Finish, Prepare, Settle};
use self::hook::Hooks;
use super::change::Site;
use super::log::Log;
use super::source::Found;
use super::spec::{self, Deed, Manner};
use super::storage::{Storage, Stored};
use super::{Context, snapshot};
use crate::target::Target;
use crate::{Owner, Unfetched};

/// How long what is waited for goes unlooked at, where no watch may tell of it.
const POLL: Duration = Duration::from_secs(10);

/// The same in another cluster, which is not watched.
const POLL_REMOTE: Duration = Duration::from_secs(2);

/// What was asked for when an action began: another spec, chart or values supersede it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) generation: Option<i64>,
    pub(super) artifact: String,
    pub(super) values: String,
}

/// A part of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The chart's CRDs are applied.
    Crds,
    /// They are served.
    Established,
    /// What shall be is found out, and recorded.
    Prepare,
    /// Hooks of an event run.
    Hooks(&'static str),
    /// The cluster is changed.
    Apply,
    /// The objects are ready, or gone.
    Settle,
    /// The end is recorded.
    Finish,
}

/// An action on its way.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) deed: Deed,
    /// A failure is taken back by it.
    pub(super) remedies: bool,
    pub(super) basis: Basis,
    /// Name of the release, as Helm has it.
    pub(super) name: String,
    stages: VecDeque<Stage>,
    /// The revision it makes, or is about; 0 before there is one.
    version: i64,
    /// The revision it starts from, or goes back to.
    from: i64,
    pub(super) target: i64,
    pub(super) started: Timestamp,
    /// Since when the stage waits.
    since: Option<Timestamp>,
    hooks: Hooks,
    created: Vec<Entry>,
    /// What the stage waits for.
    waits: Vec<Entry>,
    /// Answers of the API server in a row that were none.
    unanswered: u32,
    /// What went wrong, but did not end it.
    problems: Vec<String>,
    pub(super) log: Log,
    /// The revisions as they were recorded.
    pub(super) observed: BTreeMap<i64, Snapshot>,
    /// The digests of the artifacts that revisions came as: the record does not say it.
    digests: BTreeMap<i64, String>,
    /// That of the revision to be made.
    oci_digest: Option<String>,
}

/// What an action begins with.
pub(super) struct Start<'a> {
    /// Name of the release, as Helm has it.
    pub(super) name: String,
    pub(super) basis: Basis,
    pub(super) now: Timestamp,
    pub(super) history: &'a [Snapshot],
    /// Digest of the artifact that the chart came as.
    pub(super) oci_digest: Option<String>,
}

impl Work {
    /// An action that begins.
    pub(super) fn begin(deed: Deed, start: Start<'_>) -> Self {
        let Start { name, basis, now, history, oci_digest } = start;
        let digests = history.iter().filter_map(|it| Some((it.version, it.oci_digest.clone()?)));
        let around = |before, after| {
            [Prepare, Stage::Hooks(before), Apply, Settle, Stage::Hooks(after), Finish]
        };
        let stages: VecDeque<Stage> = match deed {
            Deed::Install => {
                let first = [Crds, Established].into_iter();
                first.chain(around("pre-install", "post-install")).collect()
            }
            Deed::Upgrade => {
                let first = [Crds, Established].into_iter();
                first.chain(around("pre-upgrade", "post-upgrade")).collect()
            }
            Deed::RollBack => around("pre-rollback", "post-rollback").into(),
            Deed::Uninstall => around("pre-delete", "post-delete").into(),
            Deed::Test => [Prepare, Stage::Hooks("test"), Finish].into(),
        };
        Self {
            deed,
            remedies: deed == Deed::RollBack,
            digests: digests.collect(),
            oci_digest,
            basis,
            name,
            stages,
            version: 0,
            from: 0,
            target: 0,
            started: now,
            since: None,
            hooks: Hooks::default(),
            created: Vec::new(),
            waits: Vec::new(),
            unanswered: 0,
            problems: Vec::new(),
            log: Log::default(),
            observed: BTreeMap::new(),
        }
    }

    /// Whether something of it is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        !self.observed.is_empty()
    }
}

/// How far an action came.
pub(super) enum Progress {
    /// It is done, or failed.
    Ended(Result<(), String>),
    /// It waits for these objects, at most until then.
    Parked(Vec<Entry>, Timestamp),
}

/// How a stage went.
enum Step {
    Done,
    /// The stage waits for these objects.
    Wait(Vec<Entry>),
}

/// What a turn works with.
pub(super) struct Bench<'a> {
    pub(super) it: &'a HelmRelease,
    pub(super) context: &'a Context,
    pub(super) host: &'a Host,
    pub(super) target: &'a Target,
    pub(super) storage: Storage,
    pub(super) found: Option<&'a Found>,
    pub(super) values: &'a Values,
    /// The chart, once it is loaded.
    pub(super) chart: Option<Arc<Chart>>,
    /// The revision that the action makes or is about, as it is recorded.
    record: Option<Stored>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        it: &'a HelmRelease,
        (context, host, target): (&'a Context, &'a Host, &'a Target),
        storage: Storage,
        (found, values): (Option<&'a Found>, &'a Values),
    ) -> Self {
        Self { it, context, host, target, storage, found, values, chart: None, record: None }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.host.clock().now()
    }

    pub(super) fn cluster(&self) -> &'a Cluster {
        &self.target.cluster
    }

    fn site(&self) -> Site<'a> {
        Site { cluster: &self.target.cluster, now: self.now() }
    }

    fn manner(&self, work: &Work) -> Manner {
        Manner::of(self.it, work.deed)
    }

    /// Loads the chart, if it is not loaded yet.
    ///
    /// # Errors
    /// [`Unloaded`].
    pub(super) async fn load(&mut self) -> Result<Arc<Chart>, Unloaded> {
        if let Some(chart) = &self.chart {
            return Ok(Arc::clone(chart));
        }
        let found = self.found.ok_or(Unloaded::Absent)?;
        let owner = Owner { uid: &found.owner, place: found.place.as_ref() };
        let read = self.context.fetcher.bytes(owner, &found.artifact, MAX_CHART_BYTES).await;
        let bytes = read.map_err(|why| match why {
            Unfetched::NotFound => Unloaded::Absent,
            Unfetched::Failed(why) => Unloaded::Broken(why),
        })?;
        let size = bytes.len().saturating_mul(8);
        let loaded = self.host.compute().run(size, move || Chart::from_archive(&bytes)).await;
        let loaded = loaded.map_err(|why| Unloaded::Broken(why.to_string()))?;
        let mut chart = loaded.map_err(|why| Unloaded::Broken(why.to_string()))?;
        let track = !self.context.options.disable_chart_digest_tracking;
        found.mark(&mut chart, track).map_err(Unloaded::Unfit)?;
        let chart = Arc::new(chart);
        self.chart = Some(Arc::clone(&chart));
        Ok(chart)
    }

    /// Goes on with an action until it ends or has to wait.
    pub(super) async fn go_on(&mut self, work: &mut Work) -> Progress {
        while let Some(stage) = work.stages.front().copied() {
            match self.stage(work, stage).await {
                Ok(Step::Done) => {
                    work.stages.pop_front();
                    work.since = None;
                    work.waits.clear();
                    work.unanswered = 0;
                }
                Ok(Step::Wait(entries)) => {
                    let deadline = self.deadline(work);
                    self.follow(&entries).await;
                    return Progress::Parked(entries, deadline);
                }
                Err(why) => {
                    let why = self.fail(work, stage, why).await;
                    return Progress::Ended(Err(why));
                }
            }
        }
        Progress::Ended(Ok(()))
    }

    async fn stage(&mut self, work: &mut Work, stage: Stage) -> Result<Step, String> {
        let manner = self.manner(work);
        match (work.deed, stage) {
            (_, Crds) => self.apply_crds(work).await,
            (_, Established) => self.established(work).await,
            (_, Stage::Hooks(_)) if !manner.hooks => Ok(Step::Done),
            (_, Stage::Hooks(event)) => {
                self.recall(work).await?;
                self.run_hooks(work, event).await
            }
            (Deed::Install, Prepare) => self.prepare_install(work).await,
            (Deed::Upgrade, Prepare) => self.prepare_upgrade(work).await,
            (Deed::RollBack, Prepare) => self.prepare_rollback(work).await,
            (Deed::Uninstall, Prepare) => self.prepare_uninstall(work).await,
            (Deed::Test, Prepare) => self.prepare_test(work).await,
            (Deed::Install, Apply) => self.apply_install(work).await,
            (Deed::Upgrade, Apply) => self.apply_upgrade(work).await,
            (Deed::RollBack, Apply) => self.apply_rollback(work).await,
            (Deed::Uninstall, Apply) => self.apply_uninstall(work).await,
            (_, Settle) if !manner.wait => Ok(Step::Done),
            (Deed::Uninstall, Settle) => self.settle_uninstall(work).await,
            (_, Settle) => self.settle(work).await,
            (Deed::Install, Finish) => self.finish_install(work).await,
            (Deed::Upgrade, Finish) => self.finish_upgrade(work).await,
            (Deed::RollBack, Finish) => self.finish_rollback(work).await,
            (Deed::Uninstall, Finish) => self.finish_uninstall(work).await,
            (Deed::Test, Apply) => Ok(Step::Done),
            (Deed::Test, Finish) => self.save(work).await.map(|()| Step::Done),
        }
    }

    /// Records that an action failed; returns what Helm says of it.
    async fn fail(&mut self, work: &mut Work, stage: Stage, why: String) -> String {
        let why = match (work.deed, stage) {
            (Deed::Install, Stage::Hooks("pre-install")) => format!("failed pre-install: {why}"),
            (Deed::Install, Stage::Hooks(_)) => format!("failed post-install: {why}"),
            (Deed::Upgrade, Stage::Hooks("pre-upgrade")) => {
                format!("pre-upgrade hooks failed: {why}")
            }
            (Deed::Upgrade, Stage::Hooks(_)) => format!("post-upgrade hooks failed: {why}"),
            _ => why,
        };
        if work.version == 0 || self.recall(work).await.is_err() {
            return why;
        }
        match work.deed {
            Deed::Install => self.fail_install(work, why).await,
            Deed::Upgrade => self.fail_upgrade(work, why).await,
            Deed::RollBack => self.fail_rollback(work, stage, why).await,
            Deed::Uninstall => why,
            Deed::Test => {
                self.save_or_log(work).await;
                why
            }
        }
    }

    /// Ends an action whose object asks for something else by now: what is pending fails.
    pub(super) async fn abandon(&mut self, work: &mut Work) {
        if work.version == 0 || self.recall(work).await.is_err() {
            return;
        }
        let is_pending = self.record.as_ref().is_some_and(|it| it.record.info.status.is_pending());
        if is_pending {
            let why = "superseded by a newer spec, chart or values";
            self.mark(Status::Failed, format!("{:?} was {why}", work.name));
            self.save_or_log(work).await;
        }
    }

    /// Forgets the revision of an action that has ended.
    pub(super) fn forget(&mut self) {
        self.record = None;
    }

    /// Reads the revision that an action is about, if this turn has not done so.
    async fn recall(&mut self, work: &Work) -> Result<(), String> {
        if self.record.is_none() {
            let stored = self.storage.get(&work.name, work.version).await?;
            let version = work.version;
            self.record = Some(stored.ok_or_else(|| {
                format!("revision {version} of release {:?} is gone from the storage", work.name)
            })?);
        }
        Ok(())
    }

    /// The record of the revision that an action is about, as this turn knows it.
    pub(super) fn current(&self) -> Option<&Record> {
        self.record.as_ref().map(|it| &it.record)
    }

    fn record(&self) -> Result<&Record, String> {
        let missing = || "internal error: there is no record".to_owned();
        self.record.as_ref().map(|it| &it.record).ok_or_else(missing)
    }

    fn mark(&mut self, status: Status, description: String) {
        if let Some(stored) = &mut self.record {
            stored.record.info.status = status;
            stored.record.info.description = description;
        }
    }

    /// Records a new revision as pending, from which on the action is known.
    async fn store(&mut self, work: &mut Work, stored: Stored, max: usize) -> Result<(), String> {
        self.storage.create(&stored, max, self.now()).await?;
        work.version = stored.record.version;
        observe(work, &stored.record);
        self.record = Some(stored);
        Ok(())
    }

    /// Records how the revision is now.
    async fn save(&mut self, work: &mut Work) -> Result<(), String> {
        let Some(stored) = &self.record else { return Ok(()) };
        self.storage.update(stored, self.now()).await?;
        observe(work, &stored.record);
        Ok(())
    }

    /// The same where a failure changes nothing any more.
    async fn save_or_log(&mut self, work: &mut Work) {
        if let Err(why) = self.save(work).await {
            work.log.say(self.now(), format!("failed to record the release: {why}"));
        }
    }

    /// Records how another revision is now.
    async fn save_other(&self, work: &mut Work, stored: &Stored) {
        match self.storage.update(stored, self.now()).await {
            Ok(()) => observe(work, &stored.record),
            Err(why) => {
                work.log.say(self.now(), format!("warning: Failed to update release: {why}"));
            }
        }
    }

    /// When waiting ends, or the cluster is looked at again.
    fn deadline(&self, work: &mut Work) -> Timestamp {
        let now = self.now();
        let since = *work.since.get_or_insert(now);
        let end = since.saturating_add(self.timeout(work)).unwrap_or(Timestamp::MAX);
        let poll = if self.target.is_remote { POLL_REMOTE } else { POLL };
        end.min(now.saturating_add(poll).unwrap_or(Timestamp::MAX))
    }

    fn timeout(&self, work: &Work) -> Duration {
        match work.stages.front() {
            Some(Established) => crds::TIMEOUT,
            _ => spec::timeout_of(self.it, work.deed),
        }
    }

    /// Whether a stage has waited as long as it may.
    fn is_late(&self, work: &mut Work) -> bool {
        let now = self.now();
        let since = *work.since.get_or_insert(now);
        now >= since.saturating_add(self.timeout(work)).unwrap_or(Timestamp::MAX)
    }

    /// Watches the kinds of what is waited for, in this cluster.
    async fn follow(&self, entries: &[Entry]) {
        if self.target.is_remote {
            return;
        }
        for entry in entries {
            if let Ok(resource) = self.cluster().resource(entry).await {
                self.host.follow(&resource);
            }
        }
    }

    async fn prepare_test(&mut self, work: &mut Work) -> Result<Step, String> {
        let last = self.storage.last(&work.name).await?;
        let last = last.ok_or_else(|| "release: not found".to_owned())?;
        work.version = last.record.version;
        self.record = Some(last);
        Ok(Step::Done)
    }

    /// The revisions of a release with the newest of them.
    async fn revisions(&self, name: &str) -> Result<(Vec<Stored>, Option<i64>), String> {
        let history = self.storage.history(name).await?;
        let records: Vec<Record> = history.iter().map(|it| it.record.clone()).collect();
        let newest = latest(&records).map(|it| it.version);
        Ok((history, newest))
    }
}

/// Notes a revision as it was recorded.
fn observe(work: &mut Work, record: &Record) {
    let makes = matches!(work.deed, Deed::Install | Deed::Upgrade);
    let digest = if makes && record.version == work.version {
        work.oci_digest.as_deref()
    } else {
        work.digests.get(&record.version).map(String::as_str)
    };
    let snapshot = snapshot::of(record, digest);
    work.observed.insert(record.version, snapshot);
}

/// Why there is no chart.
#[derive(Debug)]
pub(super) enum Unloaded {
    /// The artifact is not there.
    Absent,
    /// It is no chart.
    Broken(String),
    /// The source's revision does not fit it.
    Unfit(String),
}
