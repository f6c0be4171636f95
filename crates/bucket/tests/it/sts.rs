//! Temporary keys for users of a directory, as a stub that checks what it is asked.

use bucket::{Bucket, Credential, Error, Ldap, Options, Provider};
use http_client::Pool;

use crate::{s3::read, stub::Stub};

async fn open(store: &Stub, service: &Stub) -> Result<Bucket, Error> {
    let credential = Credential::Ldap(Ldap {
        endpoint: service.url.to_string(),
        username: "ann".to_owned(),
        password: "pa&ss".to_owned(),
        http: http_client::Options::default(),
    });
    open_as(store, credential).await
}

async fn open_as(store: &Stub, credential: Credential) -> Result<Bucket, Error> {
    let options = Options {
        provider: Provider::Generic,
        name: "data".to_owned(),
        endpoint: store.host(),
        region: String::new(),
        insecure: true,
        credential,
        http: http_client::Options::default(),
        pool: Pool::new("test"),
    };
    Bucket::open(&options).await
}

#[tokio::test]
async fn keys_are_asked_for_once_and_sign_requests() {
    let service = Stub::start(|_| {
        let keys = "<AccessKeyId>temp</AccessKeyId><SecretAccessKey>s</SecretAccessKey>";
        let all = format!("<Credentials>{keys}<SessionToken>a&amp;b</SessionToken></Credentials>");
        (200, format!("<AssumeRoleWithLDAPIdentityResult>{all}</AssumeRoleWithLDAPIdentityResult>"))
    })
    .await;
    let store = Stub::start(|_| (200, "one".to_owned())).await;
    let bucket = open(&store, &service).await.unwrap();
    read(&bucket, "a.txt").await.unwrap();
    read(&bucket, "b.txt").await.unwrap();
    let asked = service.asked();
    assert_eq!((asked.len(), asked[0].line().as_str()), (1, "POST /"));
    let want = [
        ("Action", "AssumeRoleWithLDAPIdentity"),
        ("LDAPPassword", "pa&ss"),
        ("LDAPUsername", "ann"),
        ("Version", "2011-06-15"),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[0].form(), want.into());
    let asked = store.asked();
    assert_eq!(asked[0].line(), "GET /data/a.txt");
    for asked in &asked {
        assert_eq!(asked.header("x-amz-security-token"), "a&b");
        let signature = asked.header("authorization");
        assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=temp/"), "{signature}");
    }
}

#[tokio::test]
async fn a_refusal_is_quoted_without_the_password() {
    let service = Stub::start(|_| {
        (403, "<Error><Message>LDAP authentication failed</Message></Error>".to_owned())
    })
    .await;
    let store = Stub::start(|_| (200, String::new())).await;
    let why = open(&store, &service).await.unwrap_err();
    assert_eq!(why, Error::Denied("STS request failed: LDAP authentication failed".to_owned()));
    assert_eq!(store.asked().len(), 0, "the store is not asked");
    let empty = Stub::start(|_| (200, "<Credentials/>".to_owned())).await;
    let why = open(&store, &empty).await.unwrap_err();
    assert_eq!(why, Error::Failed("STS answer has no AccessKeyId".to_owned()));
}

#[tokio::test]
async fn keys_of_a_session_sign_requests() {
    let store = Stub::start(|_| (200, "one".to_owned())).await;
    let key = |session: Option<&str>| Credential::Key {
        id: "temp".to_owned(),
        secret: "s".to_owned(),
        session: session.map(str::to_owned),
    };
    for (session, header) in [(Some("of a role"), "of a role"), (None, "")] {
        let bucket = open_as(&store, key(session)).await.unwrap();
        read(&bucket, "a.txt").await.unwrap();
        let asked = store.asked();
        assert_eq!(asked[0].header("x-amz-security-token"), header);
        let signature = asked[0].header("authorization");
        assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=temp/"), "{signature}");
    }
}
