//! Sources: what is fetched from elsewhere becomes an artifact.
//!
//! ```text
//! spec, Secrets ─> observe ─> nothing new? ── yes ─> the artifact stays
//!                     │ no
//!                     └─> fetch ─> verify ─> archive ─> status.artifact
//! ```
//!
//! Every kind runs the same [`Pass`]: it begins with what is stored, and ends in one summary of the
//! conditions, by upstream's rules.
//!
//! Invariants: an artifact is told only when it is stored whole; what fails leaves the artifact that
//! was there before; the digest of what is stored is checked in every pass.

mod condition;
mod git_repository;
mod pass;

use std::{sync::Arc, time::Duration};

pub use self::git_repository::GitRepositoryReconciler;

/// Upstream's name for the controller: event source and field manager.
pub const CONTROLLER: &str = "source-controller";

/// Beginning of the keys of what events tell of artifacts.
const GROUP: &str = "source.toolkit.fluxcd.io";

/// How the controllers behave; the fields are upstream's flags.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
    /// Feature gate `ObjectLevelWorkloadIdentity`.
    pub object_level_workload_identity: bool,
    /// `--default-service-account`, for workload identity.
    pub default_service_account: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requeue_dependency: Duration::from_secs(30),
            object_level_workload_identity: false,
            default_service_account: None,
        }
    }
}

/// What the reconcilers of all sources share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// The artifacts.
    pub store: artifact::Store,
    /// Git repositories.
    pub mirrors: git::Mirrors,
    /// Tokens of GitHub Apps.
    pub forge: forge::Forge,
    /// Flags.
    pub options: Arc<Options>,
}
