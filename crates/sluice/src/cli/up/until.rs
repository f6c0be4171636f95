//! `--until`: waiting as a CI step, and the reasons if it was in vain.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::Result;
use kube::{Api, api::DynamicObject, core::DynamicObject as Dynamic};
use serde_json::Value;

use crate::{host::embedded::Embedded, manifest::Applied, term::Term};

/// Time between two looks at the objects.
const PAUSE: Duration = Duration::from_millis(100);

/// What is waited for.
pub(super) struct Step<'a> {
    pub(super) plane: &'a Embedded,
    pub(super) term: Term,
    pub(super) applied: &'a [Applied],
}

/// How one object stands.
struct Standing {
    name: String,
    ready: bool,
    message: String,
}

impl Step<'_> {
    /// Waits until all objects of kinds with a controller are ready.
    pub(super) async fn ready(&self, timeout: Duration) -> Result<bool> {
        self.name_the_unwatched();
        let started = Instant::now();
        loop {
            let standings = self.look().await?;
            if standings.iter().all(|it| it.ready) {
                self.report(&standings);
                return Ok(true);
            }
            if started.elapsed() >= timeout {
                self.report(&standings);
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until no controller has anything to do; then all objects should be ready.
    pub(super) async fn idle(&self, timeout: Duration) -> Result<bool> {
        self.name_the_unwatched();
        let idle = tokio::time::timeout(timeout, self.plane.host.idle()).await;
        let standings = self.look().await?;
        self.report(&standings);
        if idle.is_err() {
            self.term.failed(&format!("the controllers were still busy after {timeout:?}"));
        }
        Ok(idle.is_ok() && standings.iter().all(|it| it.ready))
    }

    fn has_controller(&self, applied: &Applied) -> bool {
        self.plane.kinds.contains(&applied.resource.kind)
    }

    /// Says once which kinds nobody reconciles, so that nobody wonders why they were not waited for.
    fn name_the_unwatched(&self) {
        let passive = ["CustomResourceDefinition", "Namespace", "Secret", "ConfigMap"];
        let kinds: BTreeSet<&str> = self
            .applied
            .iter()
            .filter(|it| !self.has_controller(it))
            .map(|it| it.resource.kind.as_str())
            .filter(|kind| !passive.contains(kind))
            .collect();
        for kind in kinds {
            self.term.begin(&format!("{kind} has no controller here and is not waited for"));
        }
    }

    async fn look(&self) -> Result<Vec<Standing>> {
        let mut standings = Vec::new();
        for applied in self.applied.iter().filter(|it| self.has_controller(it)) {
            let client = self.plane.client.clone();
            let namespace = applied.namespace.as_deref().unwrap_or("default");
            let api: Api<DynamicObject> =
                Api::namespaced_with(client, namespace, &applied.resource);
            let name = format!("{}/{namespace}/{}", applied.resource.kind, applied.name);
            standings.push(standing(name, api.get_opt(&applied.name).await?));
        }
        Ok(standings)
    }

    fn report(&self, standings: &[Standing]) {
        for it in standings {
            let line = format!("{}: {}", it.name, it.message);
            if it.ready { self.term.done(&line) } else { self.term.failed(&line) }
        }
    }
}

fn standing(name: String, object: Option<Dynamic>) -> Standing {
    let Some(object) = object else {
        return Standing { name, ready: false, message: "it is gone".to_owned() };
    };
    if object.data["spec"]["suspend"] == Value::Bool(true) {
        return Standing { name, ready: true, message: "suspended".to_owned() };
    }
    let generation = object.metadata.generation.unwrap_or_default();
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    let observed = status["observedGeneration"].as_i64() == Some(generation);
    let message = ready
        .and_then(|ready| ready["message"].as_str())
        .unwrap_or("not reconciled yet")
        .to_owned();
    let ready = observed && ready.is_some_and(|ready| ready["status"] == "True");
    Standing { name, ready, message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(object: Value) -> (bool, String) {
        let it = standing("x".into(), Some(serde_json::from_value(object).unwrap()));
        (it.ready, it.message)
    }

    #[test]
    fn only_the_observed_generation_counts() {
        let object = |observed: i64| {
            json!({
                "metadata": {"name": "x", "generation": 2},
                "status": {"observedGeneration": observed, "conditions": [
                    {"type": "Ready", "status": "True", "message": "fine"}]},
            })
        };
        assert_eq!(of(object(2)), (true, "fine".to_owned()));
        assert!(!of(object(1)).0);
        assert_eq!(of(json!({"metadata": {}})).1, "not reconciled yet");
        assert!(of(json!({"metadata": {}, "spec": {"suspend": true}})).0);
    }
}
