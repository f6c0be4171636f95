//! Rolling a release back.

use helm::release::{Info, Record, Status};

use super::super::change::Way;
use super::super::object;
use super::super::spec;
use super::super::storage::Stored;
use super::{Bench, Stage, Step, Work};

impl Bench<'_> {
    pub(super) async fn prepare_rollback(&mut self, work: &mut Work) -> Result<Step, String> {
        let (name, target) = (work.name.clone(), work.target);
        work.log.say(self.now(), format!("preparing rollback of {name}"));
        let (history, newest) = self.revisions(&name).await?;
        let newest = newest.ok_or_else(|| "release: not found".to_owned())?;
        let find = |version: i64| history.iter().find(|it| it.record.version == version);
        let previous = find(target).ok_or_else(|| format!("release has no {target} version"))?;
        let current = find(newest).ok_or_else(|| "release: not found".to_owned())?;
        let text = format!("rolling back {name} (current: v{newest}, target: v{target})");
        work.log.say(self.now(), text);
        let old = &previous.record;
        let record = Record {
            name: name.clone(),
            namespace: current.record.namespace.clone(),
            chart: old.chart.clone(),
            config: old.config.clone(),
            info: Info {
                first_deployed: current.record.info.first_deployed.clone(),
                last_deployed: self.now().to_string(),
                deleted: String::new(),
                status: Status::PendingRollback,
                notes: old.info.notes.clone(),
                description: format!("Rollback to {target}"),
            },
            version: newest + 1,
            manifest: old.manifest.clone(),
            hooks: old.hooks.clone(),
        };
        work.from = newest;
        work.log.say(self.now(), format!("creating rolled back release for {name}"));
        let labels = previous.labels.clone();
        self.store(work, Stored::new(record, labels), spec::max_history(self.it)).await?;
        work.log.say(self.now(), format!("performing rollback of {name}"));
        Ok(Step::Done)
    }

    pub(super) async fn apply_rollback(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        let record = self.record()?.clone();
        let from = self.storage.get(&work.name, work.from).await?;
        let from = from.ok_or_else(|| format!("release: revision {} not found", work.from))?.record;
        let read = |which: &'static str| {
            move |why: String| {
                format!("unable to build kubernetes objects from {which} release manifest: {why}")
            }
        };
        let original = object::read(self.cluster(), &from.manifest, &from.namespace).await;
        let mut original = original.map_err(read("current"))?;
        let target = object::read(self.cluster(), &record.manifest, &record.namespace).await;
        let mut target = target.map_err(read("new"))?;
        object::own(&mut target, &record);
        let left = self.left_behind(work, work.target, [&original, &target]).await?;
        original.extend(left);
        let way = Way { with_live: false, ..self.way(work) };
        let (changed, result) = self.site().update(&original, &target, way, &mut work.log).await;
        work.created = changed.created;
        result?;
        if self.manner(work).recreate {
            self.recreate(work, &changed.updated).await;
        }
        Ok(Step::Done)
    }

    /// Deletes the Pods of what was changed, so that they are made anew.
    async fn recreate(&self, work: &mut Work, updated: &[apply::Entry]) {
        for entry in updated {
            let Ok(Some(object)) = self.cluster().get(entry).await else { continue };
            let pods = self.cluster().pods_of(&object).await.unwrap_or_default();
            for pod in pods {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let id = apply::Id {
                    namespace: entry.id.namespace.clone(),
                    name,
                    group: String::new(),
                    kind: "Pod".to_owned(),
                };
                let pod = apply::Entry { id, version: "v1".to_owned() };
                let deleted =
                    self.cluster().delete_with(&pod, apply::Propagation::Background).await;
                if let Err(why) = deleted {
                    let text = format!("unable to recreate pods for object {}: {why}", entry.id);
                    work.log.say(self.now(), text);
                }
            }
        }
    }

    pub(super) async fn finish_rollback(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        for mut old in self.storage.history(&work.name).await? {
            if old.record.info.status == Status::Deployed && old.record.version != work.version {
                let text = format!("superseding previous deployment {}", old.record.version);
                work.log.say(self.now(), text);
                old.record.info.status = Status::Superseded;
                self.save_other(work, old).await;
            }
        }
        let description = self.record()?.info.description.clone();
        self.mark(Status::Deployed, description);
        let text = format!("updating status for rolled back release for {}", work.name);
        work.log.say(self.now(), text);
        self.save(work).await?;
        Ok(Step::Done)
    }

    pub(super) async fn fail_rollback(
        &mut self,
        work: &mut Work,
        stage: Stage,
        why: String,
    ) -> String {
        if stage != Stage::Apply {
            self.mark(Status::Failed, format!("Release {:?} failed: {why}", work.name));
            self.save_or_log(work).await;
            let settles = stage == Stage::Settle;
            return if settles { format!("release {} failed: {why}", work.name) } else { why };
        }
        let message = format!("Rollback {:?} failed: {why}", work.name);
        work.log.say(self.now(), format!("warning: {message}"));
        if let Ok(Some(mut from)) = self.storage.get(&work.name, work.from).await {
            from.record.info.status = Status::Superseded;
            self.save_other(work, from).await;
        }
        self.mark(Status::Failed, message);
        self.save_or_log(work).await;
        match self.undo(work).await {
            Ok(()) => why,
            Err(problem) => format!(
                "an error occurred while cleaning up resources. original rollback error: {why}: \
                 unable to cleanup resources: {problem}"
            ),
        }
    }
}
