//! `source.toolkit.fluxcd.io`: where artifacts come from.

mod artifact;
mod bucket;
mod external_artifact;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod oci_repository;
mod verification;

pub use artifact::Artifact;
pub use bucket::{Bucket, BucketProvider, BucketSpec, BucketStatus, BucketSts, StsProvider};
pub use external_artifact::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use git_repository::{
    GitProvider, GitRepository, GitRepositoryInclude, GitRepositoryRef, GitRepositorySpec,
    GitRepositoryStatus, GitRepositoryVerification, GitVerificationMode,
};
pub use helm_chart::{
    HelmChart, HelmChartSpec, HelmChartStatus, LocalHelmChartSourceReference, ReconcileStrategy,
};
pub use helm_repository::{
    HelmRepository, HelmRepositorySpec, HelmRepositoryStatus, HelmRepositoryType,
};
pub use oci_repository::{
    LayerOperation, OciLayerSelector, OciRepository, OciRepositoryRef, OciRepositorySpec,
    OciRepositoryStatus,
};
pub use verification::{OidcIdentityMatch, Verification, VerificationProvider};
