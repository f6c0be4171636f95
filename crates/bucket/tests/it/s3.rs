//! S3.

use bucket::{Bucket, Credential, Error};

use crate::server::Server;

pub(crate) async fn read(bucket: &Bucket, key: &str) -> Result<(String, Vec<u8>), Error> {
    let mut download = bucket.get(key).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = download.chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok((download.etag, bytes))
}

fn keys(entries: &[bucket::Entry]) -> Vec<&str> {
    entries.iter().map(|it| it.key.as_str()).collect()
}

#[tokio::test]
async fn objects_are_listed_with_their_etags_and_read() {
    let Some(server) = Server::start().await else { return };
    for (key, content) in [("b/c.txt", "two"), ("a.txt", "one"), ("b/d/e.txt", "three")] {
        server.put(key, content.as_bytes()).await;
    }
    let credential = Credential::Key { id: "id".into(), secret: "secret".into(), session: None };
    let bucket = server.bucket("b", credential).await;
    assert_eq!(bucket.exists().await, Ok(true));
    let listed = bucket.list("", 10).await.unwrap();
    assert_eq!(keys(&listed), ["a.txt", "b/c.txt", "b/d/e.txt"]);
    let (etag, content) = read(&bucket, "a.txt").await.unwrap();
    assert_eq!(content, b"one");
    assert_eq!(etag, listed[0].etag);
    assert!(!etag.contains('"') && !etag.is_empty(), "{etag}");
    server.put("a.txt", b"changed").await;
    assert_ne!(bucket.list("", 10).await.unwrap()[0].etag, etag);
}

#[tokio::test]
async fn prefixes_may_end_within_a_part_of_a_key() {
    let Some(server) = Server::start().await else { return };
    for key in ["app/a", "apple/b", "other/c", "app/d/e"] {
        server.put(key, b"x").await;
    }
    let bucket = server.bucket("b", Credential::Anonymous).await;
    for (prefix, want) in [
        ("app", &["app/a", "app/d/e", "apple/b"][..]),
        ("app/", &["app/a", "app/d/e"]),
        ("app/d", &["app/d/e"]),
        ("none", &[]),
    ] {
        assert_eq!(keys(&bucket.list(prefix, 10).await.unwrap()), want, "{prefix}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_as_missing() {
    let Some(server) = Server::start().await else { return };
    let bucket = server.bucket("nothing", Credential::Anonymous).await;
    assert_eq!(bucket.exists().await, Ok(false));
    let bucket = server.bucket("b", Credential::Anonymous).await;
    assert_eq!(bucket.exists().await, Ok(true), "an empty one is there, too");
    let error = read(&bucket, "nothing").await.unwrap_err();
    assert_eq!(error, Error::NoObject("nothing".to_owned()));
}

#[tokio::test]
async fn more_objects_than_allowed_are_an_error() {
    let Some(server) = Server::start().await else { return };
    for at in 0..5 {
        server.put(&format!("k{at}"), b"x").await;
    }
    let bucket = server.bucket("b", Credential::Anonymous).await;
    assert_eq!(bucket.list("", 5).await.unwrap().len(), 5);
    let error = bucket.list("", 4).await.unwrap_err();
    assert_eq!(error, Error::TooLarge("bucket 'b' has more than 4 objects".to_owned()));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_without_the_credential() {
    let Some(server) = Server::start().await else { return };
    let credential =
        Credential::Key { id: "key-id".into(), secret: "key-secret".into(), session: None };
    let bucket = server.bucket("b", credential).await;
    drop(server);
    let error = bucket.exists().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let text = format!("{error} {error:?} {bucket:?}");
    assert!(!text.contains("key-id") && !text.contains("key-secret"), "{text}");
}
