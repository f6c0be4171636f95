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
//! between two turns there are only names and times in memory, the rest is in the record; an action
//! that somebody else has overtaken writes nothing over what they wrote.

mod crds;
mod hook;
mod install;
mod leftover;
mod record;
mod rollback;
mod uninstall;
mod upgrade;
mod wait;
mod work;

pub(super) use self::uninstall::{ALREADY, NOT_FOUND};
pub(super) use self::work::{Basis, Start, Work};

use std::sync::Arc;
use std::time::Duration;

use api::helm::HelmRelease;
use apply::{Cluster, Entry};
use controller::Host;
use helm::chart::{Chart, MAX_CHART_BYTES};
use helm::release::Algorithm;
use helm::values::Values;
use jiff::Timestamp;

use self::record::observe;
use self::work::Stage::{self, Apply, Crds, Established, Finish, Prepare, Settle};
use super::change::{Site, Way};
use super::object::Object;
use super::source::Found;
use super::spec::{self, Deed, Manner};
use super::storage::{Storage, Stored};
use super::{Context, annotation};
use crate::target::Target;
use crate::{Owner, Unfetched};

/// How long what is waited for goes unlooked at, where no watch may tell of it.
const POLL: Duration = Duration::from_secs(10);

/// The same in another cluster, which is not watched.
const POLL_REMOTE: Duration = Duration::from_secs(2);

/// How far an action came.
pub(super) enum Progress {
    /// It is done, or failed.
    Ended(Result<(), String>),
    /// It waits for these objects, at most until then.
    Parked(Vec<Entry>, Timestamp),
    /// It was given up: somebody else has changed the release.
    Overtaken(String),
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
    /// What somebody else has done to the release meanwhile.
    rival: Option<String>,
    /// Whether this turn has seen that there is no revision at all.
    pub(super) is_new: bool,
    /// Which of the objects exist that are about to be made, as this turn has seen.
    present: Option<Vec<Object>>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        it: &'a HelmRelease,
        (context, host, target): (&'a Context, &'a Host, &'a Target),
        storage: Storage,
        (found, values): (Option<&'a Found>, &'a Values),
    ) -> Self {
        Self {
            it,
            context,
            host,
            target,
            storage,
            found,
            values,
            chart: None,
            record: None,
            rival: None,
            is_new: false,
            present: None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.host.clock().now()
    }

    /// How revisions are hashed.
    pub(super) fn digest(&self) -> Algorithm {
        self.context.options.snapshot_digest
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

    fn way(&self, work: &Work) -> Way {
        let Manner { force, take_ownership: with_live, .. } = self.manner(work);
        Way { force, with_live, applies: annotation::applies(self.it) == Ok(true) }
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
                Err(why) => return self.broken(work, stage, why).await,
            }
        }
        Progress::Ended(Ok(()))
    }

    /// An action does not go on.
    async fn broken(&mut self, work: &mut Work, stage: Stage, why: String) -> Progress {
        let why = if self.rival.is_none() { self.fail(work, stage, why).await } else { why };
        // Also a failure may be the work of somebody else.
        let Some(rival) = self.rival.take() else { return Progress::Ended(Err(why)) };
        self.give_up(work).await;
        Progress::Overtaken(rival)
    }

    async fn stage(&mut self, work: &mut Work, stage: Stage) -> Result<Step, String> {
        let manner = self.manner(work);
        if stage == Finish && work.makes() {
            // Who reads the revision anew looks for others too.
            let is_known = self.record.is_some();
            if is_known { self.unrivalled(work).await? } else { self.recall(work).await? }
        }
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
