//! Google Cloud Storage, as a stub that checks what it is asked.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bucket::{Bucket, Credential, Error, Options, Provider};
use http_client::Pool;
use serde_json::{Value, json};

use crate::{s3::read, stub::Stub};

/// The XML interface, which lists as S3 does.
async fn server() -> Stub {
    Stub::start(|asked| match asked.target.split('?').next().unwrap_or_default() {
        "/data" if asked.query().contains_key("continuation-token") => {
            let key = "<Key>b/c.txt</Key><Size>3</Size><ETag>\"e-2\"</ETag>";
            let time = "<LastModified>2026-11-21T10:00:00.000Z</LastModified>";
            let all = format!("<Contents>{key}{time}</Contents>");
            (200, format!("<ListBucketResult>{all}</ListBucketResult>"))
        }
        "/data" => {
            let key = "<Key>a.txt</Key><Size>3</Size><ETag>\"e-1\"</ETag>";
            let time = "<LastModified>2026-11-21T10:00:00.000Z</LastModified>";
            let more = "<NextContinuationToken>more</NextContinuationToken>";
            let all = format!("{more}<Contents>{key}{time}</Contents>");
            (200, format!("<ListBucketResult>{all}</ListBucketResult>"))
        }
        "/data/a%2Etxt" => (200, "one".to_owned()),
        "/data/b%2Fc%2Etxt" => (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        _ => (404, "<Error><Code>NoSuchBucket</Code></Error>".to_owned()),
    })
    .await
}

async fn open(server: &Stub, name: &str, credential: Credential) -> Result<Bucket, Error> {
    let options = Options {
        provider: Provider::Gcp,
        name: name.to_owned(),
        endpoint: server.url.as_str().trim_end_matches('/').to_owned(),
        region: String::new(),
        insecure: true,
        credential,
        http: http_client::Options::default(),
        pool: Pool::new("test"),
    };
    Bucket::open(&options).await
}

#[tokio::test]
async fn objects_are_listed_page_by_page_and_read() {
    let server = server().await;
    let bucket = open(&server, "data", Credential::Anonymous).await.unwrap();
    assert_eq!(bucket.exists().await, Ok(true));
    server.asked();
    let listed = bucket.list("", 10).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| (it.key.as_str(), it.etag.as_str())).collect();
    assert_eq!(listed, [("a.txt", "e-1"), ("b/c.txt", "e-2")]);
    assert_eq!(read(&bucket, "a.txt").await.unwrap(), ("e-1".to_owned(), b"one".to_vec()));
    assert_eq!(read(&bucket, "b/c.txt").await, Err(Error::NoObject("b/c.txt".to_owned())));
    let asked = server.asked();
    let lines: Vec<_> = asked.iter().map(super::stub::Asked::line).collect();
    assert_eq!(
        lines,
        [
            "GET /data?list-type=2",
            "GET /data?list-type=2&continuation-token=more",
            "GET /data/a%2Etxt",
            "GET /data/b%2Fc%2Etxt"
        ]
    );
    assert!(asked.iter().all(|it| it.header("authorization").is_empty()), "{asked:?}");
    let nothing = open(&server, "nothing", Credential::Anonymous).await.unwrap();
    assert_eq!(nothing.exists().await, Ok(false));
}

#[tokio::test]
async fn a_service_account_signs_its_own_token() {
    let server = server().await;
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let body = BASE64_STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let key = json!({
        "type": "service_account",
        "private_key": pem,
        "private_key_id": "k1",
        "client_email": "reader@project.iam.gserviceaccount.com",
    });
    let credential = Credential::ServiceAccount(key.to_string());
    let bucket = open(&server, "data", credential).await.unwrap();
    bucket.list("", 10).await.unwrap();
    let asked = server.asked();
    let token = asked[0].header("authorization").strip_prefix("Bearer ").unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(signed.as_bytes(), &signature).unwrap();
    let part = |at: usize| -> Value {
        let part = signed.split('.').nth(at).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!((&part(0)["alg"], &part(0)["kid"]), (&json!("RS256"), &json!("k1")));
    assert_eq!(part(1)["iss"], "reader@project.iam.gserviceaccount.com");
    assert_eq!(part(1)["scope"], "https://www.googleapis.com/auth/cloud-platform");
}

#[tokio::test]
async fn a_key_that_is_none_is_told_without_its_content() {
    let server = server().await;
    let credential = Credential::ServiceAccount("{\"private_key\": \"hidden\"}".to_owned());
    let why = open(&server, "data", credential).await.unwrap_err();
    assert!(matches!(why, Error::Options(_)) && !why.to_string().contains("hidden"), "{why}");
}

#[tokio::test]
async fn a_token_is_shown_as_it_is() {
    let server = server().await;
    let credential = Credential::Bearer("a-token".to_owned());
    assert_eq!(format!("{credential:?}"), "Bearer(..)");
    let bucket = open(&server, "data", credential).await.unwrap();
    bucket.list("", 10).await.unwrap();
    assert_eq!(server.asked()[0].header("authorization"), "Bearer a-token");
}
