//! `kustomize.toolkit.fluxcd.io`: what is built, applied and kept.

mod health;
mod kustomization;
mod overlay;
mod status;

pub use health::CustomHealthCheck;
pub use kustomization::{
    CrossNamespaceSourceReference, Decryption, DeletionPolicy, Kustomization, KustomizationSpec,
    PostBuild, SubstituteReference,
};
pub use overlay::{Image, Patch, Selector};
pub use status::{KustomizationStatus, ResourceInventory, ResourceRef, Snapshot};

/// Label or annotation of an applied object: `disabled` leaves it alone.
pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// Label or annotation of an applied object: `disabled` keeps it from being deleted.
pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// Label or annotation of an applied object: `Override`, `Merge`, `IfNotPresent` or `Ignore`.
pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// Label or annotation of an applied object: `enabled` recreates it when it cannot be changed.
pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// Label or annotation of a built object: `disabled` keeps variables from being replaced.
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// Label of an applied object: the name of its Kustomization.
pub const OWNER_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
/// Label of an applied object: the namespace of its Kustomization.
pub const OWNER_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
