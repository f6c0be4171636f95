//! ImageRepository and ImagePolicy: which tags there are, and which one is to run.
//!
//! ```text
//! registry ──tags──> repository ──> tags on disk, by object ──> policy ──> status.latestRef
//!                        └──> status.lastScanResult.revision ──wakes──┘
//! ```
//!
//! Invariants: a scan is made whole or not at all; what one object scanned is seen by its policies
//! only; a registry that limits its clients is left alone for as long as it asks.
//!
//! It decides no versions (that is `policy`), speaks no HTTP (`registry`) and writes no files of
//! users (`automation`).

mod access;
mod policy;
mod repository;
mod tags;

use std::{sync::Arc, time::Duration};

use api::{image::ImageRepository, reason};
use controller::Stop;

pub use self::{policy::PolicyReconciler, repository::RepositoryReconciler, tags::Tags};

/// Upstream's name for the two controllers: event source and field manager.
pub const CONTROLLER: &str = "image-reflector-controller";

/// How the controllers behave; the fields are upstream's flags.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
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
            no_cross_namespace_refs: false,
            requeue_dependency: Duration::from_secs(30),
            object_level_workload_identity: false,
            default_service_account: None,
        }
    }
}

/// What both reconcilers share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// Registries.
    pub registry: registry::Client,
    /// Logins of clouds.
    pub cloud: cloud::Cloud,
    /// The scanned tags.
    pub tags: Tags,
    /// Where engines run.
    pub compute: controller::Compute,
    /// Flags.
    pub options: Arc<Options>,
}

impl Context {
    /// Refuses what a feature gate that is off guards.
    fn check_gates(&self, it: &ImageRepository, by: access::Referrer) -> Result<(), Stop> {
        use api::image::RegistryProvider::Generic;
        let cloud = it.spec.provider.unwrap_or_default() != Generic;
        let named = it.spec.service_account_name.as_deref().is_some_and(|name| !name.is_empty());
        if !cloud || !named || self.options.object_level_workload_identity {
            return Ok(());
        }
        let whose = match by {
            access::Referrer::Repository => "",
            access::Referrer::Policy => " in the ImageRepository",
        };
        Err(Stop::stall(
            reason::FEATURE_GATE_DISABLED,
            format!(
                "to use spec.serviceAccountName{whose} for provider authentication please enable \
                 the ObjectLevelWorkloadIdentity feature gate in the controller"
            ),
        ))
    }
}
