//! OCI registries: references, credentials, tags, manifests, blobs.
//!
//! ```text
//!  spec.image ─► Repository ┐
//!  Secrets ─► DockerConfig ─┤ Access ─► Client ─► list_tags, resolve, image, blob, referrers
//!  cloud::Login ────────────┘            │
//!                                        ├ sessions: how a host wants to be spoken to
//!                                        └ tokens of token services
//! ```
//!
//! Invariants:
//! - Sessions and tokens are shared only by callers with equal [`Access`]: tenant, connection
//!   options and credentials.
//! - Credentials go to the registry's own host and to the token service it names, nowhere else; a
//!   token service on an internal address is believed only to an internal registry.
//! - A scan ends in time, and holds no more pages, tags and bytes than the limits allow.
//! - A manifest or blob that is asked for by digest is that, or an error; blobs are never held whole.
//! - Errors are worded as go-containerregistry words them, since users know them from Flux, and
//!   hold no credentials.
//!
//! ```
//! use registry::Repository;
//!
//! let it = Repository::parse("alpine", false).unwrap();
//! assert_eq!(it.canonical(), "index.docker.io/library/alpine");
//! let error = Repository::parse("https://ghcr.io/org/app", false).unwrap_err();
//! assert!(error.to_string().ends_with("should not include URL scheme; remove 'https://'"));
//! ```
//!
//! It does not push, verify signatures, or read Kubernetes objects.

mod access;
mod blob;
mod challenge;
mod client;
mod content;
mod digest;
mod docker_config;
mod error;
mod glob;
mod listing;
mod manifest;
mod referrer;
mod repository;
mod session;
mod value;

pub use access::{Access, Credential};
pub use blob::Blob;
pub use client::{Call, Client, Limits, Options};
pub use content::{Content, Descriptor, Manifest, Platform};
pub use digest::Digest;
pub use docker_config::DockerConfig;
pub use error::{Diagnostic, Error, Refusal};
pub use listing::{Listing, Scan, Validator};
pub use repository::Repository;
