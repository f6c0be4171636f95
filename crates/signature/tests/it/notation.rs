//! Notation: trust policies, and envelopes in both forms.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use jiff::Timestamp;
use serde_json::{Value, json};
use signature::Error;
use signature::notation::{Envelope, Policy, Target, Verdict};

use crate::authority::{Authority, Signer};

const DIGEST: &str = "sha256:8f1ea4dbbfa1b1d8d1c9e7a8c1d9d8f3a9b0c1d2e3f405162738495a6b7c8d9e";
const TARGET: Target<'static> =
    Target { media_type: "application/vnd.oci.image.manifest.v1+json", digest: DIGEST, size: 512 };
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";

fn payload() -> Vec<u8> {
    let Target { media_type, digest, size } = TARGET;
    json!({"targetArtifact": {"mediaType": media_type, "digest": digest, "size": size}})
        .to_string()
        .into_bytes()
}

fn policy(level: &str, identities: &[&str], trusted: &Authority) -> Policy {
    let document = json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": "p",
            "registryScopes": ["*"],
            "signatureVerification": {"level": level},
            "trustStores": ["ca:acme"],
            "trustedIdentities": identities,
        }],
    });
    let pem = trusted.certificate.pem();
    Policy::parse(document.to_string().as_bytes(), [pem.as_bytes()]).unwrap()
}

fn sign(signer: &Signer, message: &[u8]) -> Vec<u8> {
    let der = signer.key.serialize_der();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap();
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

fn jws(authority: &Authority, signer: &Signer, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut protected = json!({
        "alg": "ES256",
        "cty": PAYLOAD,
        "crit": [SCHEME],
        SCHEME: "notary.x509",
        "io.cncf.notary.signingTime": "2024-01-01T00:00:00Z",
    });
    change(&mut protected);
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload());
    let signature = sign(signer, format!("{protected}.{payload}").as_bytes());
    let chain = [signer.certificate.der(), authority.certificate.der()];
    let chain: Vec<String> = chain.iter().map(|it| BASE64_STANDARD.encode(it)).collect();
    json!({
        "payload": payload,
        "protected": protected,
        "header": {"x5c": chain},
        "signature": BASE64_URL_SAFE_NO_PAD.encode(signature),
    })
    .to_string()
    .into_bytes()
}

fn text(it: &str) -> Cbor {
    Cbor::Text(it.to_owned())
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn cose(authority: &Authority, signer: &Signer) -> Vec<u8> {
    let protected = cbor(&Cbor::Map(vec![
        (1.into(), (-7).into()),
        (2.into(), Cbor::Array(vec![text(SCHEME)])),
        (3.into(), text(PAYLOAD)),
        (text(SCHEME), text("notary.x509")),
    ]));
    let structure = cbor(&Cbor::Array(vec![
        text("Signature1"),
        Cbor::Bytes(protected.clone()),
        Cbor::Bytes(Vec::new()),
        Cbor::Bytes(payload()),
    ]));
    let chain = [signer.certificate.der(), authority.certificate.der()];
    let chain = chain.iter().map(|it| Cbor::Bytes(it.to_vec())).collect();
    cbor(&Cbor::Tag(
        18,
        Box::new(Cbor::Array(vec![
            Cbor::Bytes(protected),
            Cbor::Map(vec![(33.into(), Cbor::Array(chain))]),
            Cbor::Bytes(payload()),
            Cbor::Bytes(sign(signer, &structure)),
        ])),
    ))
}

fn judge(policy: &Policy, media_type: &str, bytes: &[u8]) -> Result<Verdict, Error> {
    let statement = policy.statement("registry.test/team/app", DIGEST).unwrap();
    statement.verify(Envelope { media_type, bytes }, TARGET, Timestamp::now())
}

const JOSE: &str = "application/jose+json";

#[test]
fn both_forms_of_envelope_are_verified() {
    let authority = Authority::new("root");
    let signer = authority.leaf(|_| ());
    let policy = policy("strict", &["x509.subject: C=US, ST=WA, O=acme"], &authority);
    let jws = jws(&authority, &signer, |_| ());
    assert_eq!(judge(&policy, JOSE, &jws), Ok(Verdict::Verified));
    let cose = cose(&authority, &signer);
    assert_eq!(judge(&policy, "application/cose", &cose), Ok(Verdict::Verified));
    let statement = policy.statement("registry.test/team/app", DIGEST).unwrap();
    let other = Target { size: 1, ..TARGET };
    let envelope = Envelope { media_type: JOSE, bytes: &jws };
    let error = statement.verify(envelope, other, Timestamp::now()).unwrap_err();
    assert_eq!(error, Error::Mismatch("content descriptor mismatch".to_owned()));
}

#[test]
fn strangers_are_refused_or_passed_over_as_the_policy_says() {
    let (authority, stranger) = (Authority::new("root"), Authority::new("root"));
    let signer = stranger.leaf(|_| ());
    let jws = jws(&stranger, &signer, |_| ());
    for level in ["strict", "permissive"] {
        let error = judge(&policy(level, &["*"], &authority), JOSE, &jws).unwrap_err();
        assert!(matches!(error, Error::Untrusted(_)), "{error}");
    }
    let audit = policy("audit", &["*"], &authority);
    assert_eq!(judge(&audit, JOSE, &jws), Ok(Verdict::Ignored));
    let others = policy("strict", &["x509.subject: C=DE, ST=BE, O=acme"], &stranger);
    let error = judge(&others, JOSE, &jws).unwrap_err();
    assert!(error.to_string().contains("does not match the X.509 trusted identities"), "{error}");
}

#[test]
fn tampered_envelopes_are_refused() {
    let authority = Authority::new("root");
    let signer = authority.leaf(|_| ());
    let audit = policy("audit", &["*"], &authority);
    let good = String::from_utf8(jws(&authority, &signer, |_| ())).unwrap();
    let mut value: Value = serde_json::from_str(&good).unwrap();
    let other = payload().iter().map(|it| if *it == b'5' { b'6' } else { *it }).collect::<Vec<_>>();
    value["payload"] = json!(BASE64_URL_SAFE_NO_PAD.encode(other));
    let error = judge(&audit, JOSE, value.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let mut value: Value = serde_json::from_str(&good).unwrap();
    value["header"]["x5c"].as_array_mut().unwrap().pop();
    let error = judge(&audit, JOSE, value.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("is not issued by"), "{error}");
    let unknown = jws(&authority, &signer, |it| {
        it["crit"] = json!([SCHEME, "io.cncf.notary.verificationPlugin"]);
    });
    let error = judge(&audit, JOSE, &unknown).unwrap_err();
    assert!(error.to_string().contains("is not understood"), "{error}");
    let none = jws(&authority, &signer, |it| it["alg"] = json!("none"));
    judge(&audit, JOSE, &none).unwrap_err();
    for garbage in [&b""[..], b"{}", b"\xd2\x84", &[0x81; 4096]] {
        judge(&audit, JOSE, garbage).unwrap_err();
        judge(&audit, "application/cose", garbage).unwrap_err();
    }
}

#[test]
fn time_and_use_of_certificates_matter() {
    let authority = Authority::new("root");
    let strict = policy("strict", &["*"], &authority);
    let permissive = policy("permissive", &["*"], &authority);
    let expired = jws(&authority, &authority.leaf(|_| ()), |it| {
        it[EXPIRY] = json!("2024-01-02T00:00:00Z");
        it["crit"] = json!([SCHEME, EXPIRY]);
    });
    let error = judge(&strict, JOSE, &expired).unwrap_err();
    assert!(error.to_string().starts_with("digital signature has expired on"), "{error}");
    assert_eq!(judge(&permissive, JOSE, &expired), Ok(Verdict::Verified));
    let old = authority.leaf(|params| params.not_after = rcgen::date_time_ymd(2024, 1, 2));
    let error = judge(&strict, JOSE, &jws(&authority, &old, |_| ())).unwrap_err();
    assert!(error.to_string().starts_with("verification time is after"), "{error}");
    let server = authority.leaf(|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let error = judge(&permissive, JOSE, &jws(&authority, &server, |_| ())).unwrap_err();
    assert!(error.to_string().contains("Code Signing"), "{error}");
}

#[test]
fn policies_are_checked_in_the_words_of_upstream() {
    let text = |document: Value| {
        Policy::parse(document.to_string().as_bytes(), []).unwrap_err().to_string()
    };
    let empty = "trust policy document has empty version, version must be specified";
    assert_eq!(text(json!({})), empty);
    let none = "trust policy document can not have zero trust policy statements";
    assert_eq!(text(json!({"version": "1.0"})), none);
    let rule = |level: &str, scope: &str, stores: Value| {
        json!({"version": "1.0", "trustPolicies": [{
            "name": "p", "registryScopes": [scope], "signatureVerification": {"level": level},
            "trustStores": stores, "trustedIdentities": ["*"],
        }]})
    };
    let level = "trust policy: trust policy statement \"p\" has invalid signatureVerification: \
                 invalid signature verification level \"loose\"";
    assert_eq!(text(rule("loose", "*", json!(["ca:x"]))), level);
    let stores = "trust policy: trust policy statement \"p\" is either missing trust stores or \
                  trusted identities, both must be specified";
    assert_eq!(text(rule("strict", "*", json!([]))), stores);
    assert!(text(rule("strict", "nohost", json!(["ca:x"]))).contains("is not valid, make sure"));
    let skip = rule("skip", "registry.test/a", json!(["ca:x"])).to_string();
    let skip = Policy::parse(skip.as_bytes(), []).unwrap();
    assert!(skip.statement("registry.test/a", DIGEST).unwrap().is_skipped());
    let error = skip.statement("registry.test/b", DIGEST).unwrap_err().to_string();
    assert!(error.contains("has no applicable trust policy statement"), "{error}");
}
