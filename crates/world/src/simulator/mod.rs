//! A simulator: plays the kubelet, and the controllers of workloads where none run.
//!
//! ```text
//!              watch                       play (one file per kind)
//! API server ────────> what is known ────────────────────────────────> create, status, delete
//!                          ^    clock: what is due ──┘                        │
//!                          └──────────────────────────────────────────────────┘
//! ```
//!
//! It is a client like any other, and so serves the embedded control plane and kube-apiserver
//! alike. Beside a kube-controller-manager it plays just what that does not: Nodes, Pods, volumes
//! and load balancers.
//!
//! How a Pod behaves is said by the annotation [`BEHAVIOUR`] of the Pod, of one of its owners (a
//! Deployment, a Job, …) or of its Namespace; the nearest one counts. See [`Behaviour`]. With the tag of
//! the first container's image and a dot before it in the annotation's name, it is for that image only:
//! `simulator.sluice.dev/behaviour.2.1.0: fail`.
//!
//! Invariants:
//! - Level-triggered: every turn looks at how things are, so that a simulator that starts anew goes
//!   on where another one ended.
//! - Deterministic: names, addresses and the order of turns follow from the objects; time comes from
//!   the clock.
//! - Objects are made under fixed names, so that what is made twice is refused and harmless.
//!
//! It does not: run anything, pull images, look at probes, volumes' content or resources, nor wait
//! between the attempts of a Job.

mod behaviour;
mod claim;
mod cluster;
mod condition;
mod cron_job;
mod daemon_set;
mod deployment;
mod job;
mod kind;
mod known;
mod name;
mod node;
mod pod;
mod pod_status;
mod replica_set;
mod revision;
mod rollout;
mod service;
mod stateful_set;
mod work;

use std::sync::Arc;

use controller::clock::{self, Clock};
use kube::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::behaviour::{Behaviour, Error};

/// The annotation that says how Pods behave.
pub const BEHAVIOUR: &str = "simulator.sluice.dev/behaviour";
/// The Node that all Pods run on.
pub const NODE: &str = "simulator";

/// What is played, and by which time.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether workload controllers are played too; `false` beside a kube-controller-manager.
    pub controllers: bool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self { controllers: true, clock: Arc::new(clock::System) }
    }
}

/// A running simulator; dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Simulator {
    /// Starts to play on the server of `client`.
    pub fn start(client: Client, options: Options) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(work::run(client, options, stop.clone()));
        Self { stop: stop.drop_guard(), task }
    }

    /// Ends it and waits until nothing is written any more.
    pub async fn stop(self) {
        drop(self.stop);
        // That it panicked has been told by the panic hook.
        let _ = self.task.await;
    }
}
