//! What both forms of envelope say.

use jiff::Timestamp;

use crate::algorithm::{Form, Hash};
use crate::certificate::{self, Certificate};

pub(super) const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const SCHEME_X509: &str = "notary.x509";
pub(super) const SCHEME_AUTHORITY: &str = "notary.x509.signingAuthority";
pub(super) const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";

/// Headers that may be marked as critical; whoever marks another wants it understood, and it is
/// not.
pub(super) const UNDERSTOOD: [&str; 3] = [SIGNING_SCHEME, AUTHENTIC_TIME, EXPIRY];

/// A parsed envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) payload: Vec<u8>,
    pub(super) media_type: String,
    pub(super) scheme: String,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// Leaf first.
    pub(super) chain: Vec<Certificate>,
    pub(super) hash: Hash,
    /// Whether it is a signature of RSA.
    pub(super) is_rsa: bool,
    /// The bytes that were signed.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Content {
    /// Checks that the signature is one by the leaf of a proper chain.
    pub(super) fn check_integrity(&self) -> Result<(), String> {
        certificate::check_chain(&self.chain)?;
        let leaf = self.chain.first().ok_or("certificate chain is not present")?;
        let is_rsa = leaf.key.kind == crate::algorithm::Kind::Rsa;
        if is_rsa != self.is_rsa || !certificate::fits(&leaf.key, self.hash) {
            return Err("signature algorithm does not match the signing certificate".to_owned());
        }
        if !leaf.key.verifies(&self.signed, &self.signature, self.hash, Form::Jose) {
            return Err("signature is invalid. Error: verification error".to_owned());
        }
        if ![SCHEME_X509, SCHEME_AUTHORITY].contains(&self.scheme.as_str()) {
            return Err(format!("envelope contains unsupported signing scheme: {}", self.scheme));
        }
        if self.media_type != PAYLOAD_TYPE {
            return Err(format!("payload content type {:?} not supported", self.media_type));
        }
        Ok(())
    }
}

/// Reads the chain of an envelope.
pub(super) fn chain<'a>(
    ders: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Certificate>, String> {
    ders.into_iter().map(Certificate::from_der).collect()
}
