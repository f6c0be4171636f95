//! Every custom resource as plain types, with its conditions, reasons and annotations.
//!
//! The names, versions, defaults and validations of Flux' groups are the contract of v2.7, so that
//! manifests written for Flux apply unchanged. The CRDs under `crds/` are generated from the
//! types here by [`crd::all`].
//!
//! ```text
//! meta                conditions, references, the `Object` and `Status` traits of the kinds
//! source              GitRepository, OCIRepository, HelmRepository, HelmChart, Bucket,
//!                     ExternalArtifact
//! source_extensions   ArtifactGenerator
//! kustomize           Kustomization
//! helm                HelmRelease
//! notification        Alert, Provider, Receiver
//! image               ImageRepository, ImagePolicy, ImageUpdateAutomation
//! promotion           Pipeline, Bundle, Stage, Promotion, Freeze
//! condition, reason   the words of conditions and events
//! crd                 the CustomResourceDefinitions, structurally equal to upstream's
//! ```
//!
//! No behaviour lives here: defaults are schema defaults, and what a field means is decided by the
//! controller of its kind.
//!
//! ```
//! use api::{image::ImageRepository, meta::Object as _};
//!
//! let repository: ImageRepository = serde_json::from_value(serde_json::json!({
//!     "apiVersion": "image.toolkit.fluxcd.io/v1",
//!     "kind": "ImageRepository",
//!     "metadata": {"name": "app", "namespace": "apps"},
//!     "spec": {"image": "ghcr.io/acme/app", "interval": "1m"},
//! }))?;
//! assert!(!repository.suspended());
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod admission;
pub mod condition;
pub mod crd;
pub mod duration;
pub mod helm;
pub mod image;
pub mod kustomize;
pub mod meta;
pub mod notification;
pub mod promotion;
pub mod reason;
pub mod source;
pub mod source_extensions;
