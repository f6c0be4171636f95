//! Who may have signed.

use policy::Pattern;
use sigstore_verify::VerificationResult;

use crate::Error;

/// Patterns for who may have signed; both must match, anywhere in the text.
#[derive(Debug, Clone)]
pub struct Identity {
    issuer: Pattern,
    subject: Pattern,
}

impl Identity {
    /// Reads the patterns, regular expressions of Go.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn new(issuer: &str, subject: &str) -> Result<Self, Error> {
        let read = |text| Pattern::new(text).map_err(|error| Error::Pattern(error.to_string()));
        Ok(Self { issuer: read(issuer)?, subject: read(subject)? })
    }

    fn matches(&self, issuer: &str, subject: &str) -> bool {
        self.issuer.is_match(issuer) && self.subject.is_match(subject)
    }
}

/// Whether one of `identities` is that of a good signature, or there are none.
pub(super) fn check(result: &VerificationResult, identities: &[Identity]) -> Result<(), Error> {
    let issuer = result.issuer().unwrap_or_default();
    let subject = result.identity().map(|it| it.as_str().to_owned()).unwrap_or_default();
    if identities.is_empty() || identities.iter().any(|it| it.matches(issuer, &subject)) {
        return Ok(());
    }
    Err(Error::Untrusted(format!(
        "none of the expected identities matched what was in the certificate, got subjects \
         [{subject}] with issuer {issuer}"
    )))
}
