//! Staged promotion: bundles move through environments, gated, in Git.
//!
//! ```text
//! ImagePolicies, sources ──> Pipeline ──makes──> Bundle ──> Stage ──makes──> Promotion
//!                                                            ^  │ gives the turn   │
//!              Freeze, other stages, the branch ─────────────┘  └────────────────> │
//!                                                                                  v
//!  Kustomizations, HelmReleases <── Flux <── branch <── commit, compare-and-swap ──┘
//! ```
//!
//! Every decision is made by the engine `pipeline`; here it is given what it asks for, and done what it
//! says.
//!
//! Invariants:
//! - Only commits change anything, besides asking Flux to look at once.
//! - What is about to be pushed is recorded first; a commit is found again by its trailer and the values
//!   it holds, so that a killed process makes none twice.
//! - A push only ever adds to what was read, and one process writes to a branch at a time.
//! - What a person committed is not overwritten before the stage has seen it, and holds the stage.
//! - What cannot be had yet is refused by name (`NotImplemented`), never ignored.
//!
//! It chooses no images (`reflector` does), applies nothing (`reconciler` does) and knows neither Git's
//! wire (`git`) nor YAML (`setters`).

mod available;
mod brake;
mod branch;
mod bundle;
mod chart;
mod component;
mod deploy;
mod freeze;
mod gate;
mod guard;
mod keep;
mod ledger;
mod message;
mod meter;
mod origin;
mod outside;
mod pipe;
mod promote;
mod provider;
mod queue;
mod rules;
mod stage;
mod store;
mod template;
mod tree;
mod value;

use std::sync::Arc;

pub use self::{
    brake::FreezeReconciler,
    bundle::BundleReconciler,
    gate::{Adapter, Asked, Gates},
    meter::Meters,
    outside::Outside,
    pipe::PipelineReconciler,
    promote::PromotionReconciler,
    rules::{Refused, Rules, freeze_rules, rules},
    stage::StageReconciler,
};

/// Name of the controller: event source and field manager.
pub const CONTROLLER: &str = "promotion-controller";

/// Annotation of Promotions that are made again from their commits: whoever makes them tells their status,
/// and until then nobody acts on them.
pub const REBUILT: &str = "promotion.sluice.dev/rebuilt";

/// How the controller behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// Whether names of users are believed where no admission policy makes sure of them: then anybody
    /// who may write a Promotion can approve it in anybody's name.
    pub unguarded: bool,
    /// `--gate-allowed-hosts`: hosts that gates may ask; all if there are none.
    pub allowed_hosts: Vec<String>,
}

/// What the reconcilers work with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// Git repositories.
    pub mirrors: git::Mirrors,
    /// Tokens of cloud providers.
    pub cloud: cloud::Cloud,
    /// Tokens of GitHub Apps.
    pub forge: forge::Forge,
    /// Where engines run.
    pub compute: controller::Compute,
    /// One writer for each branch.
    pub writers: repository::Writers,
    /// Gates that ask the outside.
    pub gates: Gates,
    /// What is counted.
    pub meters: Meters,
    /// Registries.
    pub registry: registry::Client,
    /// Where Git providers may not be.
    pub guard: http_client::Guard,
    /// Flags.
    pub options: Arc<Options>,
}
