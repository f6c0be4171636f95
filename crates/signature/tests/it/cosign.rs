//! Cosign: by key and keyless, signatures of v2 and bundles of v3.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use signature::Error;
use signature::cosign::{Identity, Key, Layer, Root, Signer};

use crate::authority::{Authority, Signer as Leaf};

const DIGEST: &str = "sha256:8f1ea4dbbfa1b1d8d1c9e7a8c1d9d8f3a9b0c1d2e3f405162738495a6b7c8d9e";
const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|it| format!("{it:02x}")).collect();
    digits.concat()
}

fn payload(digest: &str) -> Vec<u8> {
    let critical = json!({
        "identity": {"docker-reference": "r/a"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    });
    json!({"critical": critical, "optional": null}).to_string().into_bytes()
}

fn annotations(pairs: &[(&str, String)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn signed_by(key: &KeyPair, payload: &[u8]) -> BTreeMap<String, String> {
    let signature = base64(key.sign(payload).unwrap());
    annotations(&[("dev.cosignproject.cosign/signature", signature)])
}

#[test]
fn a_v2_signature_by_key_counts_for_its_digest_and_key_only() {
    let pair = KeyPair::generate().unwrap();
    let key = Key::parse(pair.public_key_pem().as_bytes()).unwrap();
    let (payload, other) = (payload(DIGEST), payload(OTHER));
    let annotations = signed_by(&pair, &payload);
    let layer = Layer { payload: &payload, annotations: &annotations };
    Signer::Key(&key).verify_layer(&layer, DIGEST).unwrap();
    let error = Signer::Key(&key).verify_layer(&layer, OTHER).unwrap_err();
    assert!(matches!(error, Error::Mismatch(_)), "{error}");
    let stranger = KeyPair::generate().unwrap();
    let stranger = Key::parse(stranger.public_key_pem().as_bytes()).unwrap();
    let error = Signer::Key(&stranger).verify_layer(&layer, DIGEST).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let changed = Layer { payload: &other, annotations: &annotations };
    Signer::Key(&key).verify_layer(&changed, OTHER).unwrap_err();
    let none = BTreeMap::new();
    let unsigned = Layer { payload: &payload, annotations: &none };
    let error = Signer::Key(&key).verify_layer(&unsigned, DIGEST).unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

#[test]
fn keys_of_all_kinds_verify() {
    for kind in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let pair = KeyPair::generate_for(kind).unwrap();
        let key = Key::parse(pair.public_key_pem().as_bytes()).unwrap();
        let payload = payload(DIGEST);
        let annotations = signed_by(&pair, &payload);
        let layer = Layer { payload: &payload, annotations: &annotations };
        Signer::Key(&key).verify_layer(&layer, DIGEST).unwrap();
    }
    let text = |pem: &str| Key::parse(pem.as_bytes()).unwrap_err().to_string();
    assert_eq!(text(""), "PEM decoding failed");
    let broken = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(text(broken).starts_with("malformed public key"));
}

fn statement(digest: &str) -> Vec<u8> {
    let hex = digest.trim_start_matches("sha256:");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    });
    statement.to_string().into_bytes()
}

fn envelope(payload: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let kind = "application/vnd.in-toto+json";
    let mut pae = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    pae.extend_from_slice(payload);
    let signature = base64(sign(&pae));
    json!({"payload": base64(payload), "payloadType": kind, "signatures": [{"sig": signature}]})
}

fn key_bundle(pair: &KeyPair, payload: &[u8]) -> Vec<u8> {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": envelope(payload, |pae| pair.sign(pae).unwrap()),
    })
    .to_string()
    .into_bytes()
}

#[test]
fn a_v3_bundle_by_key_counts_for_its_digest_and_key_only() {
    let pair = KeyPair::generate().unwrap();
    let key = Key::parse(pair.public_key_pem().as_bytes()).unwrap();
    let bundle = key_bundle(&pair, &statement(DIGEST));
    Signer::Key(&key).verify_bundle(&bundle, DIGEST).unwrap();
    let error = Signer::Key(&key).verify_bundle(&bundle, OTHER).unwrap_err();
    assert!(matches!(error, Error::Mismatch(_)), "{error}");
    let stranger = key_bundle(&KeyPair::generate().unwrap(), &statement(DIGEST));
    let error = Signer::Key(&key).verify_bundle(&stranger, DIGEST).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let error = Signer::Key(&key).verify_bundle(b"{", DIGEST).unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

/// A log that promises to take things in.
struct Log(KeyPair);

impl Log {
    fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    fn id(&self) -> Vec<u8> {
        digest(&SHA256, &self.0.subject_public_key_info()).as_ref().to_vec()
    }

    /// The annotation that cosign puts beside a signature.
    fn entry(&self, leaf: &Leaf, payload: &[u8], signature: &[u8], time: i64) -> String {
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {
                    "algorithm": "sha256",
                    "value": hex(digest(&SHA256, payload).as_ref()),
                }},
                "signature": {
                    "content": base64(signature),
                    "publicKey": {"content": base64(leaf.certificate.pem())},
                },
            },
        });
        let body = base64(body.to_string());
        let id = hex(&self.id());
        let promise = self.promise(&body, time);
        json!({
            "SignedEntryTimestamp": promise,
            "Payload": {"body": body, "integratedTime": time, "logIndex": 0, "logID": id},
        })
        .to_string()
    }

    /// The promise to take in an entry.
    fn promise(&self, body: &str, time: i64) -> String {
        let id = hex(&self.id());
        // Canonical JSON: sorted, without spaces.
        let promised =
            format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":0}}"#);
        base64(self.0.sign(promised.as_bytes()).unwrap())
    }

    /// The entry about an envelope as a bundle has it: promised, and proven to be the only one.
    fn proven(&self, leaf: &Leaf, envelope: &Value, payload: &[u8], time: i64) -> Value {
        let sum = |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex(digest(&SHA256, bytes).as_ref())});
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": sum(envelope.to_string().as_bytes()),
                "payloadHash": sum(payload),
                "signatures": [{
                    "signature": envelope["signatures"][0]["sig"],
                    "verifier": base64(leaf.certificate.pem()),
                }],
            },
        })
        .to_string();
        let root = base64(digest(&SHA256, &[b"\0", body.as_bytes()].concat()));
        let note = format!("log.test\n1\n{root}\n");
        let signed = [&self.id()[..4], &self.0.sign(note.as_bytes()).unwrap()].concat();
        let body = base64(body);
        json!({
            "logIndex": "0",
            "logId": {"keyId": base64(self.id())},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(&body, time)},
            "inclusionProof": {
                "logIndex": "0", "treeSize": "1", "rootHash": root, "hashes": [],
                "checkpoint": {"envelope": format!("{note}\n\u{2014} log.test {}\n", base64(signed))},
            },
            "canonicalizedBody": body,
        })
    }
}

fn root(authority: &Authority, log: &Log) -> Root {
    let always = json!({"start": "2020-01-01T00:00:00Z"});
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "baseUrl": "https://log.test",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64(log.0.subject_public_key_info()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": always,
            },
            "logId": {"keyId": base64(log.id())},
        }],
        "certificateAuthorities": [{
            "subject": {"organization": "acme", "commonName": "root"},
            "uri": "https://ca.test",
            "certChain": {"certificates": [{"rawBytes": base64(authority.certificate.der())}]},
            "validFor": always,
        }],
        "ctlogs": [],
        "timestampAuthorities": [],
    });
    Root::parse(&root.to_string()).unwrap()
}

fn keyless(leaf: &Leaf, log: &Log, payload: &[u8]) -> BTreeMap<String, String> {
    let signature = leaf.sign(payload);
    let now = jiff::Timestamp::now().as_second() - 60;
    annotations(&[
        ("dev.cosignproject.cosign/signature", base64(&signature)),
        ("dev.sigstore.cosign/certificate", leaf.certificate.pem()),
        ("dev.sigstore.cosign/bundle", log.entry(leaf, payload, &signature, now)),
    ])
}

#[test]
fn a_keyless_signature_counts_for_the_identity_and_root_that_are_trusted() {
    let (authority, log) = (Authority::new("root"), Log::new());
    let leaf = authority.keyless("dev@acme.test", "https://issuer.test");
    let payload = payload(DIGEST);
    let annotations = keyless(&leaf, &log, &payload);
    let layer = Layer { payload: &payload, annotations: &annotations };
    let check = |root: &Root, identities: &[Identity], digest: &str| {
        Signer::Keyless { root, identities }.verify_layer(&layer, digest)
    };
    let trusted = root(&authority, &log);
    check(&trusted, &[], DIGEST).unwrap();
    let identity = |issuer, subject| Identity::new(issuer, subject).unwrap();
    let good = identity("^https://issuer.test$", "@acme\\.test$");
    let bad = identity("^https://issuer.test$", "^dev@other");
    check(&trusted, &[bad.clone(), good], DIGEST).unwrap();
    let error = check(&trusted, &[bad], DIGEST).unwrap_err();
    let want = "none of the expected identities matched what was in the certificate, got subjects \
                [dev@acme.test] with issuer https://issuer.test";
    assert_eq!(error, Error::Untrusted(want.to_owned()));
    assert!(matches!(check(&trusted, &[], OTHER).unwrap_err(), Error::Mismatch(_)));
    let strangers = [root(&Authority::new("root"), &log), root(&authority, &Log::new())];
    for stranger in &strangers {
        let error = check(stranger, &[], DIGEST).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    let error = Identity::new("(", "x").unwrap_err();
    assert!(matches!(error, Error::Pattern(_)), "{error}");
}

/// A bundle of version 3, and with the log entry of another envelope if one is given.
fn keyless_bundle(leaf: &Leaf, log: &Log, payload: &[u8], logged: Option<&[u8]>) -> Vec<u8> {
    let now = jiff::Timestamp::now().as_second() - 60;
    let signed = |payload: &[u8]| envelope(payload, |pae| leaf.sign(pae));
    let envelope = signed(payload);
    let entry = match logged {
        None => log.proven(leaf, &envelope, payload, now),
        Some(other) => log.proven(leaf, &signed(other), other, now),
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": base64(leaf.certificate.der())},
            "tlogEntries": [entry],
        },
        "dsseEnvelope": envelope,
    })
    .to_string()
    .into_bytes()
}

#[test]
fn a_keyless_v3_bundle_counts_for_the_identity_and_root_that_are_trusted() {
    let (authority, log) = (Authority::new("root"), Log::new());
    let leaf = authority.keyless("dev@acme.test", "https://issuer.test");
    let bundle = keyless_bundle(&leaf, &log, &statement(DIGEST), None);
    let check = |bundle: &[u8], root: &Root, identities: &[Identity], digest: &str| {
        Signer::Keyless { root, identities }.verify_bundle(bundle, digest)
    };
    let trusted = root(&authority, &log);
    check(&bundle, &trusted, &[], DIGEST).unwrap();
    let identity = |subject| Identity::new("^https://issuer.test$", subject).unwrap();
    check(&bundle, &trusted, &[identity("@acme\\.test$")], DIGEST).unwrap();
    let error = check(&bundle, &trusted, &[identity("^dev@other")], DIGEST).unwrap_err();
    assert!(matches!(error, Error::Untrusted(_)), "{error}");
    check(&bundle, &trusted, &[], OTHER).unwrap_err();
    for stranger in [root(&Authority::new("root"), &log), root(&authority, &Log::new())] {
        let error = check(&bundle, &stranger, &[], DIGEST).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    let borrowed = keyless_bundle(&leaf, &log, &statement(DIGEST), Some(&statement(OTHER)));
    let error = check(&borrowed, &trusted, &[], DIGEST).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[test]
fn a_log_entry_about_something_else_is_no_proof() {
    let (authority, log) = (Authority::new("root"), Log::new());
    let leaf = authority.keyless("dev@acme.test", "https://issuer.test");
    let (payload, other) = (payload(DIGEST), payload(OTHER));
    let mut annotations = keyless(&leaf, &log, &payload);
    let borrowed = keyless(&leaf, &log, &other);
    let entry = "dev.sigstore.cosign/bundle";
    annotations.insert(entry.to_owned(), borrowed[entry].clone());
    let trusted = root(&authority, &log);
    let layer = Layer { payload: &payload, annotations: &annotations };
    let signer = Signer::Keyless { root: &trusted, identities: &[] };
    let error = signer.verify_layer(&layer, DIGEST).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let mut annotations = annotations.clone();
    annotations.remove(entry);
    let layer = Layer { payload: &payload, annotations: &annotations };
    let error = signer.verify_layer(&layer, DIGEST).unwrap_err();
    assert_eq!(error.to_string(), "no transparency log entry beside the signature");
}

#[test]
fn the_public_root_is_usable() {
    Root::public().unwrap();
    let error = Root::parse("{}").unwrap_err();
    assert!(error.to_string().starts_with("unable to parse trusted root: "), "{error}");
}

/// What cosign itself made; see the README beside the files.
#[test]
fn recorded_signatures_of_cosign_are_good() {
    let digest = include_str!("../recorded/digest").trim();
    let key = Key::parse(include_bytes!("../recorded/cosign.pub")).unwrap();
    let payload = include_bytes!("../recorded/v2-payload.json");
    let annotations = include_str!("../recorded/v2-annotations.json");
    let annotations: BTreeMap<String, String> = serde_json::from_str(annotations).unwrap();
    let layer = Layer { payload, annotations: &annotations };
    let bundle = include_bytes!("../recorded/v3-bundle.json");
    let signer = Signer::Key(&key);
    signer.verify_layer(&layer, digest).unwrap();
    signer.verify_bundle(bundle, digest).unwrap();
    assert!(
        signer.verify_layer(&layer, OTHER).is_err() && signer.verify_bundle(bundle, OTHER).is_err()
    );
    let stranger = KeyPair::generate().unwrap();
    let stranger = Key::parse(stranger.public_key_pem().as_bytes()).unwrap();
    assert!(Signer::Key(&stranger).verify_layer(&layer, digest).is_err());
    assert!(Signer::Key(&stranger).verify_bundle(bundle, digest).is_err());
}
