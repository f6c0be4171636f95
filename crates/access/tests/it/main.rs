//! Logins that are more than a Secret, with the services they need as stubs on loopback.
#![allow(clippy::unwrap_used, reason = "functions of tests may fail loudly")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use access::{Reader, Refusal, Workload, remote};
use api::source::GitRepository;
use axum::{Router, body::Bytes, http::Uri};
use cloud::{CacheOptions, Clock, Cloud, Endpoints, Environment, InvolvedObject};
use forge::Forge;
use git::{Auth, Remote};
use http_client::Pool;
use kube::{Client, client::Body};
use serde_json::json;
use url::{Url, form_urlencoded};

/// What Microsoft Entra was asked: the path, and the fields of the form.
type Asked = Arc<Mutex<Vec<(String, BTreeMap<String, String>)>>>;

/// A stub of Entra that gives out one token.
async fn entra() -> (Url, Asked) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let router = Router::new().fallback(async move |uri: Uri, body: Bytes| {
        let form = form_urlencoded::parse(&body).into_owned().collect();
        log.lock().unwrap().push((uri.path().to_owned(), form));
        r#"{"token_type":"Bearer","expires_in":3600,"access_token":"entra-token"}"#
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

async fn log_in(
    spec: serde_json::Value,
    authority: &Url,
    workload: Workload<'_>,
) -> Result<Remote, Refusal> {
    let environment: Environment =
        [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s&cret")]
            .into_iter()
            .collect();
    let endpoints = Endpoints { azure_authority: Some(authority.clone()), ..Endpoints::default() };
    let clock: Clock = Arc::new(|| "2026-11-21T10:00:00Z".parse().unwrap());
    let (pool, cache) = (Pool::new("test"), CacheOptions::default());
    let cloud = Cloud::new(environment, endpoints, pool.clone(), cache.clone(), Arc::clone(&clock));
    // Nothing of Kubernetes is needed: who asks for it gets an empty answer.
    let nobody = tower::service_fn(async |_: http::Request<Body>| {
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    });
    let client = Client::new(nobody, "apps");
    let reader = Reader {
        client: &client,
        cloud: &cloud,
        workload,
        namespace: "apps",
        object: InvolvedObject {
            kind: "GitRepository",
            name: "fleet",
            namespace: "apps",
            operation: "reconcile",
        },
    };
    let it: GitRepository = serde_json::from_value(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "apps"}, "spec": spec,
    }))
    .unwrap();
    remote(&it, &reader, &Forge::new(pool, clock, cache)).await
}

#[tokio::test]
async fn azure_devops_takes_a_token_of_entra() {
    let (authority, asked) = entra().await;
    for url in ["https://dev.azure.com/org/p/_git/r", "https://org@dev.azure.com/org/p/_git/r"] {
        let spec = json!({"url": url, "interval": "1m", "provider": "azure"});
        let remote = log_in(spec, &authority, Workload::default()).await.unwrap();
        assert_eq!(remote.auth, Auth::Bearer("entra-token".to_owned()));
        assert_eq!(remote.address.to_string(), "https://dev.azure.com/org/p/_git/r");
        assert_eq!(remote.identity.as_deref(), Some("azure/"));
    }
    let asked = asked.lock().unwrap();
    let want = [
        ("client_id", "c"),
        ("client_secret", "s&cret"),
        ("grant_type", "client_credentials"),
        ("scope", "499b84ac-1321-427f-aa17-267ca6975798/.default"),
    ];
    let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[0], ("/t/oauth2/v2.0/token".to_owned(), want.into()));
}

#[tokio::test]
async fn an_identity_of_its_own_needs_the_feature_gate() {
    let (authority, asked) = entra().await;
    let spec = json!({
        "url": "https://dev.azure.com/org/p/_git/r", "interval": "1m", "provider": "azure",
        "serviceAccountName": "robot",
    });
    let why = log_in(spec, &authority, Workload::default()).await.unwrap_err();
    assert!(matches!(why, Refusal::Gate(_)), "{why:?}");
    assert!(why.to_string().contains("ObjectLevelWorkloadIdentity"), "{why}");
    assert!(asked.lock().unwrap().is_empty(), "nobody is asked");
}

#[tokio::test]
async fn a_github_app_needs_its_secret() {
    let (authority, _) = entra().await;
    let spec = json!({"url": "https://github.com/o/r", "interval": "1m", "provider": "github"});
    let why = log_in(spec, &authority, Workload::default()).await.unwrap_err();
    assert!(matches!(why, Refusal::Provider { is_final: true, .. }), "{why:?}");
}
