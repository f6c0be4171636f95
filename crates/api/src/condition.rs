//! The types of conditions: public interface, word for word as upstream's.
//!
//! Ready, Reconciling and Stalled, which every kind has, are in [`meta`](crate::meta).

/// Sources: the artifact is in the store.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// Sources: there is something newer than the artifact. Only there while true.
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
/// Sources: the upstream could not be fetched. Only there while true.
pub const FETCH_FAILED: &str = "FetchFailed";
/// Sources: the artifact could not be stored. Only there while true.
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
/// GitRepository: an included artifact is missing. Only there while true.
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";
/// HelmChart: the chart could not be built. Only there while true.
pub const BUILD_FAILED: &str = "BuildFailed";
/// Sources with `verify`: the signature is good.
pub const SOURCE_VERIFIED: &str = "SourceVerified";

/// Kustomization: what was applied is healthy.
pub const HEALTHY: &str = "Healthy";

/// HelmRelease: the last install, upgrade or test succeeded.
pub const RELEASED: &str = "Released";
/// HelmRelease: the last tests succeeded.
pub const TEST_SUCCESS: &str = "TestSuccess";
/// HelmRelease: the last rollback or uninstall after a failure succeeded.
pub const REMEDIATED: &str = "Remediated";
/// HelmRelease: the cluster differs from the release.
pub const DRIFTED: &str = "Drifted";
