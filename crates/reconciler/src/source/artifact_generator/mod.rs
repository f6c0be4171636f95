//! `ArtifactGenerator`: files of several sources, composed to artifacts of their own.
//!
//! ```text
//! spec ─> plan: valid? ─> observe: sources ─> drift? ── none ─> the artifacts stay
//!                                               │ some
//!         fetch ─> compose (copy, merge) ─> tarball ─> ExternalArtifact ─> orphans are deleted
//! ```
//!
//! Invariants: no path of a copy leaves its source or its artifact; an artifact is told only when it
//! is stored whole; what carries the label of a generator and is no longer asked for goes, also if
//! the process was killed before its inventory was written.

mod act;
mod compose;
mod glob;
mod merge;
mod observe;
mod path;
mod plan;
mod report;

use std::{sync::Arc, time::Duration};

use api::{
    reason,
    source_extensions::{ArtifactGenerator, FINALIZER, GeneratedArtifact},
};
use controller::{Conditions, Event, Host, Reconcile, Reference, Report, Stop, Turn, Watch};

use self::{act::Outcome, observe::Sources};
use crate::Fetcher;

/// Upstream's name for the controller: event source and field manager.
pub const CONTROLLER: &str = "source-watcher";

/// How the controller behaves; the fields are upstream's flags.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// `--reconciliation-timeout`.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requeue_dependency: Duration::from_secs(5),
            no_cross_namespace_refs: false,
            timeout: Duration::from_mins(10),
        }
    }
}

/// What the reconciler works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// The artifacts.
    pub store: artifact::Store,
    /// How artifacts of sources are got.
    pub fetcher: Fetcher,
    /// Where composing runs.
    pub compute: controller::Compute,
    /// Flags.
    pub options: Arc<Options>,
}

/// Reconciles `ArtifactGenerator`s.
pub struct ArtifactGeneratorReconciler {
    context: Context,
    sources: Sources,
}

impl ArtifactGeneratorReconciler {
    /// A reconciler that finds sources in the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, sources: Sources::new(host) }
    }

    async fn run(&self, it: &ArtifactGenerator, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let context = &self.context;
        plan::validate(it, &context.options)?;
        let wait = |turn: &mut Turn, what: &str, why: String| {
            report::keep_progress(it, turn);
            let after = context.options.requeue_dependency;
            Stop::wait(reason::SOURCE_FETCH_FAILED, format!("{what} failed: {why}"), after)
        };
        let sources = self.sources.observe(it).map_err(|why| wait(turn, "get sources", why))?;
        let digest = observe::digest(&sources);
        if let Some(drift) = observe::drift(it, &digest, context).await {
            tracing::info!(reason = drift, "{}", report::IN_PROGRESS);
        } else {
            return Ok(report::up_to_date(it));
        }
        turn.drift(report::IN_PROGRESS).await?;
        let trees = act::fetch(&sources, context).await;
        let trees = trees.map_err(|why| wait(turn, "fetch sources", why))?;
        let mut outcome = Outcome::default();
        for artifact in &it.spec.output_artifacts {
            turn.check()?;
            let made = act::make(it, artifact, (&sources, &trees), (turn.now(), context)).await;
            match made {
                Ok(made) => outcome.add(it, made),
                Err(stop) => return report::failed(it, outcome, stop),
            }
        }
        if let Err(stop) = act::prune(it, &outcome.inventory, context).await {
            return report::failed(it, outcome, stop);
        }
        act::collect(&outcome.inventory, turn.now(), context).await;
        Ok(report::generated(it, outcome, digest))
    }
}

impl Reconcile for ArtifactGeneratorReconciler {
    type Resource = ArtifactGenerator;
    const CONTROLLER: &'static str = CONTROLLER;
    const FINALIZER: &'static str = FINALIZER;

    async fn turn(&self, it: &ArtifactGenerator, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        if report::is_new(it) {
            turn.progress(report::IN_PROGRESS).await?;
        }
        let timeout = self.context.options.timeout;
        let run = tokio::time::timeout(timeout, Box::pin(self.run(it, turn))).await;
        run.unwrap_or_else(|_| {
            let message = format!("reconciliation took longer than {}", api::duration::Go(timeout));
            Err(Stop::fail(reason::RECONCILIATION_FAILED, message))
        })
    }

    async fn finalize(&self, it: &ArtifactGenerator, _: &mut Turn) -> Result<(), Stop> {
        act::prune(it, &Vec::<GeneratedArtifact>::new(), &self.context).await
    }

    fn suspended(&self, it: &ArtifactGenerator, conditions: &mut Conditions) -> Option<Event> {
        Some(report::disabled(it, conditions))
    }

    fn references(&self, it: &ArtifactGenerator) -> Vec<Reference> {
        observe::references(it)
    }

    fn watches(&self) -> Vec<Watch> {
        observe::watches()
    }
}
