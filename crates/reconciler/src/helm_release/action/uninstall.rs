//! Uninstalling a release.

use helm::manifest;
use helm::release::Status;

use super::super::object::{self, Object};
use super::super::{change, spec};
use super::{Bench, Step, Work};

/// What is said of a release that is not there.
pub(in super::super) const NOT_FOUND: &str = "release: not found";

/// How it is said of one that is uninstalled already.
pub(in super::super) const ALREADY: &str = "is already deleted";

impl Bench<'_> {
    pub(super) async fn prepare_uninstall(&mut self, work: &mut Work) -> Result<Step, String> {
        let name = work.name.clone();
        let last = self.storage.last(&name).await?;
        let mut last =
            last.ok_or_else(|| format!("uninstall: Release not loaded: {name}: {NOT_FOUND}"))?;
        work.version = last.record.version;
        if last.record.info.status == Status::Uninstalled {
            if self.manner(work).keep_history {
                return Err(format!("the release named {name:?} {ALREADY}"));
            }
            self.record = Some(last);
            self.purge(work).await?;
            work.stages.clear();
            work.stages.push_back(super::Stage::Prepare);
            return Ok(Step::Done);
        }
        work.log.say(self.now(), format!("uninstall: Deleting {name}"));
        let info = &mut last.record.info;
        info.status = Status::Uninstalling;
        info.deleted = self.now().to_string();
        "Deletion in progress (or silently failed)".clone_into(&mut info.description);
        self.record = Some(last);
        // What is going on is known before the first hook runs.
        self.save_or_log(work).await;
        Ok(Step::Done)
    }

    pub(super) async fn apply_uninstall(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        self.save_or_log(work).await;
        let failed = |why: &str| {
            tracing::warn!(release = work.name, "uninstall: Failed to delete release: {why}");
            format!("failed to delete release: {}", work.name)
        };
        let objects = self.doomed().await.map_err(|why| failed(&why))?;
        let propagation = spec::propagation(self.it);
        let deleted = self.site().delete(&objects, propagation, &mut work.log).await;
        if let Err(errors) = deleted {
            let text = format!("uninstall: Failed to delete release: {}", errors.join("; "));
            work.log.say(self.now(), text);
            return Err(format!("failed to delete release: {}", work.name));
        }
        work.waits = objects.into_iter().map(|it| it.entry).collect();
        // What is waited for is found again in the manifest.
        Ok(Step::Done)
    }

    /// The objects that are deleted, in their order: all but those with a resource policy.
    async fn doomed(&self) -> Result<Vec<Object>, String> {
        let record = self.record()?;
        let documents = manifest::for_uninstall(&record.manifest).map_err(|why| {
            format!("corrupted release record. You must manually delete the resources: {why}")
        })?;
        let doomed = documents.iter().filter(|it| change::policy(&it.head).is_none());
        let text = doomed.map(|it| it.content.as_str()).collect::<Vec<_>>().join("\n---\n");
        // A kind that is no longer served has no objects.
        let mut objects = Vec::new();
        for document in manifest::split(&text) {
            match object::read(self.cluster(), document, &record.namespace).await {
                Ok(found) => objects.extend(found),
                Err(why) if why.contains("no matches for kind") => {}
                Err(why) => {
                    return Err(format!("unable to build kubernetes objects for delete: {why}"));
                }
            }
        }
        Ok(objects)
    }

    pub(super) async fn settle_uninstall(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        if work.since.is_none() {
            let objects = self.doomed().await?;
            let now = self.now();
            let timeout = api::duration::Go(self.timeout(work));
            let text = format!(
                "beginning wait for {} resources to be deleted with timeout of {timeout}",
                objects.len()
            );
            work.log.say(now, text);
            work.since = Some(now);
            work.waits = objects.into_iter().map(|it| it.entry).collect();
        }
        let entries = std::mem::take(&mut work.waits);
        let result = self.gone(work, &entries).await;
        work.waits = entries;
        // What does not go in time is told at the end, and the rest is done all the same.
        Ok(result.unwrap_or_else(|why| {
            work.problems.push(why);
            Step::Done
        }))
    }

    pub(super) async fn finish_uninstall(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        if self.manner(work).keep_history {
            self.mark(Status::Uninstalled, "Uninstallation complete".to_owned());
            self.save_or_log(work).await;
        } else {
            work.log.say(self.now(), format!("purge requested for {}", work.name));
            if let Err(why) = self.purge(work).await {
                work.problems.push(format!("uninstall: Failed to purge the release: {why}"));
            }
        }
        if work.problems.is_empty() {
            return Ok(Step::Done);
        }
        let (count, problems) = (work.problems.len(), work.problems.join("; "));
        Err(format!("uninstallation completed with {count} error(s): {problems}"))
    }

    /// Forgets all revisions.
    async fn purge(&mut self, work: &mut Work) -> Result<(), String> {
        let history = self.storage.history(&work.name).await?;
        for old in history {
            self.storage.delete(&work.name, old.record.version).await?;
            super::observe(work, &old.record);
        }
        Ok(())
    }
}
