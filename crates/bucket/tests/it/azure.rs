//! Azure Blob Storage, as a stub that checks what it is asked.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bucket::{Azure, Bucket, Credential, Error, Options, Provider};
use http_client::Pool;

use crate::{
    s3::read,
    stub::{Asked, Stub},
};

const ACCOUNT: &str = "devaccount";

fn blob(name: &str, etag: &str) -> String {
    let time = "<Last-Modified>Sat, 21 Nov 2026 10:00:00 GMT</Last-Modified>";
    let size = "<Content-Length>3</Content-Length>";
    let kind = "<Content-Type>text/plain</Content-Type>";
    let properties = format!("{time}{size}{kind}<Etag>{etag}</Etag>");
    format!("<Blob><Name>{name}</Name><Properties>{properties}</Properties></Blob>")
}

/// The emulator's form of address: the account is the first part of the path.
async fn server() -> Stub {
    Stub::start(|asked| match asked.target.split('?').next().unwrap_or_default() {
        "/devaccount/data" => {
            let first = (blob("a.txt", "e-1"), "more");
            let second = (blob("b/c.txt", "e-2"), "");
            let asked = asked.query();
            let (blob, next) = if asked.contains_key("marker") { second } else { first };
            let next = format!("<NextMarker>{next}</NextMarker>");
            let all = format!("<Blobs>{blob}</Blobs>{next}");
            (200, format!("<EnumerationResults>{all}</EnumerationResults>"))
        }
        "/devaccount/data/a.txt" => (200, "one".to_owned()),
        "/tenant/oauth2/v2.0/token" => {
            (200, r#"{"access_token":"entra-token","expires_in":3600}"#.to_owned())
        }
        _ => (404, "<Error><Code>ContainerNotFound</Code></Error>".to_owned()),
    })
    .await
}

async fn open(server: &Stub, query: &str, credential: Credential) -> Result<Bucket, Error> {
    let options = Options {
        provider: Provider::Azure,
        name: "data".to_owned(),
        endpoint: format!("{}{ACCOUNT}{query}", server.url),
        region: String::new(),
        insecure: true,
        credential,
        http: http_client::Options::default(),
        pool: Pool::new("test"),
    };
    Bucket::open(&options).await
}

/// What `Authorization` is to be by Microsoft's own description (Authorize with Shared Key).
fn shared_key(asked: &Asked, key: &[u8]) -> String {
    let path = asked.target.split('?').next().unwrap();
    let headers = ["x-ms-version:", asked.header("x-ms-version"), "\n"].concat();
    let date = asked.header("date");
    let query = asked.query();
    let query: Vec<_> = query.iter().map(|(name, value)| format!("\n{name}:{value}")).collect();
    let query = query.concat();
    // Of eleven headers, only the date is there.
    let head = format!("{}\n\n\n\n\n\n{date}\n\n\n\n\n\n", asked.method);
    let text = format!("{head}{headers}/{ACCOUNT}{path}{query}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    format!("SharedKey {ACCOUNT}:{}", BASE64_STANDARD.encode(tag.as_ref()))
}

#[tokio::test]
async fn requests_are_signed_with_the_key_of_the_account() {
    let server = server().await;
    let key = BASE64_STANDARD.encode(b"a key of the account");
    let credential = Credential::Azure(Azure::AccountKey(key));
    let bucket = open(&server, "", credential).await.unwrap();
    assert_eq!(bucket.exists().await, Ok(true));
    server.asked();
    let listed = bucket.list("", 10).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| (it.key.as_str(), it.etag.as_str())).collect();
    assert_eq!(listed, [("a.txt", "e-1"), ("b/c.txt", "e-2")]);
    assert_eq!(read(&bucket, "a.txt").await.unwrap(), ("e-1".to_owned(), b"one".to_vec()));
    let asked = server.asked();
    let lines: Vec<_> = asked.iter().map(Asked::line).collect();
    assert_eq!(
        lines,
        [
            "GET /devaccount/data?restype=container&comp=list",
            "GET /devaccount/data?restype=container&comp=list&marker=more",
            "GET /devaccount/data/a.txt"
        ]
    );
    for asked in &asked {
        assert_eq!(asked.header("authorization"), shared_key(asked, b"a key of the account"));
    }
}

#[tokio::test]
async fn a_signature_of_the_secret_goes_before_that_of_the_endpoint() {
    let server = server().await;
    let credential = Credential::Azure(Azure::Sas("?sig=own&sp=rl".to_owned()));
    let bucket = open(&server, "?sig=other&sv=2024", credential).await.unwrap();
    read(&bucket, "a.txt").await.unwrap();
    let asked = server.asked();
    let want = [("sig", "own"), ("sp", "rl"), ("sv", "2024")];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[0].query(), want.into());
    assert_eq!(asked[0].header("authorization"), "");
    let bucket = open(&server, "?sig=other", Credential::Anonymous).await.unwrap();
    read(&bucket, "a.txt").await.unwrap();
    assert_eq!(server.asked()[0].query()["sig"], "other");
    drop(server);
    let why = bucket.exists().await.unwrap_err().to_string();
    assert!(!why.contains("other"), "{why}");
}

#[tokio::test]
async fn an_application_shows_its_secret_to_its_authority_alone() {
    let server = server().await;
    let credential = Credential::Azure(Azure::ClientSecret {
        tenant: "tenant".to_owned(),
        client: "client".to_owned(),
        secret: "s&cret".to_owned(),
        authority: server.url.as_str().trim_end_matches('/').to_owned(),
    });
    let bucket = open(&server, "", credential).await.unwrap();
    read(&bucket, "a.txt").await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].line(), "POST /tenant/oauth2/v2.0/token");
    let want = [
        ("client_id", "client"),
        ("client_secret", "s&cret"),
        ("grant_type", "client_credentials"),
        ("scope", "https://storage.azure.com/.default"),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[0].form(), want.into());
    assert_eq!(asked[1].line(), "GET /devaccount/data/a.txt");
    assert_eq!(asked[1].header("authorization"), "Bearer entra-token");
}

#[tokio::test]
async fn a_token_is_shown_as_it_is() {
    let server = server().await;
    let credential = Credential::Bearer("a-token".to_owned());
    let bucket = open(&server, "", credential).await.unwrap();
    read(&bucket, "a.txt").await.unwrap();
    assert_eq!(server.asked()[0].header("authorization"), "Bearer a-token");
}
