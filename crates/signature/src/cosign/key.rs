//! Public keys, as `cosign generate-key-pair` writes them.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use crate::Error;
use crate::algorithm::{Form, Hash, PublicKey};

/// A public key: ECDSA, RSA or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(PublicKey);

impl Key {
    /// Reads a PEM text (`PUBLIC KEY`, or `RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// [`Error::Key`] in the words of sigstore where it has them.
    pub fn parse(pem: &[u8]) -> Result<Self, Error> {
        if let Ok(spki) = SubjectPublicKeyInfoDer::from_pem_slice(pem) {
            return PublicKey::from_spki(&spki).map(Self);
        }
        rsa(pem).ok_or_else(|| Error::Key("PEM decoding failed".to_owned()))
    }

    /// Whether `signature` is one over `message`. Cosign hashes with SHA-256 whatever the key;
    /// bundles may use the hash that goes with it.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let by = |hash| self.0.verifies(message, signature, hash, Form::X509);
        by(Hash::Sha256) || by(self.0.own_hash())
    }
}

/// An RSA key in its older form.
fn rsa(pem: &[u8]) -> Option<Key> {
    use base64::Engine as _;
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN RSA PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END RSA PUBLIC KEY-----")?;
    let body: String = body.split_whitespace().collect();
    let der = base64::prelude::BASE64_STANDARD.decode(body).ok()?;
    Some(Key(PublicKey::from_pkcs1(&der)))
}
