//! AWS KMS, and STS for roles.

use std::collections::BTreeMap;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kms::Endpoints;
use serde_json::{Value, json};
use sops::Kind;

use crate::World;
use crate::stub::{Asked, Stub};

const ARN: &str = "arn:aws:kms:eu-west-1:123456789012:key/abc";
const KEYS: &str = "aws_access_key_id: AKIAOWN\naws_secret_access_key: own-secret\n";

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Computes the signature again from what arrived (AWS Signature Version 4).
fn check_signature(asked: &Asked, (service, region): (&str, &str), (id, secret): (&str, &str)) {
    let authorization = asked.header("authorization");
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let field = |name: &str| fields.split(", ").find_map(|it| it.strip_prefix(name)).unwrap();
    let signed = field("SignedHeaders=");
    let stamp = asked.header("x-amz-date");
    assert_eq!(stamp, "20261121T100000Z");
    let scope = format!("20261121/{region}/{service}/aws4_request");
    assert_eq!(field("Credential="), format!("{id}/{scope}"));
    let lines: Vec<String> =
        signed.split(';').map(|name| format!("{name}:{}", asked.header(name))).collect();
    let lines = lines.join("\n");
    let body = hex(digest::digest(&digest::SHA256, &asked.body).as_ref());
    let canonical = format!("POST\n/\n\n{lines}\n\n{signed}\n{body}");
    let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}");
    let sign = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let start = format!("AWS4{secret}").into_bytes();
    let parts = ["20261121", region, service, "aws4_request"];
    let key = parts.iter().fold(start, |key, part| sign(&key, part));
    assert_eq!(field("Signature="), hex(&sign(&key, &text)));
}

async fn service(id: &'static str, secret: &'static str) -> Stub {
    Stub::start(move |asked| {
        assert_eq!(asked.line(), "POST /");
        assert_eq!(asked.header("x-amz-target"), "TrentService.Decrypt");
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
        check_signature(asked, ("kms", "eu-west-1"), (id, secret));
        let plain = BASE64_STANDARD.encode("data key");
        (200, json!({"KeyId": ARN, "Plaintext": plain}).to_string(), None)
    })
    .await
}

fn key(role: &str, context: &[(&str, &str)]) -> Kind {
    let context: BTreeMap<String, String> =
        context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Kind::AwsKms { arn: ARN.into(), role: role.into(), context, profile: String::new() }
}

fn at(stub: &Stub) -> Endpoints {
    Endpoints { aws_kms: Some(stub.url.clone()), ..Endpoints::default() }
}

#[tokio::test]
async fn keys_of_the_secret_sign_the_request() {
    let stub = service("AKIAOWN", "own-secret").await;
    let world = World::new(cloud::Endpoints::default(), at(&stub), &[]).with("sops.aws-kms", KEYS);
    let got = world.unwrap(key("", &[("app", "x")]), "d3JhcHBlZA==").await.unwrap();
    assert_eq!(got, b"data key");
    let body: Value = serde_json::from_slice(&stub.only().body).unwrap();
    let want = json!({"CiphertextBlob": "d3JhcHBlZA==", "KeyId": ARN,
                      "EncryptionContext": {"app": "x"}});
    assert_eq!(body, want);
}

#[tokio::test]
async fn without_keys_the_identity_of_the_process_signs() {
    let stub = service("AKIAPROC", "process-secret").await;
    let variables =
        [("AWS_ACCESS_KEY_ID", "AKIAPROC"), ("AWS_SECRET_ACCESS_KEY", "process-secret")];
    let world = World::new(cloud::Endpoints::default(), at(&stub), &variables);
    assert_eq!(world.unwrap(key("", &[]), "eA==").await.unwrap(), b"data key");
    let body: Value = serde_json::from_slice(&stub.only().body).unwrap();
    assert_eq!(body, json!({"CiphertextBlob": "eA==", "KeyId": ARN}));
}

#[tokio::test]
async fn a_role_is_assumed_first() {
    let stub = service("ASIAROLE", "role-secret").await;
    let sts = Stub::start(|asked| {
        check_signature(asked, ("sts", "eu-west-1"), ("AKIAOWN", "own-secret"));
        asked.check_form(&[
            ("Action", "AssumeRole"),
            ("RoleArn", "arn:aws:iam::1:role/r"),
            ("RoleSessionName", "sops"),
            ("Version", "2011-06-15"),
        ]);
        let body = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
            <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>\
            <SessionToken>session</SessionToken><Expiration>2026-11-21T11:00:00Z</Expiration>\
            </Credentials></AssumeRoleResult></AssumeRoleResponse>";
        (200, body.to_owned(), None)
    })
    .await;
    let clouds = cloud::Endpoints { aws_sts: Some(sts.url.clone()), ..Default::default() };
    let world = World::new(clouds, at(&stub), &[]).with("sops.aws-kms", KEYS);
    let got = world.unwrap(key("arn:aws:iam::1:role/r", &[]), "eA==").await.unwrap();
    assert_eq!(got, b"data key");
    assert_eq!(stub.only().header("x-amz-security-token"), "session");
}

#[tokio::test]
async fn a_refusal_tells_its_reason_and_no_secret() {
    let stub = Stub::start(|_| {
        let body = r#"{"__type":"AccessDeniedException","Message":"not allowed"}"#;
        (400, body.to_owned(), None)
    })
    .await;
    let world = World::new(cloud::Endpoints::default(), at(&stub), &[]).with("sops.aws-kms", KEYS);
    let error = world.unwrap(key("", &[]), "eA==").await.unwrap_err();
    assert!(error.is_denied() && !error.is_transient());
    assert_eq!(
        error.to_string(),
        "operation error KMS: Decrypt: 400 Bad Request: AccessDeniedException: not allowed"
    );
}
