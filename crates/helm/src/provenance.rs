//! Provenance files (`.prov`): who signed a chart, and whether it is still that chart.

use pgp::composed::{CleartextSignedMessage, PublicOrSecret, SignedPublicKey};
use pgp::types::KeyDetails;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::chart::Metadata;
use crate::decode::{self, Fields};

/// How large a provenance file may be.
const MAX_BYTES: usize = 1 << 20;

/// What a good signature says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The names in the key that signed.
    pub signed_by: Vec<String>,
    /// Fingerprint of that key, in hex.
    pub fingerprint: String,
    /// `sha256:…` of the archive.
    pub digest: String,
    /// What Chart.yaml said when it was signed.
    pub metadata: Metadata,
}

/// Checks a packed chart against its provenance file.
///
/// `file` is the name of the archive, `keyring` public keys in armor or binary. Keys do not expire
/// here, as they do not for Helm's default.
///
/// # Errors
/// [`Error::Provenance`] for no or a bad signature, an unknown signer, a file that is not named, and
/// another digest.
pub fn verify(
    archive: &[u8],
    file: &str,
    provenance: &str,
    keyring: &[u8],
) -> Result<Verification, Error> {
    if provenance.len() > MAX_BYTES {
        return Err(refuse(format!("provenance file is larger than {MAX_BYTES} bytes")));
    }
    let (message, _) = CleartextSignedMessage::from_string(provenance)
        .map_err(|_| refuse("failed to decode signature: signature block not found".to_owned()))?;
    let keys = keys(keyring)?;
    let signer = keys
        .iter()
        .find(|key| is_signed_by(&message, key))
        .ok_or_else(|| refuse("openpgp: signature made by unknown entity".to_owned()))?;
    let text = message.signed_text().replace("\r\n", "\n");
    let (metadata, sums) = parts(&text)?;
    let digest = Sha256::digest(archive)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    match sums.iter().find(|(name, _)| name == file) {
        None => Err(refuse(format!("provenance does not contain a SHA for a file named {file:?}"))),
        Some((_, sum)) if *sum != digest => {
            Err(refuse(format!("sha256 sum does not match for {file}: {sum:?} != {digest:?}")))
        }
        Some(_) => Ok(Verification {
            signed_by: signer
                .details
                .users
                .iter()
                .map(|user| String::from_utf8_lossy(user.id.id()).into_owned())
                .collect(),
            fingerprint: signer.fingerprint().to_string(),
            digest,
            metadata,
        }),
    }
}

fn keys(keyring: &[u8]) -> Result<Vec<SignedPublicKey>, Error> {
    let unreadable = |why: pgp::errors::Error| refuse(format!("keyring cannot be read: {why}"));
    let armored = keyring.trim_ascii_start().starts_with(b"-----BEGIN");
    let keys: Vec<_> = if armored {
        PublicOrSecret::from_armor_many(keyring).map_err(unreadable)?.0.collect()
    } else {
        PublicOrSecret::from_bytes_many(keyring).map_err(unreadable)?.collect()
    };
    keys.into_iter()
        .map(|key| match key.map_err(unreadable)? {
            PublicOrSecret::Public(key) => Ok(key),
            PublicOrSecret::Secret(key) => Ok(key.to_public_key()),
        })
        .collect()
}

/// Whether the key or one of its subkeys made the signature.
fn is_signed_by(message: &CleartextSignedMessage, key: &SignedPublicKey) -> bool {
    message.verify(key).is_ok()
        || key.public_subkeys.iter().any(|subkey| message.verify(subkey).is_ok())
}

/// Metadata and sums: two YAML documents parted by `...`.
fn parts(text: &str) -> Result<(Metadata, Vec<(String, String)>), Error> {
    let mut parts = text.split("\n...\n");
    let (Some(metadata), Some(sums)) = (parts.next(), parts.next()) else {
        return Err(refuse("message block must have at least two parts".to_owned()));
    };
    let sums = decode::parse(sums.as_bytes())?;
    let fields = Fields::of(&sums, "SumCollection", "provenance.SumCollection")?;
    let files = fields.text_map("files")?.unwrap_or_default();
    Ok((Metadata::parse(metadata.as_bytes())?, files))
}

fn refuse(why: String) -> Error {
    Error::Provenance(why)
}
