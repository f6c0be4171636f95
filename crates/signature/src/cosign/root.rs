//! Whom keyless signatures are believed: certificate authorities and logs.

use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::types::{Bundle, Sha256Hash};
use sigstore_verify::{VerificationPolicy, VerificationResult, Verifier};

use crate::Error;

/// A trusted root: certificate authorities, transparency logs, timestamp authorities.
pub struct Root {
    verifier: Verifier,
    policy: VerificationPolicy,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

impl Root {
    /// Reads a `trusted_root.json`.
    ///
    /// What a root does not have cannot be asked for: without certificate transparency logs no
    /// proof of a certificate is wanted, without transparency logs none of a signature. Then a
    /// signed time must come from a timestamp authority.
    ///
    /// # Errors
    /// [`Error::Root`].
    pub fn parse(json: &str) -> Result<Self, Error> {
        let root = TrustedRoot::from_json(json);
        Self::new(&root.map_err(|error| Error::Root(error.to_string()))?)
    }

    /// The root of the public instance, as it was when this was built.
    ///
    /// # Errors
    /// [`Error::Root`], which a test excludes.
    pub fn public() -> Result<Self, Error> {
        let root = SigstoreInstance::PublicGood.embedded_trusted_root();
        Self::new(&root.map_err(|error| Error::Root(error.to_string()))?)
    }

    fn new(root: &TrustedRoot) -> Result<Self, Error> {
        let mut policy = VerificationPolicy::any_identity();
        if root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        if root.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        }
        let verifier = Verifier::new(root).map_err(|error| Error::Root(error.to_string()))?;
        Ok(Self { verifier, policy })
    }

    /// Checks everything about a bundle but who signed it.
    pub(super) fn verify(
        &self,
        bundle: &Bundle,
        artifact: Artifact<'_>,
    ) -> Result<VerificationResult, Error> {
        let result = match artifact {
            Artifact::Bytes(bytes) => self.verifier.verify(bytes, bundle, &self.policy),
            Artifact::Digest(digest) => self.verifier.verify(digest, bundle, &self.policy),
        };
        result.map_err(|error| Error::Invalid(error.to_string()))
    }
}

/// What a bundle is about.
#[derive(Clone, Copy)]
pub(super) enum Artifact<'a> {
    Bytes(&'a [u8]),
    Digest(Sha256Hash),
}
