//! The CRDs of a chart, which are no part of its release.

use std::time::Duration;

use api::helm::CrdsPolicy;
use apply::Entry;
use helm::chart::Chart;

use super::super::object::{self, Object};
use super::super::postrender;
use super::super::ready::{self, Readiness};
use super::{Bench, Step, Unloaded, Work};

/// How long they may take until they are served.
pub(super) const TIMEOUT: Duration = Duration::from_mins(1);

impl Bench<'_> {
    /// Makes the CRDs that are missing, and replaces the others if that is asked for.
    pub(super) async fn apply_crds(&mut self, work: &mut Work) -> Result<Step, String> {
        let failed = |why: String| format!("failed to apply CustomResourceDefinitions: {why}");
        let chart = self.load().await.map_err(Unloaded::told)?;
        if helm::render::crds(&chart).is_empty() {
            return Ok(Step::Done);
        }
        let policy = self.manner(work).crds;
        if policy == CrdsPolicy::Skip {
            let text = "skipping CustomResourceDefinition apply: policy is set to Skip";
            work.log.say(self.now(), text);
            return Ok(Step::Done);
        }
        let objects = self.definitions(&chart).await.map_err(failed)?;
        let text = format!("applying CustomResourceDefinition(s) with policy {policy:?}");
        work.log.say(self.now(), text);
        let applied = self.apply_each(work, objects, policy).await.map_err(failed)?;
        work.created = applied;
        Ok(Step::Done)
    }

    /// The CRDs of the chart and of those of its subcharts that are on, marked as the release's.
    async fn definitions(&self, chart: &Chart) -> Result<Vec<Object>, String> {
        let mut chart = chart.clone();
        helm::render::choose(&mut chart, self.values)
            .map_err(|why| format!("failed to process chart dependencies: {why}"))?;
        let origin = postrender::origin(self.it);
        let labels: Vec<(&str, &str)> = origin.iter().map(|(k, v)| (&**k, &**v)).collect();
        let mut all = Vec::new();
        for (path, text) in helm::render::crds(&chart) {
            let objects = object::read(self.cluster(), &text, "").await.map_err(|why| {
                format!("failed to parse CustomResourceDefinitions from {path}: {why}")
            })?;
            for mut object in objects {
                object::put(&mut object.value, "labels", &labels);
                all.push(object);
            }
        }
        Ok(all)
    }

    async fn apply_each(
        &self,
        work: &mut Work,
        objects: Vec<Object>,
        policy: CrdsPolicy,
    ) -> Result<Vec<Entry>, String> {
        let mut applied = Vec::new();
        for object in objects {
            let name = object.name().to_owned();
            let created = self.cluster().create(&object.value).await;
            match created {
                Ok(_) => applied.push(object.entry),
                Err(why) if why.code == Some(409) && policy == CrdsPolicy::CreateReplace => {
                    self.cluster().replace(&object.value).await.map_err(|why| {
                        format!("failed to update CustomResourceDefinition(s): {why}")
                    })?;
                    applied.push(object.entry);
                }
                Err(why) if why.code == Some(409) => {
                    let text =
                        format!("CustomResourceDefinition {name} is already present. Skipping.");
                    work.log.say(self.now(), text);
                }
                Err(why) => {
                    let why = object::listed(&[why.to_string()]);
                    return Err(format!("failed to create CustomResourceDefinition {name}: {why}"));
                }
            }
        }
        Ok(applied)
    }

    /// Waits until the CRDs that were applied are served.
    pub(super) async fn established(&mut self, work: &mut Work) -> Result<Step, String> {
        let failed = |why: String| {
            format!(
                "failed to apply CustomResourceDefinitions: failed to wait for \
                 CustomResourceDefinition(s): {why}"
            )
        };
        for entry in work.created.clone() {
            let waits = match ready::of(self.cluster(), &entry).await {
                Ok(Readiness::Ready) => false,
                Ok(Readiness::NotYet(_)) => true,
                Ok(Readiness::Failed(why)) => return Err(failed(why)),
                Err(why) => return Err(failed(why.to_string())),
            };
            if waits && self.is_late(work) {
                return Err(failed(super::wait::LATE.to_owned()));
            }
            if waits {
                return Ok(Step::Wait(vec![entry]));
            }
        }
        let count = work.created.len();
        if count > 0 {
            let text = format!("successfully applied {count} CustomResourceDefinition(s)");
            work.log.say(self.now(), text);
            work.created.clear();
        }
        Ok(Step::Done)
    }
}
