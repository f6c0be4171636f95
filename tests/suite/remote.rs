//! Objects that go to another cluster, which a ConfigMap describes.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use axum::{
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use kube::Client;
use scenarios::{Backend, Objects, Tenant, World, condition};
use serde_json::{Value, json};
use world::{
    git::Content,
    registry::{Authority, Tls},
    web,
};

const KUSTOMIZATION: &str = "Kustomization";
const CONFIG: &str = "ConfigMap";

/// Another control plane, which lets in who the first one says to be its ServiceAccount `remote`.
struct Other {
    objects: Objects,
    authority: Authority,
    server: web::Server,
    _plane: controlplane::Server,
}

impl Other {
    async fn new(first: &Objects, namespace: &str) -> Result<Self> {
        let plane = controlplane::Server::open(controlplane::Options::default())?;
        let objects = Objects::new(Client::new(plane.router(), "default"));
        objects.namespace(namespace).await?;
        let authority = Authority::new("other cluster")?;
        let tls = Tls { identity: authority.server(&["127.0.0.1"])?, client_ca: None };
        let (first, user) = (first.clone(), format!("system:serviceaccount:{namespace}:remote"));
        let address: Arc<OnceLock<String>> = Arc::default();
        let known = Arc::clone(&address);
        let guard = middleware::from_fn(move |request: Request, next: Next| {
            let (first, user, known) = (first.clone(), user.clone(), Arc::clone(&known));
            async move { guarded(request, next, (&first, &user, known.get())).await }
        });
        let server = web::Server::start(plane.router().layer(guard), &tls).await?;
        ensure!(address.set(server.url()).is_ok(), "it is set once");
        Ok(Self { objects, authority, server, _plane: plane })
    }

    /// What describes it, for a ServiceAccount.
    fn described(&self, account: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": CONFIG, "metadata": {"name": format!("cluster-{account}")},
            "data": {
                "provider": "generic", "address": self.server.url(),
                "ca.crt": self.authority.pem(), "serviceAccountName": account,
            },
        })
    }

    async fn has(&self, it: &Tenant, name: &str) -> bool {
        self.objects.get("v1", CONFIG, &it.namespace, name).await.is_some()
    }
}

/// Asks the first control plane whose token it is, and passes on as an administrator.
async fn guarded(
    mut request: Request,
    next: Next,
    (first, user, address): (&Objects, &str, Option<&String>),
) -> Response {
    let token = request.headers_mut().remove(header::AUTHORIZATION);
    let token = token.as_ref().and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
    match reviewed(first, token.unwrap_or_default(), address).await {
        Ok(found) if found == user => next.run(request).await,
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn reviewed(first: &Objects, token: &str, address: Option<&String>) -> Result<String> {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token, "audiences": [address.context("it listens")?]},
    });
    let request = http::Request::post("/apis/authentication.k8s.io/v1/tokenreviews")
        .header(header::CONTENT_TYPE, "application/json")
        .body(review.to_string().into_bytes())?;
    let answer: Value = first.client().request(request).await?;
    ensure!(answer["status"]["authenticated"] == true, "{answer}");
    Ok(answer["status"]["user"]["username"].as_str().context("a name")?.to_owned())
}

fn config(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"1\"\n")
}

async fn account(it: &Tenant, name: &str) -> Result<()> {
    it.create(&json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name},
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_names_another_cluster() -> Result<()> {
    let world = Arc::new(World::start(Backend::Embedded).await?);
    let it = crate::tenant(&world, "remote").await?;
    let other = Other::new(&world.objects, &it.namespace).await?;
    for name in ["remote", "stranger"] {
        account(&it, name).await?;
        it.create(&other.described(name)).await?;
    }
    let repository = it.files([("a.yaml", config("a").as_str()), ("b.yaml", &config("b"))]).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let spec = json!({"kubeConfig": {"configMapRef": {"name": "cluster-remote"}}});
    it.create(&it.kustomization("app", &spec)).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    ensure!(other.has(&it, "a").await && other.has(&it, "b").await);
    ensure!(it.get((CONFIG, "a")).await.is_none(), "it is in the other cluster alone");
    let id = repository.commit("main", [("b.yaml", Content::Absent)], "drop").await?;
    it.request("GitRepository", "fleet").await?;
    let applied =
        |now: &Value| now["status"]["lastAppliedRevision"] == format!("main@sha1:{id}").as_str();
    it.wait((KUSTOMIZATION, "app"), "the new revision is applied", applied).await?;
    ensure!(other.has(&it, "a").await && !other.has(&it, "b").await);
    it.delete((KUSTOMIZATION, "app")).await?;
    ensure!(!other.has(&it, "a").await);

    // Whom the other cluster does not know, it does not let in; the token shows nowhere.
    let spec = json!({"kubeConfig": {"configMapRef": {"name": "cluster-stranger"}}});
    it.create(&it.kustomization("app", &spec)).await?;
    let refused = |now: &Value| condition(now, "Ready")["status"] == "False";
    it.wait((KUSTOMIZATION, "app"), "it is refused", refused).await?;
    ensure!(!other.has(&it, "a").await);
    let said = it.everything_said().await?;
    ensure!(!said.contains("eyJ"), "a token is in {said}");
    Ok(())
}
