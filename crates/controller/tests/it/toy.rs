//! A kind whose objects do what their spec says, to show what the kit does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::meta::{Condition, Object, Status};
use controller::{Event, Key, Next, Reconcile, Reference, Report, Stop, Turn, Watch};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::CustomResource;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

#[derive(CustomResource, Debug, Clone, Default, Serialize, Deserialize)]
#[kube(
    group = "toys.example.com",
    version = "v1",
    kind = "Toy",
    namespaced,
    schema = "disabled",
    status = "ToyStatus"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToySpec {
    #[serde(default)]
    pub(crate) suspend: bool,
    /// What the turn does; see [`Toys::act`].
    #[serde(default)]
    pub(crate) act: String,
    /// Text of the Ready message.
    #[serde(default)]
    pub(crate) text: String,
    /// The `ConfigMap` that is waited for.
    #[serde(default)]
    pub(crate) map: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToyStatus {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_handled_reconcile_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<String>,
}

impl Object for Toy {
    type Status = ToyStatus;

    fn status(&self) -> Option<&ToyStatus> {
        self.status.as_ref()
    }

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
}

impl Status for ToyStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }

    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    fn set_observed_generation(&mut self, generation: i64) {
        self.observed_generation = Some(generation);
    }

    fn last_handled_reconcile_at(&self) -> Option<&str> {
        self.last_handled_reconcile_at.as_deref()
    }

    fn set_last_handled_reconcile_at(&mut self, value: String) {
        self.last_handled_reconcile_at = Some(value);
    }
}

/// The definition of the kind.
pub(crate) fn definition() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let status = json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
        "default": {"observedGeneration": -1},
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "toys.toys.example.com"},
        "spec": {
            "group": "toys.example.com",
            "names": {"kind": "Toy", "listKind": "ToyList", "plural": "toys", "singular": "toy"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": open, "status": status},
                }},
            }],
        },
    })
}

/// What the turns of all toys have in common with the test.
#[derive(Clone)]
pub(crate) struct Bench {
    /// Names of the objects, in the order in which their turns began.
    pub(crate) turns: Arc<Mutex<Vec<String>>>,
    /// What `gate` turns wait for.
    pub(crate) gate: Arc<Semaphore>,
    /// How many turns are waiting at the gate.
    pub(crate) at_gate: Arc<AtomicUsize>,
    /// What finalizing waits for: nothing as long as it is false.
    pub(crate) keep: Arc<Mutex<bool>>,
    pub(crate) compute: controller::Compute,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            turns: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            at_gate: Arc::default(),
            keep: Arc::default(),
            compute: controller::Compute::new(2, 1 << 20),
        }
    }
}

impl Bench {
    pub(crate) fn runs(&self, name: &str) -> usize {
        self.turns.lock().iter().filter(|turn| *turn == name).count()
    }
}

pub(crate) struct Toys {
    pub(crate) bench: Bench,
    pub(crate) maps: controller::Store<ConfigMap>,
}

/// How long a parked toy waits.
const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const INTERVAL: Duration = Duration::from_mins(10);

#[derive(Default)]
struct Count(usize);

impl Reconcile for Toys {
    type Resource = Toy;
    const CONTROLLER: &'static str = "toy-controller";

    async fn turn(&self, it: &Toy, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.bench.turns.lock().push(turn.key().name.clone());
        turn.memo::<Count>().0 += 1;
        self.act(it, turn).await
    }

    async fn finalize(&self, _: &Toy, turn: &mut Turn) -> Result<(), Stop> {
        self.bench.turns.lock().push(format!("finalize {}", turn.key().name));
        if *self.bench.keep.lock() {
            return Err(Stop::fail("Failure", "still in use"));
        }
        Ok(())
    }

    fn references(&self, it: &Toy) -> Vec<Reference> {
        let namespace = it.metadata.namespace.as_deref().unwrap_or_default();
        match it.spec.map.as_deref() {
            Some("*") => vec![Reference::all::<ConfigMap>(namespace)],
            Some(name) if it.spec.act != "park" => {
                vec![Reference::object::<ConfigMap>(namespace, name)]
            }
            _ => vec![],
        }
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::on::<ConfigMap>(|before, after| {
            before.map(|map| &map.data) != after.map(|map| &map.data)
        })]
    }
}

/// What turns do that do not get anywhere.
fn stop(act: &str, text: &str, turn: &mut Turn) -> Option<Stop> {
    Some(match act {
        "fail" => Stop::fail("Failure", text),
        "stall" => Stop::stall("InvalidToy", text),
        "wait" => Stop::wait("DependencyNotReady", text, Duration::from_secs(30)),
        "panic" => panic!("{text}"),
        "stop" => Stop::Superseded,
        "give way" if turn.memo::<Count>().0 == 1 => Stop::GiveWay,
        "late" => Stop::Wait {
            reason: "Waiting",
            message: text.to_owned(),
            next: Next::Park { wake_on: vec![], deadline: Some(turn.now()) },
        },
        "pend" => {
            turn.note("half way");
            Stop::Pending { next: Next::Again { after: Duration::from_secs(5) } }
        }
        _ => return None,
    })
}

impl Toys {
    async fn act(&self, it: &Toy, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut status = it.status.clone().unwrap_or_default();
        let text = it.spec.text.clone();
        let ready =
            |status, text: &str| Report::ready(status, text, Next::Interval { every: INTERVAL });
        if let Some(stop) = stop(&it.spec.act, &text, turn) {
            return Err(stop);
        }
        match it.spec.act.as_str() {
            "progress" => {
                turn.progress(format!("playing: {text}")).await?;
                self.gate(turn).await?;
                Err(Stop::fail("Failure", text))
            }
            "drift" => {
                turn.drift("starting over").await?;
                self.gate(turn).await?;
                Ok(ready(status, &text))
            }
            "announce" => {
                turn.announce().await?;
                self.gate(turn).await?;
                Ok(ready(status, &text))
            }
            "record" => {
                status.seen = Some("intent".into());
                turn.record(&status).await?;
                Err(Stop::fail("Failure", "after the intent was recorded"))
            }
            "gate" => {
                self.gate(turn).await?;
                Ok(ready(status, &text))
            }
            "count" => {
                let count = turn.memo::<Count>().0;
                Ok(ready(status, &format!("turn {count}")))
            }
            "plan" => {
                let (gate, at_gate) = (self.bench.gate.clone(), self.bench.at_gate.clone());
                let plan = move || {
                    at_gate.fetch_add(1, Ordering::SeqCst);
                    while gate.try_acquire().is_err() {
                        std::thread::yield_now();
                    }
                };
                let planned = self.bench.compute.run(1, plan).await;
                planned.map_err(|error| Stop::fail("Failure", error))?;
                Ok(ready(status, &text))
            }
            "park" => self.park(it, turn),
            "slow" => {
                self.gate(turn).await?;
                let deadline = Some(turn.now() + PATIENCE);
                let next = Next::Park { wake_on: vec![], deadline };
                Err(Stop::Wait { reason: "Waiting", message: text, next })
            }
            "seen" => {
                let namespace = it.metadata.namespace.as_deref().unwrap_or_default();
                let name = it.spec.map.as_deref().unwrap_or_default();
                let map = self.maps.get(namespace, name);
                status.seen = map.and_then(|map| map.data.clone()?.remove("value"));
                let mut report = ready(status, &text);
                report.steady = Some("nothing new".into());
                Ok(report)
            }
            "news" => {
                let mut report = ready(status, &text);
                report.news = Some("100% new".into());
                report.metadata.insert("toys.example.com/revision".into(), "r1".into());
                report.events = vec![Event::info("Explained", "because")];
                Ok(report)
            }
            _ => {
                let mut report = ready(status, &text);
                report.steady = Some("nothing new".into());
                Ok(report)
            }
        }
    }

    async fn gate(&self, turn: &Turn) -> Result<(), Stop> {
        self.bench.at_gate.fetch_add(1, Ordering::SeqCst);
        let passed = tokio::select! {
            permit = self.bench.gate.acquire() => { permit.unwrap().forget(); Ok(()) }
            () = turn.cancelled().cancelled() => Err(Stop::Superseded),
        };
        self.bench.at_gate.fetch_sub(1, Ordering::SeqCst);
        passed
    }

    /// Waits for a `ConfigMap`, at most for [`PATIENCE`] from when it began to wait.
    fn park(&self, it: &Toy, turn: &Turn) -> Result<Report<Self>, Stop> {
        let Key { namespace, .. } = turn.key().clone();
        let name = it.spec.map.clone().unwrap_or_default();
        let status = it.status.clone().unwrap_or_default();
        if self.maps.get(&namespace, &name).is_some() {
            return Ok(Report::ready(status, "there it is", Next::Idle));
        }
        let deadline = turn.waiting_since("Waiting") + PATIENCE;
        if turn.now() >= deadline {
            return Err(Stop::stall("TimedOut", format!("{name} did not come")));
        }
        let wake_on = vec![Reference::object::<ConfigMap>(namespace, &name)];
        Err(Stop::Wait {
            reason: "Waiting",
            message: format!("waiting for {name}"),
            next: Next::Park { wake_on, deadline: Some(deadline) },
        })
    }
}
