//! The record of the revision that an action makes or is about: read once a turn, and never written
//! over what somebody else wrote.

use helm::release::{Record, Status, latest};

use super::super::snapshot;
use super::super::spec::Deed;
use super::super::storage::{Stored, Unwritten};
use super::Bench;
use super::work::Work;

impl Bench<'_> {
    /// Ends an action whose object asks for something else by now: what is pending fails.
    pub(in super::super) async fn abandon(&mut self, work: &mut Work) {
        self.fail_pending(work, "superseded by a newer spec, chart or values").await;
    }

    /// Ends an action that somebody else has overtaken: what is pending fails.
    pub(super) async fn give_up(&mut self, work: &mut Work) {
        self.record = None;
        self.fail_pending(work, "given up: somebody else has changed the release").await;
    }

    async fn fail_pending(&mut self, work: &mut Work, why: &str) {
        if work.version == 0 || (self.record.is_none() && self.reread(work).await.is_err()) {
            return;
        }
        if self.is_pending() {
            self.mark(Status::Failed, format!("{:?} was {why}", work.name));
            self.save_or_log(work).await;
        }
    }

    /// Forgets the revision of an action that has ended.
    pub(in super::super) fn forget(&mut self) {
        self.record = None;
    }

    /// Reads the revision that an action is about, if this turn has not done so.
    ///
    /// # Errors
    /// It is not there, or somebody else has changed the release.
    pub(super) async fn recall(&mut self, work: &Work) -> Result<(), String> {
        if self.record.is_some() {
            return Ok(());
        }
        self.reread(work).await?;
        if work.makes() { self.unrivalled(work).await } else { Ok(()) }
    }

    async fn reread(&mut self, work: &Work) -> Result<(), String> {
        let stored = self.storage.get(&work.name, work.version).await?;
        if stored.is_none() {
            let version = work.version;
            let why =
                format!("revision {version} of release {:?} is gone from the storage", work.name);
            self.rival = Some(why.clone()).filter(|_| work.makes());
            return Err(why);
        }
        self.record = stored;
        Ok(())
    }

    /// Whether an action still is the last thing that happens to its release.
    ///
    /// # Errors
    /// Somebody else has changed the release.
    pub(super) async fn unrivalled(&mut self, work: &Work) -> Result<(), String> {
        let version = work.version;
        let newest = self.storage.versions(&work.name).await?.last().copied();
        let status = self.record()?.info.status;
        let why = match newest {
            Some(newest) if newest > version => {
                format!("revision {newest} is newer than revision {version}")
            }
            _ if !status.is_pending() => format!("revision {version} is {status}"),
            _ => return Ok(()),
        };
        self.rival = Some(why.clone());
        Err(why)
    }

    fn is_pending(&self) -> bool {
        self.record.as_ref().is_some_and(|it| it.record.info.status.is_pending())
    }

    /// The record of the revision that an action is about, as this turn knows it.
    pub(in super::super) fn current(&self) -> Option<&Record> {
        self.record.as_ref().map(|it| &it.record)
    }

    pub(super) fn record(&self) -> Result<&Record, String> {
        let missing = || "internal error: there is no record".to_owned();
        self.record.as_ref().map(|it| &it.record).ok_or_else(missing)
    }

    pub(super) fn mark(&mut self, status: Status, description: String) {
        if let Some(stored) = &mut self.record {
            stored.record.info.status = status;
            stored.record.info.description = description;
        }
    }

    /// Records a new revision as pending, from which on the action is known.
    pub(super) async fn store(
        &mut self,
        work: &mut Work,
        mut stored: Stored,
        max: usize,
    ) -> Result<(), String> {
        self.storage.create(&mut stored, max, self.now()).await?;
        work.version = stored.record.version;
        observe(work, &stored.record);
        self.record = Some(stored);
        Ok(())
    }

    /// Records how the revision is now.
    pub(super) async fn save(&mut self, work: &mut Work) -> Result<(), String> {
        let now = self.now();
        let Some(stored) = &mut self.record else { return Ok(()) };
        match self.storage.update(stored, now).await {
            Ok(()) => {
                observe(work, &stored.record);
                Ok(())
            }
            Err(why) => {
                if matches!(why, Unwritten::Changed) && work.makes() {
                    let version = work.version;
                    self.rival = Some(format!("revision {version} is no longer as it was"));
                }
                Err(why.to_string())
            }
        }
    }

    /// The same where a failure changes nothing any more.
    pub(super) async fn save_or_log(&mut self, work: &mut Work) {
        if let Err(why) = self.save(work).await {
            work.log.say(self.now(), format!("failed to record the release: {why}"));
        }
    }

    /// Records how another revision is now.
    pub(super) async fn save_other(&self, work: &mut Work, mut stored: Stored) {
        match self.storage.update(&mut stored, self.now()).await {
            Ok(()) => observe(work, &stored.record),
            Err(why) => {
                work.log.say(self.now(), format!("warning: Failed to update release: {why}"));
            }
        }
    }

    /// The revisions of a release with the newest of them.
    pub(super) async fn revisions(&self, name: &str) -> Result<(Vec<Stored>, Option<i64>), String> {
        let history = self.storage.history(name).await?;
        let records: Vec<Record> = history.iter().map(|it| it.record.clone()).collect();
        let newest = latest(&records).map(|it| it.version);
        Ok((history, newest))
    }
}

/// Notes a revision as it was recorded.
pub(super) fn observe(work: &mut Work, record: &Record) {
    let makes = matches!(work.deed, Deed::Install | Deed::Upgrade);
    let digest = if makes && record.version == work.version {
        work.oci_digest.as_deref()
    } else {
        work.digests.get(&record.version).map(String::as_str)
    };
    let snapshot = snapshot::of(record, digest, work.algorithm);
    work.observed.insert(record.version, snapshot);
}
