//! Signatures of OCI artifacts: cosign and notation, bytes in and verdict out.
//!
//! ```text
//! Secret ──> cosign::Key ──────────────┐
//! trusted root ──> cosign::Root ───────┼──> verify ──> nothing, or why not
//! layer and annotations, or bundle ────┘
//!
//! trustpolicy.json, certificates ──> notation::Policy ──> verify(envelope, target, now)
//! ```
//!
//! Invariants:
//! - A signature counts only for the digest that it names, which the caller computed.
//! - What cannot be checked is not believed: an unknown algorithm, a critical header that is not
//!   understood, a revocation list that would have to be fetched are errors where the policy
//!   enforces them.
//! - Input is bounded by the caller; nothing recurses over it.
//!
//! Of the one library below, sigstore's, it is known that it asks the clock itself: log entries
//! from the future are refused.
//!
//! ```
//! let error = signature::cosign::Key::parse(b"no key").unwrap_err();
//! assert_eq!(error.to_string(), "PEM decoding failed");
//! ```
//!
//! It fetches nothing; finding signatures in a registry is the caller's.

mod algorithm;
mod certificate;
pub mod cosign;
pub mod notation;

/// Why a signature, a key or a policy is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A public key cannot be used.
    #[error("{0}")]
    Key(String),
    /// A trusted root cannot be used.
    #[error("unable to parse trusted root: {0}")]
    Root(String),
    /// A pattern for identities is no regular expression.
    #[error("malformed identity pattern: {0}")]
    Pattern(String),
    /// The signature does not have the form it should have.
    #[error("{0}")]
    Malformed(String),
    /// The signature is not one over these bytes with this key.
    #[error("{0}")]
    Invalid(String),
    /// The signature is about something else.
    #[error("{0}")]
    Mismatch(String),
    /// The signature is good, but its signer is not one that is trusted.
    #[error("{0}")]
    Untrusted(String),
    /// The trust policy cannot be used.
    #[error("{0}")]
    Policy(String),
}
