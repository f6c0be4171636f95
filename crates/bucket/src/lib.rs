//! Object stores: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! ```text
//! Options: provider, place, credential, connections ──> Bucket ──> list: keys and etags
//!                                                              └─> get: one object, in pieces
//! ```
//!
//! Invariants:
//! - It only reads.
//! - Lists end: more objects than the limit are an error, not a loop.
//! - Errors name bucket, object and reason; they hold no credential and no query of a URL.
//! - Keys that could not be paths (`..`, empty parts) are refused, so a key is a safe relative path.
//!
//! ```
//! let error = bucket::Error::NotFound("ns-a".to_owned());
//! assert_eq!(error.to_string(), "bucket 'ns-a' not found");
//! ```
//!
//! It knows neither Kubernetes nor what the objects mean. Credentials of the process come from its
//! environment and from the metadata services of the clouds.

mod connect;
mod error;
mod object;
mod options;
mod sts;

pub use error::Error;
pub use object::{Bucket, Download, Entry};
pub use options::{Azure, Credential, Options, Provider};
pub use sts::Ldap;
