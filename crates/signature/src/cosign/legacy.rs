//! Signatures of cosign v2: layers of the manifest under the tag `sha256-….sig`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use sigstore_verify::types::Bundle;

use super::root::Artifact;
use super::{Identity, Key, Root, identity};
use crate::Error;

/// The media type of the layers.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";

/// The tag under which the signatures of a manifest are.
pub fn tag(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

/// A layer with one signature.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The layer itself: what was signed.
    pub payload: &'a [u8],
    /// The annotations of its descriptor: signature, certificate, log entry.
    pub annotations: &'a BTreeMap<String, String>,
}

/// The container signature format of Red Hat, as far as it matters.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// The log entry beside a signature.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    signed_entry_timestamp: String,
    payload: EntryPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryBody {
    api_version: String,
    kind: String,
}

pub(super) fn verify_by_key(layer: &Layer<'_>, digest: &str, key: &Key) -> Result<(), Error> {
    if !key.verifies(layer.payload, &layer.signature()?) {
        return Err(Error::Invalid(
            "invalid signature when validating ASN.1 encoded signature".into(),
        ));
    }
    layer.check_digest(digest)
}

/// As a bundle, the signature says the same, and is checked the same way.
pub(super) fn verify_keyless(
    layer: &Layer<'_>,
    digest: &str,
    root: &Root,
    identities: &[Identity],
) -> Result<(), Error> {
    let bundle = layer.as_bundle()?;
    let result = root.verify(&bundle, Artifact::Bytes(layer.payload))?;
    layer.check_digest(digest)?;
    identity::check(&result, identities)
}

impl Layer<'_> {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    fn signature(&self) -> Result<Vec<u8>, Error> {
        let text = self.annotation(SIGNATURE).ok_or_else(|| {
            Error::Malformed("signature layer is missing its signature".to_owned())
        })?;
        BASE64_STANDARD
            .decode(text)
            .map_err(|error| Error::Malformed(format!("malformed signature: {error}")))
    }

    fn check_digest(&self, digest: &str) -> Result<(), Error> {
        let payload: Payload = serde_json::from_slice(self.payload)
            .map_err(|error| Error::Malformed(format!("malformed signature payload: {error}")))?;
        let found = payload.critical.image.digest;
        if found == digest {
            return Ok(());
        }
        let text = format!("invalid or missing digest in claim: {found}");
        Err(Error::Mismatch(text))
    }

    fn as_bundle(&self) -> Result<Bundle, Error> {
        let missing = |what: &str| Error::Malformed(format!("no {what} beside the signature"));
        let certificate = self.annotation(CERTIFICATE).ok_or_else(|| missing("certificate"))?;
        let entry = self.annotation(BUNDLE).ok_or_else(|| missing("transparency log entry"))?;
        let entry: Entry = serde_json::from_str(entry)
            .map_err(|error| Error::Malformed(format!("malformed log entry: {error}")))?;
        let mut chain = certificates(certificate)?;
        // Roots and intermediates of the public instance are in the trusted root; those of others
        // may come with the signature, and are believed only if they lead to it.
        chain.extend(self.annotation(CHAIN).map(certificates).transpose()?.unwrap_or_default());
        let chain: Vec<_> = chain.iter().map(|it| json!({"rawBytes": it})).collect();
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
            "verificationMaterial": {
                "x509CertificateChain": {"certificates": chain},
                "tlogEntries": [entry.as_json()?],
            },
            "messageSignature": {"signature": BASE64_STANDARD.encode(self.signature()?)},
        });
        serde_json::from_value(bundle)
            .map_err(|error| Error::Malformed(format!("malformed signature: {error}")))
    }
}

impl Entry {
    fn as_json(&self) -> Result<serde_json::Value, Error> {
        let refuse = |why: String| Error::Malformed(format!("malformed log entry: {why}"));
        let EntryPayload { body, integrated_time, log_index, log_id } = &self.payload;
        let bytes = BASE64_STANDARD.decode(body).map_err(|error| refuse(error.to_string()))?;
        let read: EntryBody =
            serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        let id = unhex(log_id).ok_or_else(|| refuse("its log has no proper name".to_owned()))?;
        Ok(json!({
            "logIndex": log_index.to_string(),
            "logId": {"keyId": BASE64_STANDARD.encode(id)},
            "kindVersion": {"kind": read.kind, "version": read.api_version},
            "integratedTime": integrated_time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.signed_entry_timestamp},
            "canonicalizedBody": body,
        }))
    }
}

/// The certificates of a PEM text, as base64.
fn certificates(pem: &str) -> Result<Vec<String>, Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|it| it.map(|der| BASE64_STANDARD.encode(der)))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Malformed(format!("malformed certificate: {error}")))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok();
    digits.map(byte).collect()
}
