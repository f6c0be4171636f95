//! Signatures of the Notary Project (notation): envelopes in JWS or COSE, judged by a trust policy.
//!
//! What cannot be checked without asking others fails where the policy enforces it: revocation of
//! certificates that name a place to ask, countersignatures of timestamp authorities, plugins.

mod cose;
mod envelope;
mod jws;
mod name;
mod policy;
mod verify;

pub use policy::{Policy, Statement};
pub use verify::{Envelope, Target, Verdict};

/// The artifact type of signature manifests.
pub const ARTIFACT_TYPE: &str = "application/vnd.cncf.notary.signature";
/// The most signatures of one artifact that are looked at.
pub const MAX_ATTEMPTS: usize = 3;
