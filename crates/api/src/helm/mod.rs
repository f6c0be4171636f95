//! `helm.toolkit.fluxcd.io`: charts, kept released.

mod action;
mod chart;
mod drift;
mod helm_release;
mod remediation;
mod status;
mod values;

pub use action::{
    CrdsPolicy, DeletionPropagation, Filter, Install, Rollback, Test, Uninstall, Upgrade,
};
pub use chart::{
    CrossNamespaceObjectReference, CrossNamespaceSourceReference, HelmChartTemplate,
    HelmChartTemplateSpec, HelmChartTemplateVerification,
};
pub use drift::{DriftDetection, DriftDetectionMode, IgnoreRule};
pub use helm_release::{HelmRelease, HelmReleaseSpec, Kustomize, PostRenderer};
pub use remediation::{
    ActionStrategyName, InstallRemediation, InstallStrategy, RemediationStrategy,
    UpgradeRemediation, UpgradeStrategy,
};
pub use status::{HelmReleaseStatus, ReleaseAction, Snapshot, TestHookStatus};
pub use values::ValuesReference;

/// Label or annotation of an object of a release: `disabled` keeps its drift from being seen.
pub const DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";
/// Label of what a HelmRelease makes: its name.
pub const OWNER_NAME: &str = "helm.toolkit.fluxcd.io/name";
/// Label of what a HelmRelease makes: its namespace.
pub const OWNER_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
