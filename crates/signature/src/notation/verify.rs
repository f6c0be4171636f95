//! One envelope, judged.

use jiff::Timestamp;
use serde::Deserialize;

use super::envelope::{Content, SCHEME_AUTHORITY, SCHEME_X509};
use super::policy::{Action, Check};
use super::{Statement, cose, jws, name};
use crate::Error;
use crate::certificate::Certificate;

/// An envelope as it was found in a registry.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// `application/jose+json` or `application/cose`.
    pub media_type: &'a str,
    /// The layer.
    pub bytes: &'a [u8],
}

/// What must have been signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The media type of the manifest.
    pub media_type: &'a str,
    /// Its digest, `sha256:…`.
    pub digest: &'a str,
    /// Its length in bytes.
    pub size: u64,
}

/// What a signature amounts to under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is good.
    Verified,
    /// It is not known to be by somebody who is trusted, which the policy does not insist on.
    Ignored,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Artifact,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    media_type: String,
    digest: String,
    size: u64,
}

impl Statement<'_> {
    /// Judges one envelope.
    ///
    /// # Errors
    /// Any of [`Error`], for a check that the policy enforces.
    pub fn verify(
        &self,
        envelope: Envelope<'_>,
        target: Target<'_>,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        let content = match envelope.media_type {
            "application/jose+json" => jws::parse(envelope.bytes),
            "application/cose" => cose::parse(envelope.bytes),
            other => {
                Err(format!("signature envelope format with media type {other:?} is not supported"))
            }
        };
        let content = content.map_err(|why| {
            Error::Malformed(format!("unable to parse the digital signature, error : {why}"))
        })?;
        content.check_integrity().map_err(Error::Invalid)?;
        let mut verdict = Verdict::Verified;
        if let Err(why) = self.check_authenticity(&content) {
            if self.action(Check::Authenticity) == Action::Enforce {
                return Err(Error::Untrusted(why));
            }
            verdict = Verdict::Ignored;
        }
        self.enforce(Check::Expiry, || check_expiry(&content, now))?;
        self.enforce(Check::AuthenticTimestamp, || self.check_time(&content, now))?;
        self.enforce(Check::Revocation, || check_revocation(&content))?;
        check_target(&content, target)?;
        Ok(verdict)
    }

    fn enforce(
        &self,
        check: Check,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), Error> {
        match self.action(check) {
            Action::Enforce => work().map_err(Error::Invalid),
            Action::Log | Action::Skip => Ok(()),
        }
    }

    fn check_authenticity(&self, content: &Content) -> Result<(), String> {
        let kind = if content.scheme == SCHEME_AUTHORITY { "signingAuthority:" } else { "ca:" };
        let has_store = self.rule.trust_stores.iter().any(|it| it.starts_with(kind));
        if !has_store || self.certificates.is_empty() {
            return Err("no trusted certificates are found to verify authenticity".to_owned());
        }
        if !content.chain.iter().any(|it| self.certificates.iter().any(|t| t.der == it.der)) {
            return Err("the signature's certificate chain does not contain any trusted \
                        certificate"
                .to_owned());
        }
        let Some(trusted) = self.rule.subjects() else { return Ok(()) };
        let policy = &self.rule.name;
        if trusted.is_empty() {
            return Err(format!(
                "no x509 trusted identities are configured in the trust policy {policy:?}"
            ));
        }
        let subject = content.chain.first().map(Certificate::subject_parts).unwrap_or_default();
        if trusted.iter().any(|it| name::is_subset(it, &subject)) {
            return Ok(());
        }
        Err(format!(
            "signing certificate from the digital signature does not match the X.509 trusted \
             identities defined in the trust policy {policy:?}"
        ))
    }

    /// Whether the certificates were good when it mattered.
    fn check_time(&self, content: &Content, now: Timestamp) -> Result<(), String> {
        let is_expired = content.chain.iter().any(|it| now > it.validity().1);
        if content.scheme == SCHEME_X509 && self.wants_timestamp(is_expired) {
            return Err("timestamp countersignatures are not supported".to_owned());
        }
        let by_authority = content.scheme == SCHEME_AUTHORITY;
        let time = if by_authority { content.signing_time.ok_or("no signing time")? } else { now };
        for it in &content.chain {
            let ((from, to), subject) = (it.validity(), it.subject());
            let valid = (from..=to).contains(&time);
            if by_authority && !valid {
                return Err(format!(
                    "certificate {subject:?} was not valid when the digital signature was \
                     produced at \"{time}\""
                ));
            }
            if time < from {
                return Err(format!(
                    "verification time is before certificate {subject:?} validity period, it will \
                     be valid from \"{from}\""
                ));
            }
            if !valid {
                return Err(format!(
                    "verification time is after certificate {subject:?} validity period, it was \
                     expired at \"{to}\""
                ));
            }
        }
        Ok(())
    }
}

fn check_expiry(content: &Content, now: Timestamp) -> Result<(), String> {
    match content.expiry {
        Some(expiry) if now >= expiry => {
            Err(format!("digital signature has expired on \"{expiry}\""))
        }
        _ => Ok(()),
    }
}

/// Certificates that name nobody to ask cannot be revoked; of others it is not known.
fn check_revocation(content: &Content) -> Result<(), String> {
    match content.chain.iter().find(|it| it.is_revocable()) {
        Some(it) => Err(format!(
            "signing certificate with subject {:?} revocation status is unknown",
            it.subject()
        )),
        None => Ok(()),
    }
}

fn check_target(content: &Content, target: Target<'_>) -> Result<(), Error> {
    let payload: Payload = serde_json::from_slice(&content.payload)
        .map_err(|error| Error::Malformed(format!("unreadable payload: {error}")))?;
    let Artifact { media_type, digest, size } = payload.target_artifact;
    if (Target { media_type: &media_type, digest: &digest, size }) == target {
        return Ok(());
    }
    Err(Error::Mismatch("content descriptor mismatch".to_owned()))
}
