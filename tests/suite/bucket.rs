//! Bucket, as its users and its consumers see it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Result, ensure};
use axum::{Router, body::Body, extract::Request, response::Response, routing::post};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use sluice::controllers::Setup;
use url::Url;
use world::s3::Server;

use crate::artifact::{files, served};

scenarios! {
    objects_become_an_artifact_by_their_etags,
    an_object_that_changes_while_it_is_read_counts_as_it_is,
    an_empty_bucket_has_an_artifact,
    rules_of_the_bucket_and_of_the_spec_count_without_defaults,
    a_missing_bucket_is_told_and_the_old_artifact_stays,
    secrets_are_checked_in_the_words_of_upstream,
}

const KIND: &str = "Bucket";

/// A server, unless it is not built.
async fn server(scenario: &str) -> Result<Option<Server>> {
    let server = Server::start("data").await?;
    if server.is_none() {
        scenarios::skipped(scenario, "gofakes3, built by `cargo xtask setup`");
    }
    Ok(server)
}

fn bucket(it: &Tenant, host: &str, spec: &Value) -> Value {
    let usual = json!({
        "bucketName": "data", "endpoint": host, "insecure": true, "interval": "1h", "timeout": "30s",
    });
    it.source(KIND, "data", usual, spec)
}

async fn objects_become_an_artifact_by_their_etags(it: Tenant) -> Result<()> {
    let Some(server) = server("buckets: revisions").await? else { return Ok(()) };
    for (key, content) in [("a.yaml", "1"), ("b/c.yaml", "2"), ("b/d.png", "3"), ("x/e", "4")] {
        server.put(key, content.as_bytes()).await?;
    }
    it.create(&bucket(&it, &server.host(), &json!({"prefix": "b"}))).await?;
    let first = it.ready(KIND, "data").await?;
    let got: Vec<String> = files(&served(&first).await?)?.into_keys().collect();
    assert_eq!(got, ["b/c.yaml", "b/d.png"], "the prefix stays in the paths");
    let revision = first["status"]["artifact"]["revision"].as_str().unwrap_or_default();
    let ready = condition(&first, "Ready");
    assert_eq!(ready["message"], format!("stored artifact: revision '{revision}'"));
    let event = it.event(KIND, "data", "NewArtifact").await?;
    assert_eq!(event.message, "stored artifact with 2 fetched files from 'data' bucket");
    let same = it.request(KIND, "data").await?;
    assert_eq!(same["status"]["artifact"], first["status"]["artifact"]);
    server.put("b/c.yaml", b"changed").await?;
    server.delete("b/d.png").await?;
    let second = it.request(KIND, "data").await?;
    assert_ne!(second["status"]["artifact"]["revision"], revision);
    let got = files(&served(&second).await?)?;
    assert_eq!((got.len(), got["b/c.yaml"].as_str()), (1, "changed"));
    Ok(())
}

/// A bucket that changes behind its first listing: `b` is newer and `c` is gone when they are read.
async fn changing() -> Result<(String, Arc<AtomicUsize>)> {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let router = Router::new().fallback(async move |request: Request| {
        let listed = |key: &str, etag: &str| {
            format!(
                "<Contents><Key>{key}</Key><ETag>\"{etag}\"</ETag><Size>1</Size>\
                 <LastModified>2026-11-21T10:00:00.000Z</LastModified></Contents>"
            )
        };
        let is_listing = matches!(request.uri().path(), "/data" | "/data/");
        let key = request.uri().path().trim_start_matches("/data/").to_owned();
        if !is_listing && key != ".sourceignore" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        let (status, etag, text) = match key.as_str() {
            _ if is_listing => {
                let settled = counted.load(Ordering::SeqCst) > 0;
                let all = if settled {
                    listed("a", "a1") + &listed("b", "b2")
                } else {
                    listed("a", "a1") + &listed("b", "b1") + &listed("c", "c1")
                };
                let head = "<IsTruncated>false</IsTruncated>";
                (200, "", format!("<ListBucketResult>{head}{all}</ListBucketResult>"))
            }
            "a" => (200, "\"a1\"", "1".to_owned()),
            "b" => (200, "\"b2\"", "2".to_owned()),
            _ => (404, "", "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        };
        let answer = Response::builder().status(status).header("etag", etag);
        let answer = answer.header("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT");
        answer.body(Body::from(text)).unwrap_or_default()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let host = listener.local_addr()?.to_string();
    // It ends with the process.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((host, reads))
}

async fn an_object_that_changes_while_it_is_read_counts_as_it_is(it: Tenant) -> Result<()> {
    let (host, reads) = changing().await?;
    it.create(&bucket(&it, &host, &json!({}))).await?;
    let data = it.ready(KIND, "data").await?;
    let got = files(&served(&data).await?)?;
    let want = [("a", "1"), ("b", "2")].map(|(key, text)| (key.to_owned(), text.to_owned()));
    assert_eq!(got, BTreeMap::from(want));
    let event = it.event(KIND, "data", "NewArtifact").await?;
    assert_eq!(event.message, "stored artifact with 2 fetched files from 'data' bucket");
    // The revision is that of what was read, so the next listing tells nothing new.
    // That of the lines `a a1` and `b b2`.
    let revision = "sha256:630012835ab8b65ef4b940e9c2ce799b29de1909a228e0b7f796911ead6afc49";
    assert_eq!(data["status"]["artifact"]["revision"], revision);
    let before = reads.load(Ordering::SeqCst);
    let same = it.request(KIND, "data").await?;
    assert_eq!(same["status"]["artifact"], data["status"]["artifact"]);
    assert_eq!(reads.load(Ordering::SeqCst), before, "nothing is read again");
    Ok(())
}

async fn an_empty_bucket_has_an_artifact(it: Tenant) -> Result<()> {
    let Some(server) = server("buckets: empty").await? else { return Ok(()) };
    it.create(&bucket(&it, &server.host(), &json!({}))).await?;
    let data = it.ready(KIND, "data").await?;
    let revision = data["status"]["artifact"]["revision"].as_str().unwrap_or_default();
    ensure!(revision.starts_with("sha256:e3b0c442"), "{revision}");
    assert_eq!(files(&served(&data).await?)?.len(), 0);
    Ok(())
}

async fn rules_of_the_bucket_and_of_the_spec_count_without_defaults(it: Tenant) -> Result<()> {
    let Some(server) = server("buckets: rules").await? else { return Ok(()) };
    for (key, content) in [
        (".sourceignore", "*.txt\n"),
        ("a.txt", "1"),
        ("b.md", "2"),
        ("c.png", "3"),
        (".gitignore", "4"),
    ] {
        server.put(key, content.as_bytes()).await?;
    }
    it.create(&bucket(&it, &server.host(), &json!({"ignore": "*.md"}))).await?;
    let data = it.ready(KIND, "data").await?;
    let got: Vec<String> = files(&served(&data).await?)?.into_keys().collect();
    assert_eq!(got, [".gitignore", ".sourceignore", "c.png"]);
    let event = it.event(KIND, "data", "NewArtifact").await?;
    assert_eq!(event.message, "stored artifact with 2 fetched files from 'data' bucket");
    Ok(())
}

async fn a_missing_bucket_is_told_and_the_old_artifact_stays(it: Tenant) -> Result<()> {
    let Some(server) = server("buckets: missing").await? else { return Ok(()) };
    server.put("a", b"1").await?;
    it.create(&bucket(&it, &server.host(), &json!({}))).await?;
    let good = it.ready(KIND, "data").await?;
    it.patch((KIND, "data"), &json!({"spec": {"bucketName": "nothing"}})).await?;
    let why = it.failing(KIND, "data", "BucketOperationFailed").await?;
    assert_eq!(why, "bucket 'nothing' not found");
    let now = it.get((KIND, "data")).await.unwrap_or_default();
    assert_eq!(now["status"]["artifact"], good["status"]["artifact"]);
    served(&now).await?;
    Ok(())
}

async fn secrets_are_checked_in_the_words_of_upstream(it: Tenant) -> Result<()> {
    let spec = json!({"secretRef": {"name": "keys"}});
    it.create(&bucket(&it, "127.0.0.1:1", &spec)).await?;
    let why = it.failing(KIND, "data", "AuthenticationFailed").await?;
    let want = format!("failed to get secret '{}/keys': secrets \"keys\" not found", it.namespace);
    assert_eq!(why, want);
    it.secret("keys", &[("accesskey", "a")]).await?;
    it.request(KIND, "data").await?;
    let why = it.failing(KIND, "data", "AuthenticationFailed").await?;
    let want = "invalid 'keys' secret data: required fields 'accesskey' and 'secretkey'";
    assert_eq!(why, want);
    let sts = json!({"spec": {"sts": {"provider": "aws", "endpoint": "http://sts.test"}}});
    let refused = it.patch((KIND, "data"), &sts).await;
    ensure!(format!("{refused:?}").contains("'ldap' is the only supported STS provider"));
    Ok(())
}

/// Where the cloud of these tests is.
static AUTHORITY: OnceLock<Url> = OnceLock::new();

/// Microsoft Entra and an account of Azure, as a stub that believes one identity.
async fn azure() -> Result<Url> {
    let router = Router::new()
        .route(
            "/tenant/oauth2/v2.0/token",
            post(async |body: String| {
                let fields: BTreeMap<String, String> =
                    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
                let is = |name: &str, value: &str| fields.get(name).is_some_and(|it| it == value);
                // The token of the ServiceAccount: a JWT.
                let token = fields.get("client_assertion").map_or(0, |it| it.split('.').count());
                if token == 3 && is("client_id", "reader") && is("scope", STORAGE) {
                    r#"{"access_token": "of-reader", "expires_in": 3600}"#
                } else {
                    r#"{"access_token": "of-nobody", "expires_in": 3600}"#
                }
            }),
        )
        .fallback(async |request: Request| {
            let bearer =
                request.headers().get("authorization").is_some_and(|it| it == "Bearer of-reader");
            let properties = "<Last-Modified>Sat, 21 Nov 2026 10:00:00 GMT</Last-Modified>\
                              <Content-Length>3</Content-Length><Content-Type>text/plain</Content-Type>\
                              <Etag>e-1</Etag>";
            let blob =
                format!("<Blob><Name>a.txt</Name><Properties>{properties}</Properties></Blob>");
            let list = format!("<EnumerationResults><Blobs>{blob}</Blobs></EnumerationResults>");
            let (status, text) = match request.uri().path() {
                _ if !bearer => (403, String::new()),
                "/account/data" => (200, list),
                "/account/data/a.txt" => (200, "one".to_owned()),
                _ => (404, String::new()),
            };
            let answer = Response::builder().status(status).header("etag", "\"e-1\"");
            let answer = answer.header("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT");
            answer.body(Body::from(text)).unwrap_or_default()
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    // It ends with the process.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

const STORAGE: &str = "https://storage.azure.com/.default";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_stands_for_an_identity_of_the_cloud() -> Result<()> {
    let url = azure().await?;
    ensure!(AUTHORITY.set(url.clone()).is_ok(), "nobody else needs it");
    let flags = |setup: &mut Setup| {
        setup.source.object_level_workload_identity = true;
        setup.clouds.azure_authority = AUTHORITY.get().cloned();
    };
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let it = crate::tenant(&world, "identities").await?;
    let spec = json!({
        "provider": "azure", "endpoint": format!("{url}account"), "serviceAccountName": "reader",
    });
    it.create(&bucket(&it, "unused", &spec)).await?;
    let why = it.failing(KIND, "data", "AuthenticationFailed").await?;
    ensure!(why.ends_with("serviceaccount 'identities/reader' not found"), "{why}");
    it.create(&json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": it.namespace, "annotations": {
            "azure.workload.identity/tenant-id": "tenant",
            "azure.workload.identity/client-id": "reader",
        }},
    }))
    .await?;
    it.request(KIND, "data").await?;
    let ready = it.ready(KIND, "data").await?;
    let got = files(&served(&ready).await?)?;
    assert_eq!(got, BTreeMap::from([("a.txt".to_owned(), "one".to_owned())]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_gate_a_service_account_stalls() -> Result<()> {
    let it = crate::alone("gate").await?;
    let spec = json!({"provider": "gcp", "serviceAccountName": "reader"});
    it.create(&bucket(&it, "unused", &spec)).await?;
    let why = it.failing(KIND, "data", "FeatureGateDisabled").await?;
    ensure!(why.contains("enable the ObjectLevelWorkloadIdentity feature gate"), "{why}");
    let now = it.get((KIND, "data")).await.unwrap_or_default();
    assert_eq!(condition(&now, "Stalled")["status"], "True");
    Ok(())
}
