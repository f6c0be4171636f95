//! Manifests and blobs.

use std::collections::BTreeMap;
use std::time::Duration;

use registry::{Access, Call, Client, Descriptor, Digest, Error, Manifest, Repository};
use world::registry::{Auth, Fault, MEDIA_TYPE_INDEX, Misbehaviour, Options, Server};

use crate::{basic, client, repository};

const TAR: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const SOURCE: &str = "org.opencontainers.image.source";

/// Far more than anything here has.
const LIMIT: u64 = 1 << 20;

fn call<'a>(repository: &'a Repository, access: &'a Access) -> Call<'a> {
    Call { repository, access, timeout: Duration::from_mins(1) }
}

fn publish(server: &Server, tag: &str, layers: &[(&str, &[u8])]) -> String {
    let annotations = BTreeMap::from([(SOURCE.to_owned(), "https://git/x".to_owned())]);
    server.store().publish_layers("a/b", tag, layers, &annotations)
}

async fn read(client: &Client, call: &Call<'_>, of: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut blob = client.blob(call, of, LIMIT).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = blob.chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn first_layer(manifest: &Manifest) -> Descriptor {
    manifest.content.layers.first().unwrap().clone()
}

#[tokio::test]
async fn an_artifact_is_pulled_by_tag_and_by_digest() {
    let server = Server::start().await.unwrap();
    let digest = publish(&server, "1", &[("text/x", b"first"), (TAR, b"second")]);
    let (client, repository, access) = (client(), repository(&server, "a/b"), Access::default());
    let call = call(&repository, &access);
    assert_eq!(client.resolve(&call, "1").await.unwrap(), digest);
    for reference in ["1", &digest] {
        let found = client.image(&call, reference).await.unwrap();
        assert_eq!(found.digest.as_str(), digest);
        assert_eq!(found.content.annotations[SOURCE], "https://git/x");
        let layers = &found.content.layers;
        assert_eq!(layers[1].media_type, TAR);
        assert_eq!(read(&client, &call, &layers[1]).await.unwrap(), b"second");
    }
}

#[tokio::test]
async fn a_private_artifact_is_pulled_with_one_login() {
    let auth = Auth::Token {
        username: "u".to_owned(),
        password: "p".to_owned(),
        anonymous_pull: false,
        expires_in: Duration::from_mins(5),
    };
    let server = Server::with(Options { auth, ..Options::default() }).await.unwrap();
    publish(&server, "1", &[(TAR, b"data")]);
    let (client, repository, access) = (client(), repository(&server, "a/b"), basic("u", "p"));
    let call = call(&repository, &access);
    let found = client.image(&call, "1").await.unwrap();
    assert_eq!(read(&client, &call, &first_layer(&found)).await.unwrap(), b"data");
    assert_eq!(server.count("/token"), 1);
    server.revoke_tokens();
    assert_eq!(read(&client, &call, &first_layer(&found)).await.unwrap(), b"data");
    let denied = client.image(&Call { access: &basic("u", "x"), ..call }, "1").await.unwrap_err();
    assert!(denied.is_denied(), "{denied}");
}

#[tokio::test]
async fn of_an_index_the_child_for_linux_on_amd64_is_taken() {
    let server = Server::start().await.unwrap();
    let arm = publish(&server, "arm", &[(TAR, b"arm")]);
    let amd = publish(&server, "amd", &[(TAR, b"amd")]);
    let index = |platforms: &[(&str, &str)]| {
        let children: Vec<String> = platforms
            .iter()
            .map(|(digest, cpu)| {
                format!(
                    r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,
                    "digest":"{digest}","platform":{{"os":"linux","architecture":"{cpu}"}}}}"#
                )
            })
            .collect();
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, children.join(","))
    };
    let both = index(&[(&arm, "arm64"), (&amd, "amd64")]);
    let all = server.store().put("a/b", "all", MEDIA_TYPE_INDEX, both);
    server.store().put("a/b", "none", MEDIA_TYPE_INDEX, index(&[(&arm, "arm64")]));
    let (client, repository, access) = (client(), repository(&server, "a/b"), Access::default());
    let call = call(&repository, &access);
    assert_eq!(client.resolve(&call, "all").await.unwrap(), all, "the revision is the index");
    assert_eq!(client.image(&call, "all").await.unwrap().digest.as_str(), amd);
    let error = client.image(&call, "none").await.unwrap_err().to_string();
    let want = format!("no child with platform linux/amd64 in index {}:none", server.image("a/b"));
    assert_eq!(error, want);
}

#[tokio::test]
async fn what_is_not_what_its_digest_says_is_refused() {
    let server = Server::start().await.unwrap();
    publish(&server, "1", &[(TAR, b"good")]);
    let (client, repository, access) = (client(), repository(&server, "a/b"), Access::default());
    let call = call(&repository, &access);
    let layer = first_layer(&client.image(&call, "1").await.unwrap());
    let answer = |body: &str| Misbehaviour::Answer {
        status: 200,
        headers: Vec::new(),
        body: body.to_owned(),
    };
    server.inject(Fault::new("/blobs/", 1, answer("evil")));
    let error = read(&client, &call, &layer).await.unwrap_err().to_string();
    let (got, want) = (Digest::of(b"evil"), Digest::of(b"good"));
    let text = "error verifying sha256 checksum after reading 4 bytes; got";
    assert_eq!(error, format!("{text} \"{got}\", want \"{want}\""));
    server.inject(Fault::new("/blobs/", 1, answer("longer")));
    let error = read(&client, &call, &layer).await.unwrap_err().to_string();
    assert!(error.ends_with("Content-Length header 6 does not match expected size 4"), "{error}");
    server.inject(Fault::new("/manifests/", 1, answer("{}")));
    let error = client.manifest(&call, want.as_str()).await.unwrap_err().to_string();
    assert!(error.contains("does not match requested digest"), "{error}");
}

#[tokio::test]
async fn an_interrupted_or_too_large_blob_is_an_error() {
    let server = Server::start().await.unwrap();
    let data = vec![7; 64 << 10];
    publish(&server, "1", &[(TAR, &data)]);
    let (client, repository, access) = (client(), repository(&server, "a/b"), Access::default());
    let call = call(&repository, &access);
    let layer = first_layer(&client.image(&call, "1").await.unwrap());
    server.inject(Fault::new("/blobs/", 1, Misbehaviour::Truncate(1000)));
    let error = read(&client, &call, &layer).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(read(&client, &call, &layer).await.unwrap(), data);
    server.clear_requests();
    let error = client.blob(&call, &layer, 1000).await.unwrap_err().to_string();
    assert!(error.ends_with("has 65536 bytes, more than the 1000 allowed"), "{error}");
    assert_eq!(server.count("/blobs/"), 0);
}

#[tokio::test]
async fn a_missing_tag_is_told_in_the_words_of_the_registry() {
    let server = Server::start().await.unwrap();
    publish(&server, "1", &[(TAR, b"data")]);
    let (repository, access) = (repository(&server, "a/b"), Access::default());
    let error = client().resolve(&call(&repository, &access), "9").await.unwrap_err();
    let want = format!(
        "GET http://{}/v2/a/b/manifests/9: MANIFEST_UNKNOWN: manifest unknown; unknown tag=9",
        server.host()
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found());
}

#[tokio::test]
async fn referrers_are_found_by_the_api_and_by_the_tag() {
    let server = Server::start().await.unwrap();
    let subject = publish(&server, "1", &[(TAR, b"data")]);
    let signature = format!(
        r#"{{"schemaVersion":2,"artifactType":"x/signature","subject":{{"digest":"{subject}"}}}}"#
    );
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let by_api =
        server.store().put("a/b", &Digest::of(signature.as_bytes()).to_string(), kind, signature);
    let (client, repository, access) = (client(), repository(&server, "a/b"), Access::default());
    let (call, subject) = (call(&repository, &access), Digest::parse(&subject).unwrap());
    let found = client.referrers(&call, &subject, Some("x/signature")).await.unwrap();
    assert_eq!(found[0].digest, by_api);
    let other = client.referrers(&call, &subject, Some("x/other")).await.unwrap();
    assert!(other.is_empty());

    server.inject(Fault::status("/referrers/", 404));
    assert!(client.referrers(&call, &subject, None).await.unwrap().is_empty());
    let index = r#"{"manifests":[{"digest":"sha256:1","artifactType":"x/signature"}]}"#;
    let tag = format!("sha256-{}", subject.hex());
    server.store().put("a/b", &tag, MEDIA_TYPE_INDEX, index);
    let found = client.referrers(&call, &subject, Some("x/signature")).await.unwrap();
    assert_eq!(found[0].digest, "sha256:1");
}
