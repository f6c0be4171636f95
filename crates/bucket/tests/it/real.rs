//! The emulators that Google's and Microsoft's own clients are tested with.

use bucket::{Azure, Bucket, Credential, Error, Options, Provider};
use http_client::Pool;

use crate::s3::read;

async fn open(provider: Provider, endpoint: String, credential: Credential) -> Bucket {
    // The second call in one process is refused, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options {
        provider,
        name: "data".to_owned(),
        endpoint,
        region: String::new(),
        insecure: true,
        credential,
        http: http_client::Options::default(),
        pool: Pool::new("test"),
    };
    Bucket::open(&options).await.unwrap()
}

/// What holds for a bucket `data` with `a.txt` and `b/c.txt`; the last object is put by `change`.
async fn holds(bucket: &Bucket, change: impl AsyncFn(&str, &[u8])) {
    assert_eq!(bucket.exists().await, Ok(true));
    let keys = async |prefix: &str| -> Vec<String> {
        let listed = bucket.list(prefix, 10).await.unwrap();
        listed.into_iter().map(|it| it.key).collect()
    };
    assert_eq!(keys("").await, ["a.txt", "b/c.txt"]);
    assert_eq!(keys("b").await, ["b/c.txt"]);
    let before = bucket.list("", 10).await.unwrap();
    let (etag, content) = read(bucket, "a.txt").await.unwrap();
    assert_eq!((etag.as_str(), content.as_slice()), (before[0].etag.as_str(), &b"one"[..]));
    assert_eq!(read(bucket, "b/c.txt").await.unwrap().1, b"two");
    change("a.txt", b"changed").await;
    let after = bucket.list("", 10).await.unwrap();
    assert_ne!(before[0].etag, after[0].etag);
    assert_eq!(before[1], after[1]);
    assert_eq!(read(bucket, "none").await, Err(Error::NoObject("none".to_owned())));
}

#[tokio::test]
async fn googles_kind_of_server_is_read() {
    let Some(server) = world::gcs::Server::start("data").await.unwrap() else {
        println!("skipped: buckets: fake-gcs-server is not built (cargo xtask setup)");
        return;
    };
    server.put("a.txt", b"one").await.unwrap();
    server.put("b/c.txt", b"two").await.unwrap();
    let endpoint = format!("http://{}", server.host());
    let bucket = open(Provider::Gcp, endpoint, Credential::Anonymous).await;
    holds(&bucket, async |key, content| server.put(key, content).await.unwrap()).await;
}

#[tokio::test]
async fn azures_kind_of_server_is_read_with_the_key_of_the_account() {
    let Some(server) = world::azure::Server::start("data").await.unwrap() else {
        println!("skipped: buckets: Azurite is not installed (cargo xtask setup)");
        return;
    };
    server.put("a.txt", b"one").await.unwrap();
    server.put("b/c.txt", b"two").await.unwrap();
    let credential = Credential::Azure(Azure::AccountKey(world::azure::KEY.to_owned()));
    let bucket = open(Provider::Azure, server.endpoint(), credential).await;
    holds(&bucket, async |key, content| server.put(key, content).await.unwrap()).await;
    let wrong = Credential::Azure(Azure::AccountKey("d3Jvbmc=".to_owned()));
    let error = open(Provider::Azure, server.endpoint(), wrong).await.exists().await.unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("Server failed to authenticate the request."), "{told}");
    assert!(!told.contains("d3Jvbmc"), "{told}");
}
