//! Bundles of sigstore, as cosign v3 attaches them to an image.

use serde::Deserialize;
use sigstore_verify::types::{Bundle, Sha256Hash, SignatureContent};

use super::root::Artifact;
use super::{Identity, Key, Root, identity};
use crate::Error;

/// How the media types of bundles begin.
pub const BUNDLE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What a statement is about.
#[derive(Deserialize)]
struct Statement {
    #[serde(default)]
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: Digests,
}

#[derive(Default, Deserialize)]
struct Digests {
    sha256: Option<String>,
}

pub(super) fn verify_keyless(
    json: &[u8],
    digest: &str,
    root: &Root,
    identities: &[Identity],
) -> Result<(), Error> {
    let bundle = parse(json)?;
    let hash =
        Sha256Hash::from_hex(hex(digest)?).map_err(|error| Error::Malformed(error.to_string()))?;
    let result = root.verify(&bundle, Artifact::Digest(hash))?;
    identity::check(&result, identities)
}

pub(super) fn verify_by_key(json: &[u8], digest: &str, key: &Key) -> Result<(), Error> {
    let SignatureContent::DsseEnvelope(envelope) = parse(json)?.content else {
        // A signature over the bytes of the manifest themselves, which nobody has attached yet.
        return Err(Error::Malformed("bundle does not hold a DSSE envelope".to_owned()));
    };
    if !key.verifies(&envelope.pae(), envelope.signature.sig.as_bytes()) {
        return Err(Error::Invalid("could not verify envelope: invalid signature".to_owned()));
    }
    if envelope.payload_type != IN_TOTO {
        let kind = envelope.payload_type;
        return Err(Error::Malformed(format!("unexpected payload type {kind:?} in bundle")));
    }
    let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|error| Error::Malformed(format!("unreadable statement in bundle: {error}")))?;
    let wanted = hex(digest)?;
    if statement.subject.iter().any(|it| it.digest.sha256.as_deref() == Some(wanted)) {
        return Ok(());
    }
    Err(Error::Mismatch("provided artifact digest does not match any digest in statement".into()))
}

fn parse(json: &[u8]) -> Result<Bundle, Error> {
    let refuse = |why: String| Error::Malformed(format!("unreadable bundle: {why}"));
    let text = std::str::from_utf8(json).map_err(|error| refuse(error.to_string()))?;
    Bundle::from_json(text).map_err(|error| refuse(error.to_string()))
}

fn hex(digest: &str) -> Result<&str, Error> {
    let refuse = || Error::Malformed(format!("unsupported digest {digest:?}"));
    digest.strip_prefix("sha256:").ok_or_else(refuse)
}
