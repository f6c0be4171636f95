//! Installing a release.

use std::collections::BTreeMap;

use helm::release::{Info, LastRun, Record, Status};
use serde_json::json;

use super::super::change::Way;
use super::super::object::{self, Object};
use super::super::render::{self, Ingredients, Rendered};
use super::super::storage::Stored;
use super::super::{capability, postrender, spec};
use super::{Bench, Step, Unloaded, Work};

impl Bench<'_> {
    /// Renders the chart.
    pub(super) async fn render(
        &mut self,
        work: &Work,
        release: helm::render::Release,
        values: helm::values::Values,
    ) -> Result<Rendered, String> {
        let chart = self.load().await.map_err(Unloaded::told)?;
        let ingredients = Ingredients {
            chart,
            values,
            release,
            capabilities: capability::of(self.cluster()).await?,
            host: self.context.templates.clone(),
            dns: self.context.options.allow_dns_lookups,
            skip_schema: self.manner(work).skip_schema,
            steps: postrender::steps(self.it),
        };
        render::render(ingredients, self.cluster(), self.host.compute()).await
    }

    pub(super) async fn prepare_install(&mut self, work: &mut Work) -> Result<Step, String> {
        helm::release::check_name(&work.name)
            .map_err(|why| format!("release name {:?}: {why}", work.name))?;
        let manner = self.manner(work);
        let is_new = std::mem::take(&mut self.is_new);
        let last = if is_new { None } else { self.storage.last(&work.name).await? };
        if let Some(last) = &last {
            let status = last.record.info.status;
            let reusable = matches!(status, Status::Uninstalled | Status::Failed);
            if !(manner.replace && reusable) {
                return Err("cannot re-use a name that is still in use".to_owned());
            }
        }
        let release = helm::render::Release {
            name: work.name.clone(),
            namespace: spec::release_namespace(self.it),
            revision: 1,
            is_upgrade: false,
        };
        let now = self.now().to_string();
        let rendered = self.render(work, release.clone(), self.values.clone()).await?;
        let info = Info {
            first_deployed: now.clone(),
            last_deployed: now,
            deleted: String::new(),
            description: "Initial install underway".to_owned(),
            status: Status::PendingInstall,
            notes: String::new(),
        };
        let version = last.as_ref().map_or(1, |last| last.record.version + 1);
        let record = self.record_of(rendered, info, (release, version));
        let mut objects = self.build(&record).await?;
        object::own(&mut objects, &record);
        let present = self.adopted(work, &objects, &record).await;
        let present = present.map_err(|why| format!("Unable to continue with install: {why}"))?;
        self.present = Some(present);
        if manner.create_namespace {
            self.create_namespace(&record.namespace).await?;
        }
        if let Some(mut last) = last.filter(|it| it.record.info.status != Status::Failed) {
            last.record.info.status = Status::Superseded;
            "superseded by new release".clone_into(&mut last.record.info.description);
            self.save_other(work, last).await;
        }
        self.store(work, Stored::new(record, BTreeMap::new()), 0).await?;
        Ok(Step::Done)
    }

    /// The record of what was rendered.
    pub(super) fn record_of(
        &self,
        rendered: Rendered,
        mut info: Info,
        (release, version): (helm::render::Release, i64),
    ) -> Record {
        let Rendered { chart, hooks, manifest, notes } = rendered;
        info.notes = notes;
        Record {
            name: release.name,
            info,
            chart,
            config: self.values.clone(),
            manifest,
            hooks: hooks.into_iter().map(|hook| (hook, LastRun::default())).collect(),
            version,
            namespace: release.namespace,
        }
    }

    pub(super) async fn build(&self, record: &Record) -> Result<Vec<Object>, String> {
        let built = object::read(self.cluster(), &record.manifest, &record.namespace).await;
        built.map_err(|why| {
            format!("unable to build kubernetes objects from release manifest: {why}")
        })
    }

    /// The objects of a manifest that exist already and become the release's.
    async fn adopted(
        &self,
        work: &Work,
        objects: &[Object],
        record: &Record,
    ) -> Result<Vec<Object>, String> {
        let owner = (&*record.name, &*record.namespace);
        let owner = Some(owner).filter(|_| !self.manner(work).take_ownership);
        self.site().existing(objects, owner).await
    }

    async fn create_namespace(&self, name: &str) -> Result<(), String> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
                               "metadata": {"name": name, "labels": {"name": name}}});
        match self.cluster().create(&namespace).await {
            Err(why) if why.code != Some(409) => Err(object::listed(&[why.to_string()])),
            _ => Ok(()),
        }
    }

    pub(super) async fn apply_install(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        let record = self.record()?.clone();
        let mut objects = self.build(&record).await?;
        object::own(&mut objects, &record);
        let present = match self.present.take() {
            Some(seen) => seen,
            // It is another turn: hooks have run, or the process is another one.
            None => self.adopted(work, &objects, &record).await?,
        };
        let site = self.site();
        let way = Way { force: false, ..self.way(work) };
        if present.is_empty() && !objects.is_empty() && !way.applies {
            site.create(&objects, &mut work.log).await?;
        } else if !objects.is_empty() {
            site.update(&present, &objects, way, &mut work.log).await.1?;
        }
        Ok(Step::Done)
    }

    pub(super) async fn finish_install(&mut self, work: &mut Work) -> Result<Step, String> {
        self.recall(work).await?;
        self.mark(Status::Deployed, "Install complete".to_owned());
        self.save(work).await?;
        Ok(Step::Done)
    }

    pub(super) async fn fail_install(&mut self, work: &mut Work, why: String) -> String {
        self.mark(Status::Failed, format!("Release {:?} failed: {why}", work.name));
        self.save_or_log(work).await;
        why
    }
}

impl Unloaded {
    pub(super) fn told(self) -> String {
        match self {
            Self::Absent => "the artifact of the chart is not there".to_owned(),
            Self::Broken(why) | Self::Unfit(why) => why,
        }
    }
}
