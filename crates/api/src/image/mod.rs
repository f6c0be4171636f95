//! `image.toolkit.fluxcd.io`: what is scanned, what is chosen, and where it is written.

mod automation;
mod policy;
mod repository;

pub use automation::{
    CheckoutSpec, CommitSpec, CommitUser, GitSpec, ImageUpdateAutomation,
    ImageUpdateAutomationSpec, ImageUpdateAutomationStatus, PushSpec, SigningKey, SourceReference,
    UpdateStrategy, UpdateStrategyName,
};
pub use policy::{
    AlphabeticalPolicy, ImagePolicy, ImagePolicyChoice, ImagePolicySpec, ImagePolicyStatus,
    ImageRef, NumericalPolicy, Order, ReflectionPolicy, SemVerPolicy, TagFilter,
};
pub use repository::{
    ImageRepository, ImageRepositorySpec, ImageRepositoryStatus, RegistryProvider, ScanResult,
};
