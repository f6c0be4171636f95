//! `source.extensions.fluxcd.io`: artifacts made from other artifacts.

mod artifact_generator;

pub use artifact_generator::{
    ArtifactGenerator, ArtifactGeneratorSpec, ArtifactGeneratorStatus, CopyOperation, CopyStrategy,
    GeneratedArtifact, OutputArtifact, SourceReference,
};

/// Annotation: `disabled` pauses an ArtifactGenerator.
pub const RECONCILE: &str = "source.extensions.fluxcd.io/reconcile";
/// The value of [`RECONCILE`] that pauses, in any case.
pub const DISABLED: &str = "disabled";
/// The finalizer of an ArtifactGenerator.
pub const FINALIZER: &str = "source.extensions.fluxcd.io/finalizer";
/// Label of an ExternalArtifact: the uid of its ArtifactGenerator.
pub const GENERATOR: &str = "source.extensions.fluxcd.io/generator";
