//! Upgrading a release.

use apply::Propagation;
use helm::release::{Info, Status};
use helm::values::Values;

use super::super::change::Way;
use super::super::object::{self, Object};
use super::super::spec;
use super::super::storage::Stored;
use super::{Bench, Step, Unloaded, Work};

impl Bench<'_> {
    pub(super) async fn prepare_upgrade(&mut self, work: &mut Work) -> Result<Step, String> {
        let name = work.name.clone();
        helm::release::check_name(&name).map_err(|_| format!("release name is invalid: {name}"))?;
        work.log.say(self.now(), format!("preparing upgrade for {name}"));
        let (history, newest) = self.revisions(&name).await?;
        let newest = newest.ok_or_else(|| format!("{name:?} has no deployed releases"))?;
        let current = current(&history, newest, &name)?;
        let values = self.reuse(work, current).await?;
        let release = helm::render::Release {
            name: name.clone(),
            namespace: current.record.namespace.clone(),
            revision: newest + 1,
            is_upgrade: true,
        };
        let now = self.now().to_string();
        let rendered = self.render(work, release.clone(), values.clone()).await?;
        let info = Info {
            first_deployed: current.record.info.first_deployed.clone(),
            last_deployed: now,
            deleted: String::new(),
            description: "Preparing upgrade".to_owned(),
            status: Status::PendingUpgrade,
            notes: String::new(),
        };
        let mut record = self.record_of(rendered, info, (release, newest + 1));
        record.config = values;
        let target = object::read(self.cluster(), &record.manifest, &record.namespace).await?;
        work.log.say(self.now(), format!("performing update for {name}"));
        let original = self.original(&current.record).await?;
        let taken = self.taken(work, &original, &target, &record).await?;
        drop(taken);
        work.log.say(self.now(), format!("creating upgraded release for {name}"));
        work.from = current.record.version;
        let labels = history.iter().find(|it| it.record.version == newest);
        let labels = labels.map(|it| it.labels.clone()).unwrap_or_default();
        self.store(work, Stored::new(record, labels), spec::max_history(self.it)).await?;
        Ok(Step::Done)
    }

    /// The values of the new revision: those that are asked for, over those of the old one if they
    /// are to be kept.
    async fn reuse(&mut self, work: &mut Work, current: &Stored) -> Result<Values, String> {
        if !self.manner(work).preserve_values {
            let text = "resetting values to the chart's original version";
            work.log.say(self.now(), text);
            return Ok(self.values.clone());
        }
        work.log.say(self.now(), "reusing the old release's values");
        let config = helm::values::from_json(current.record.config.clone().into());
        let old = helm::render::coalesced(&current.record.chart, &config);
        let old = old.map_err(|why| format!("failed to rebuild old values: {why}"))?;
        let mut values = self.values.clone();
        helm::render::reuse(&mut values, config);
        let mut chart = helm::chart::Chart::clone(&*self.load().await.map_err(Unloaded::told)?);
        chart.values = old;
        self.chart = Some(chart.into());
        Ok(values)
    }

    async fn original(&self, record: &helm::release::Record) -> Result<Vec<Object>, String> {
        let built = object::read(self.cluster(), &record.manifest, &record.namespace).await;
        built.map_err(|why| {
            let removed = why.contains("no matches for kind");
            let what = if removed {
                "current release manifest contains removed kubernetes api(s) for this kubernetes \
                 version and it is therefore unable to build the kubernetes objects for performing \
                 the diff. error from kubernetes"
            } else {
                "unable to build kubernetes objects from current release manifest"
            };
            format!("{what}: {why}")
        })
    }

    /// The new objects that exist already and become the release's.
    async fn taken(
        &self,
        work: &Work,
        original: &[Object],
        target: &[Object],
        record: &helm::release::Record,
    ) -> Result<Vec<Object>, String> {
        let known = |object: &&Object| original.iter().any(|old| old.entry == object.entry);
        let new: Vec<Object> = target.iter().filter(|it| !known(it)).cloned().collect();
        let owner = (&*record.name, &*record.namespace);
        let owner = Some(owner).filter(|_| !self.manner(work).take_ownership);
        let found = self.site().existing(&new, owner).await;
        found.map_err(|why| format!("Unable to continue with update: {why}"))
    }

    pub(super) async fn apply_upgrade(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        let record = self.record()?.clone();
        let from = self.storage.get(&work.name, work.from).await?;
        let from = from.ok_or_else(|| format!("release: revision {} not found", work.from))?;
        let mut original = self.original(&from.record).await?;
        let mut target = object::read(self.cluster(), &record.manifest, &record.namespace)
            .await
            .map_err(|why| {
                format!("unable to build kubernetes objects from new release manifest: {why}")
            })?;
        object::own(&mut target, &record);
        let taken = self.taken(work, &original, &target, &record).await?;
        original.extend(taken);
        let in_use = from.record.info.status == Status::Deployed;
        let since = if in_use { work.from } else { 0 };
        let left = self.left_behind(work, since, [&original, &target]).await?;
        original.extend(left);
        let way = Way { with_live: false, ..self.way(work) };
        let (changed, result) = self.site().update(&original, &target, way, &mut work.log).await;
        work.created = changed.created;
        result?;
        if self.manner(work).wait {
            let text = format!(
                "waiting for release {} resources (created: {} updated: {}  deleted: {})",
                work.name,
                work.created.len(),
                changed.updated.len(),
                changed.deleted
            );
            work.log.say(self.now(), text);
        }
        Ok(Step::Done)
    }

    pub(super) async fn finish_upgrade(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        if let Some(mut from) = self.storage.get(&work.name, work.from).await? {
            from.record.info.status = Status::Superseded;
            self.save_other(work, from).await;
        }
        self.mark(Status::Deployed, "Upgrade complete".to_owned());
        let text = format!("updating status for upgraded release for {}", work.name);
        work.log.say(self.now(), text);
        self.save(work).await?;
        Ok(Step::Done)
    }

    pub(super) async fn fail_upgrade(&mut self, work: &mut Work, why: String) -> String {
        let message = format!("Upgrade {:?} failed: {why}", work.name);
        work.log.say(self.now(), format!("warning: {message}"));
        self.mark(Status::Failed, message);
        self.save_or_log(work).await;
        match self.undo(work).await {
            Ok(()) => why,
            Err(problem) => format!(
                "an error occurred while cleaning up resources. original upgrade error: {why}: \
                 unable to cleanup resources: {problem}"
            ),
        }
    }

    /// Deletes what an action has created, if that is asked for.
    pub(super) async fn undo(&mut self, work: &mut Work) -> Result<(), String> {
        let created = std::mem::take(&mut work.created);
        if !self.manner(work).cleanup_on_fail || created.is_empty() {
            return Ok(());
        }
        let text = format!("Cleanup on fail set, cleaning up {} resources", created.len());
        work.log.say(self.now(), text);
        let objects: Vec<Object> = created.into_iter().map(Object::named).collect();
        let site = self.site();
        let deleted = site.delete(&objects, Propagation::Background, &mut work.log).await;
        deleted.map_err(|errors| errors.join(", "))
    }
}

/// The revision an upgrade starts from: the one in use, else the newest.
fn current<'s>(history: &'s [Stored], newest: i64, name: &str) -> Result<&'s Stored, String> {
    let missing = || format!("{name:?} has no deployed releases");
    let newest = history.iter().find(|it| it.record.version == newest).ok_or_else(missing)?;
    let status = newest.record.info.status;
    if status.is_pending() {
        return Err("another operation (install/upgrade/rollback) is in progress".to_owned());
    }
    let deployed = history.iter().filter(|it| it.record.info.status == Status::Deployed);
    match deployed.max_by_key(|it| it.record.version) {
        Some(deployed) => Ok(deployed),
        None if matches!(status, Status::Failed | Status::Superseded) => Ok(newest),
        None => Err(missing()),
    }
}
