//! ImageUpdateAutomation: chosen images become commits.
//!
//! ```text
//! ImagePolicies ─┐
//! GitRepository ─┼─> observe ─> mirror ─> setters (pure) ─> commit ─> push, compare-and-swap
//! Secrets ───────┘                             └─ markers left alone, explained     │
//!                                     lost race: once more on the new head <────────┘
//! ```
//!
//! Invariants:
//! - A commit holds the marked values and nothing else; there are no empty commits.
//! - A push only ever adds to what was read: a head that moved meanwhile is read again.
//! - What is about to be pushed is recorded first, so that a killed process finds its commit again
//!   and tells of it once more rather than making it twice.
//! - Nothing is fetched when neither the policies nor the branch have changed.
//! - One automation at a time writes to a branch.
//!
//! It chooses no images (`reflector` does) and knows neither Git's wire (`git`) nor YAML (`setters`).

mod act;
mod message;
mod observe;
mod reconciler;
mod report;
mod selector;
mod source;
mod tree;

use std::sync::Arc;

pub use self::{reconciler::AutomationReconciler, tree::Unmarked};

/// Upstream's name for the controller: event source and field manager.
pub const CONTROLLER: &str = "image-automation-controller";

/// How the controller behaves; the fields are upstream's flags and feature gates.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "flags and feature gates are independent")]
pub struct Options {
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// Gate `GitAllBranchReferences`: an existing push branch is continued, not replaced.
    pub all_branch_references: bool,
    /// Gate `GitForcePushBranch`: a push branch other than the checkout branch may be overwritten.
    pub force_push_branch: bool,
    /// Feature gate `ObjectLevelWorkloadIdentity`.
    pub object_level_workload_identity: bool,
    /// `--default-service-account`, for workload identity.
    pub default_service_account: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            no_cross_namespace_refs: false,
            all_branch_references: true,
            force_push_branch: true,
            object_level_workload_identity: false,
            default_service_account: None,
        }
    }
}

/// What the reconciler works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// Git repositories.
    pub mirrors: git::Mirrors,
    /// Tokens of GitHub Apps.
    pub forge: forge::Forge,
    /// Tokens of clouds.
    pub cloud: cloud::Cloud,
    /// Where engines run.
    pub compute: controller::Compute,
    /// Files that are known to have no marker.
    pub unmarked: Unmarked,
    /// One writer for each branch.
    pub writers: repository::Writers,
    /// Flags.
    pub options: Arc<Options>,
}
