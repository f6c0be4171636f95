//! `--until`: waiting as a CI step, and the reasons if it was in vain.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use crate::{host::embedded::Embedded, manifest::Applied, term::Term};

/// Least time between two looks at the objects.
const PAUSE: Duration = Duration::from_millis(100);
/// Kinds that just are: nobody wonders why they are not waited for.
const PASSIVE: [&str; 5] =
    ["CustomResourceDefinition", "Namespace", "Secret", "ConfigMap", "ServiceAccount"];

/// What is waited for.
pub(super) struct Step<'a> {
    pub(super) plane: &'a Embedded,
    pub(super) term: Term,
    pub(super) applied: &'a [Applied],
    pub(super) started: Instant,
    pub(super) timeout: Duration,
}

/// How one object stands.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    name: String,
    state: State,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// It may become ready.
    Waiting,
    /// It will not become ready before somebody changes it.
    Stalled,
}

impl Step<'_> {
    /// Waits until all objects of kinds with a controller are ready, or until those that are not
    /// never will be.
    ///
    /// # Errors
    /// When some are not ready in the end.
    pub(super) async fn ready(&self) -> Result<()> {
        self.name_the_unwatched();
        loop {
            let looked = Instant::now();
            let standings = self.look().await?;
            if standings.iter().all(|it| it.state != State::Waiting) {
                return self.report(&standings, "");
            }
            if self.started.elapsed() >= self.timeout {
                return self.report(&standings, &format!(" after {:.0?}", self.timeout));
            }
            // Looking at many objects must not take the time that reconciling them needs.
            tokio::time::sleep(PAUSE.max(looked.elapsed() * 9)).await;
        }
    }

    /// Waits until no controller has anything to do; then all objects should be ready.
    ///
    /// # Errors
    /// When it takes too long, or some are not ready then.
    pub(super) async fn idle(&self) -> Result<()> {
        self.name_the_unwatched();
        let left = self.timeout.saturating_sub(self.started.elapsed());
        let idle = tokio::time::timeout(left, self.plane.idle()).await;
        let standings = self.look().await?;
        self.report(&standings, if idle.is_ok() { " although nothing is left to do" } else { "" })?;
        if idle.is_err() {
            bail!("the controllers were still busy after {:.0?}", self.timeout);
        }
        Ok(())
    }

    /// Says once which kinds nobody reconciles, so that nobody wonders why they were not waited for.
    fn name_the_unwatched(&self) {
        let has_controller =
            |kind: &str| self.plane.kinds().iter().any(|resource| resource.kind == kind);
        let kinds: BTreeSet<&str> = self
            .applied
            .iter()
            .map(|it| it.resource.kind.as_str())
            .filter(|kind| !PASSIVE.contains(kind) && !has_controller(kind))
            .collect();
        for kind in kinds {
            self.term.begin(&format!("{kind} has no controller here and is not waited for"));
        }
    }

    async fn look(&self) -> Result<Vec<Standing>> {
        let mut standings = Vec::new();
        for resource in self.plane.kinds() {
            let api: Api<DynamicObject> = Api::all_with(self.plane.client.clone(), resource);
            let objects = api.list(&ListParams::default()).await?;
            standings.extend(objects.iter().map(|object| standing(&resource.kind, object)));
        }
        Ok(standings)
    }

    /// Tells how every object stands, and fails if some are not ready.
    fn report(&self, standings: &[Standing], when: &str) -> Result<()> {
        for it in standings {
            let line = format!("{}: {}", it.name, it.message);
            if it.state == State::Ready { self.term.done(&line) } else { self.term.failed(&line) }
        }
        let all = standings.len();
        match standings.iter().filter(|it| it.state != State::Ready).count() {
            0 if all == 0 => self.term.begin("no object has a controller: nothing to wait for"),
            0 => {}
            left => bail!("{left} of {all} objects are not ready{when}"),
        }
        Ok(())
    }
}

fn standing(kind: &str, object: &DynamicObject) -> Standing {
    let namespace = object.namespace().unwrap_or_default();
    let name = format!("{kind}/{namespace}/{}", object.name_any());
    if object.data["spec"]["suspend"] == Value::Bool(true) {
        return Standing { name, state: State::Ready, message: "suspended".to_owned() };
    }
    let generation = object.metadata.generation.unwrap_or_default();
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let condition = |name: &str| conditions.iter().find(|it| it["type"] == name);
    let holds = |name: &str| condition(name).is_some_and(|it| it["status"] == "True");
    let state = match status["observedGeneration"].as_i64() == Some(generation) {
        true if holds("Ready") => State::Ready,
        true if holds("Stalled") => State::Stalled,
        _ => State::Waiting,
    };
    let message = condition("Ready").and_then(|it| it["message"].as_str());
    Standing { name, state, message: message.unwrap_or("not reconciled yet").to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(object: Value) -> (State, String) {
        let it = standing("Kind", &serde_json::from_value(object).unwrap());
        (it.state, it.message)
    }

    #[test]
    fn only_the_observed_generation_counts() {
        let object = |observed: i64, stalled: &str, ready: &str| {
            json!({
                "metadata": {"name": "x", "generation": 2},
                "status": {"observedGeneration": observed, "conditions": [
                    {"type": "Stalled", "status": stalled, "message": "no"},
                    {"type": "Ready", "status": ready, "message": "fine"}]},
            })
        };
        assert_eq!(of(object(2, "False", "True")), (State::Ready, "fine".to_owned()));
        assert_eq!(of(object(1, "False", "True")).0, State::Waiting);
        assert_eq!(of(object(2, "True", "False")).0, State::Stalled);
        assert_eq!(of(object(1, "True", "False")).0, State::Waiting);
        assert_eq!(of(json!({"metadata": {}})).1, "not reconciled yet");
        assert_eq!(of(json!({"metadata": {}, "spec": {"suspend": true}})).0, State::Ready);
    }
}
