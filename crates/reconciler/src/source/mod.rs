//! Sources: what is fetched from elsewhere becomes an artifact.
//!
//! ```text
//! spec, Secrets ─> observe ─> nothing new? ── yes ─> the artifact stays
//!                     │ no
//!                     └─> fetch ─> verify ─> archive ─> status.artifact
//! ```
//!
//! Every kind runs the same pass: it begins with what is stored, and ends in one summary of the
//! conditions, by upstream's rules.
//!
//! Invariants: an artifact is told only when it is stored whole; what fails leaves the artifact that
//! was there before; the digest of what is stored is checked in every pass.

pub mod artifact_generator;
mod bucket;
mod chart_index;
mod chart_server;
mod condition;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod oci_repository;
mod pass;

use std::{sync::Arc, time::Duration};

use access::{Reader, Workload};
use api::meta::Object;
use artifact::{Kind, Place};
use controller::Stop;
use kube::ResourceExt as _;

pub use self::{
    artifact_generator::ArtifactGeneratorReconciler, bucket::BucketReconciler,
    git_repository::GitRepositoryReconciler, helm_chart::HelmChartReconciler,
    helm_repository::HelmRepositoryReconciler, oci_repository::OciRepositoryReconciler,
};

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
    /// `--helm-index-max-size`, in bytes.
    pub helm_index_max_size: u64,
    /// `--helm-chart-max-size`, in bytes.
    pub helm_chart_max_size: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requeue_dependency: Duration::from_secs(30),
            object_level_workload_identity: false,
            default_service_account: None,
            helm_index_max_size: 50 << 20,
            helm_chart_max_size: 10 << 20,
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
    /// Registries.
    pub registry: registry::Client,
    /// Logins of clouds.
    pub cloud: cloud::Cloud,
    /// Web servers with charts.
    pub http: http_client::Pool,
    /// Where engines run.
    pub compute: controller::Compute,
    /// Flags.
    pub options: Arc<Options>,
}

impl Context {
    /// Reads in a namespace what an object of a kind and name refers to.
    fn reader<'a>(&'a self, namespace: &'a str, (kind, name): (&'a str, &'a str)) -> Reader<'a> {
        Reader {
            client: &self.client,
            cloud: &self.cloud,
            workload: Workload {
                per_object: self.options.object_level_workload_identity,
                default_account: self.options.default_service_account.as_deref(),
            },
            namespace,
            object: cloud::InvolvedObject { kind, name, namespace, operation: "reconcile" },
        }
    }
}

/// Removes everything that an object has in the store.
async fn forget(store: &artifact::Store, it: &impl Object, kind: Kind) -> Result<(), Stop> {
    let failed = |why: artifact::Error| {
        let message = format!("garbage collection for deleted resource failed: {why}");
        Stop::fail(api::reason::GARBAGE_COLLECTION_FAILED, message)
    };
    store.revoke(&it.uid().unwrap_or_default());
    let namespace = it.namespace().unwrap_or_default();
    let place = Place::new(kind, &namespace, &it.name_any()).map_err(failed)?;
    store.forget(&place).await.map_err(failed)?;
    Ok(())
}
