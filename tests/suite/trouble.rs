//! What goes wrong around a Kustomization: it is told, nothing is lost, and in the end all is as the
//! commit says.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use http::{Method, StatusCode};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::git::{Content, Repository};

const KUSTOMIZATION: &str = "Kustomization";
const CONFIG: &str = "ConfigMap";

fn config(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value:?}\n"
    )
}

async fn begin(it: &Tenant, files: &[(&str, String)], spec: &Value) -> Result<Repository> {
    let repository = it.files(files.iter().map(|(path, text)| (*path, text.as_str()))).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    it.create(&it.kustomization("app", spec)).await?;
    Ok(repository)
}

/// Commits a file and has the source look; the revision.
async fn commit(it: &Tenant, repository: &Repository, path: &str, file: Content) -> Result<String> {
    let id = repository.commit("main", [(path, file)], "change").await?;
    it.request("GitRepository", "fleet").await?;
    Ok(format!("main@sha1:{id}"))
}

async fn applied(it: &Tenant, revision: &str) -> Result<Value> {
    let there = |it: &Value| {
        it["status"]["lastAppliedRevision"] == revision
            && condition(it, "Ready")["status"] == "True"
    };
    it.wait((KUSTOMIZATION, "app"), &format!("{revision} is applied"), there).await
}

/// The names in the inventory.
fn inventory(it: &Value) -> Vec<&str> {
    let entries = it["status"]["inventory"]["entries"].as_array();
    let ids = entries.into_iter().flatten().filter_map(|entry| entry["id"].as_str());
    ids.filter_map(|id| id.split('_').nth(1)).collect()
}

async fn value(it: &Tenant, name: &str) -> Option<String> {
    Some(it.get((CONFIG, name)).await?["data"]["value"].as_str()?.to_owned())
}

/// A build that fails changes nothing: what was applied stays, and is known.
async fn keeps_what_was_there(it: &Tenant, told: &str) -> Result<()> {
    let why = it.failing(KUSTOMIZATION, "app", "BuildFailed").await?;
    ensure!(why.contains(told), "{why}");
    let failed = it.get((KUSTOMIZATION, "app")).await.context("it is there")?;
    ensure!(inventory(&failed) == ["a"], "{failed}");
    ensure!(value(it, "a").await.as_deref() == Some("1"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_that_cannot_be_read_change_nothing() -> Result<()> {
    let it = crate::alone("unreadable").await?;
    let repository = begin(&it, &[("a.yaml", config("a", "1"))], &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    let nameless = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {a: b}\n";
    // A billion texts by aliases of aliases.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        writeln!(bomb, "a{level}: &a{level} [{}]", [alias.as_str(); 10].join(", "))?;
    }
    let bomb = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bomb}}\n{bomb}");
    let cycle = "resources: [../app]\n";
    let bad: [(&str, Content, &str); 4] = [
        ("b.yaml", Content::File(b"kind: \xff\xfe\x80\n".to_vec()), "b.yaml"),
        ("b.yaml", Content::from(nameless), "b.yaml"),
        ("b.yaml", Content::from(bomb.as_str()), "b.yaml"),
        ("kustomization.yaml", Content::from(cycle), ""),
    ];
    for (path, file, told) in bad {
        commit(&it, &repository, path, file).await?;
        keeps_what_was_there(&it, told).await?;
        let revision = commit(&it, &repository, path, Content::Absent).await?;
        applied(&it, &revision).await?;
    }
    Ok(())
}

/// CVE-2021-41254.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_a_decryption_secret_is_never_run() -> Result<()> {
    let it = crate::alone("never-run").await?;
    let folder = tempfile::tempdir()?;
    let made = folder.path().join("made").display().to_string();
    let script = format!("#!/bin/sh\n$(touch {made})\n`touch {made}`\n; touch {made}\n");
    let spec = json!({"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}});
    for name in ["a.asc", "b.agekey", "--import.asc", ".agekey"] {
        it.secret("keys", &[(name, &script)]).await?;
        if name == "a.asc" {
            begin(&it, &[("a.yaml", config("a", "1"))], &spec).await?;
        } else {
            it.request(KUSTOMIZATION, "app").await?;
        }
        let told = format!("failed to import '{name}' data from sops decryption Secret");
        let refused = |it: &Value| {
            let ready = condition(it, "Ready");
            ready["message"].as_str().is_some_and(|it| it.contains(&told))
        };
        it.wait((KUSTOMIZATION, "app"), &told, refused).await?;
        ensure!(!folder.path().join("made").exists(), "{name} was run");
        let said = it.everything_said().await?;
        ensure!(!said.contains("touch"), "{said}");
        it.delete(("Secret", "keys")).await?;
    }
    Ok(())
}

/// The admission webhook of these tests: it denies what has the label `denied`.
async fn webhook(it: &Tenant) -> Result<()> {
    let answer = async |body: String| {
        let review: Value = serde_json::from_str(&body).unwrap_or_default();
        let request = &review["request"];
        let denied = request["object"]["metadata"]["labels"]["denied"].is_string();
        let status = json!({"message": "not on a Friday", "code": 403});
        json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "response": {"uid": request["uid"], "allowed": !denied, "status": status},
        })
        .to_string()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(post(answer));
    // It ends with the process.
    tokio::spawn(async move { axum::serve(listener, router).await });
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps"],
    }]);
    it.create(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "friday"},
        "webhooks": [{
            "name": "friday.example.com", "admissionReviewVersions": ["v1"],
            "sideEffects": "None", "clientConfig": {"url": url}, "rules": rules,
        }],
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_denies_keeps_the_stage_from_being_written() -> Result<()> {
    let it = crate::alone("denied").await?;
    webhook(&it).await?;
    let repository = begin(&it, &[("a.yaml", config("a", "1"))], &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    let denied = config("b", "1").replace("name: b\n", "name: b\n  labels: {denied: x}\n");
    let both = format!("{}---\n{denied}", config("a", "2"));
    commit(&it, &repository, "a.yaml", Content::from(both.as_str())).await?;
    let why = it.failing(KUSTOMIZATION, "app", "ReconciliationFailed").await?;
    ensure!(why.contains("denied the request: not on a Friday"), "{why}");
    ensure!(value(&it, "a").await.as_deref() == Some("1"), "nothing of the stage is written");
    let failed = it.get((KUSTOMIZATION, "app")).await.context("it is there")?;
    ensure!(inventory(&failed).contains(&"a"), "{failed}");
    let both = format!("{}---\n{}", config("a", "2"), config("b", "1"));
    let revision = commit(&it, &repository, "a.yaml", Content::from(both.as_str())).await?;
    let ready = applied(&it, &revision).await?;
    ensure!(inventory(&ready) == ["a", "b"], "{ready}");
    Ok(())
}

/// How many writes of ConfigMaps go wrong from now on, each in another way.
static WRONG: AtomicUsize = AtomicUsize::new(0);

/// An API server that is overloaded, fails, is not there, or does but does not answer.
async fn troubled(request: Request, next: Next) -> Response {
    let is_write = [Method::PATCH, Method::DELETE, Method::POST].contains(request.method());
    if !is_write || !request.uri().path().contains("/configmaps") {
        return next.run(request).await;
    }
    let less = |left: usize| left.checked_sub(1);
    let left = WRONG.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    let refused = |status: StatusCode| {
        let mut answer = Response::new(Body::from("trouble"));
        *answer.status_mut() = status;
        answer
    };
    match left.map(|left| left % 4) {
        Err(_) => next.run(request).await,
        Ok(0) => {
            let mut answer = refused(StatusCode::TOO_MANY_REQUESTS);
            answer.headers_mut().insert("retry-after", "1".parse().expect("it is a number"));
            answer
        }
        Ok(1) => refused(StatusCode::INTERNAL_SERVER_ERROR),
        Ok(2) => refused(StatusCode::GATEWAY_TIMEOUT),
        // It is done, but nobody is told.
        Ok(_) => {
            next.run(request).await;
            refused(StatusCode::BAD_GATEWAY)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_in_trouble_loses_nothing() -> Result<()> {
    let between = |router: Router| router.layer(middleware::from_fn(troubled));
    let world = Arc::new(World::with(Options { between, ..Options::default() }).await?);
    let it = crate::tenant(&world, "trouble").await?;
    let files = [("a.yaml", config("a", "1")), ("b.yaml", config("b", "1"))];
    let repository = begin(&it, &files, &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    let uid = it.get((CONFIG, "a")).await.context("a")?["metadata"]["uid"].clone();
    for (round, wrong) in [1, 2, 3, 5, 8, 13].into_iter().enumerate() {
        WRONG.store(wrong, Ordering::SeqCst);
        let value = format!("round {round}");
        let (drop, add) = if round % 2 == 0 { ("b", "c") } else { ("c", "b") };
        let change = [
            ("a.yaml".to_owned(), Content::from(config("a", &value).as_str())),
            (format!("{drop}.yaml"), Content::Absent),
            (format!("{add}.yaml"), Content::from(config(add, &value).as_str())),
        ];
        let id = repository.commit("main", change, "change").await?;
        it.request("GitRepository", "fleet").await?;
        let ready = applied(&it, &format!("main@sha1:{id}")).await?;
        ensure!(inventory(&ready) == ["a", add], "{ready}");
        ensure!(self::value(&it, "a").await == Some(value.clone()));
        ensure!(self::value(&it, add).await == Some(value));
        ensure!(it.get((CONFIG, drop)).await.is_none(), "{drop} is left over");
        let now = it.get((CONFIG, "a")).await.context("a")?["metadata"]["uid"].clone();
        ensure!(now == uid, "it was deleted in between");
    }
    Ok(())
}

/// How many objects one Kustomization has.
fn many() -> usize {
    if std::env::var_os("SLUICE_FULL").is_some() { 10_000 } else { 500 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kustomization_may_have_very_many_objects() -> Result<()> {
    let it = crate::alone("many").await?;
    let all = |to: usize| (0..to).map(|n| config(&format!("n{n}"), "1")).collect::<Vec<_>>();
    let spec = json!({"timeout": "10m"});
    let repository = begin(&it, &[("a.yaml", all(many()).join("---\n"))], &spec).await?;
    let ready = it.ready(KUSTOMIZATION, "app").await?;
    ensure!(inventory(&ready).len() == many(), "{}", inventory(&ready).len());
    let fewer = all(many() / 2).join("---\n");
    let revision = commit(&it, &repository, "a.yaml", Content::from(fewer.as_str())).await?;
    let ready = applied(&it, &revision).await?;
    ensure!(inventory(&ready).len() == many() / 2, "{}", inventory(&ready).len());
    let left = it.world.objects.list("v1", CONFIG, &it.namespace).await?;
    let ours = left.iter().filter(|it| it["data"]["value"] == "1").count();
    ensure!(ours == many() / 2, "{ours} are left");
    Ok(())
}
