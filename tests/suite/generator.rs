//! ArtifactGenerator: sources composed to other artifacts, and what consumes those.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use sluice::controllers::{self, Setup};
use tokio_util::sync::CancellationToken;

use crate::artifact::{files, served};

const KIND: &str = "ArtifactGenerator";
const MADE: &str = "ExternalArtifact";

scenarios![
    sources_are_composed_to_external_artifacts,
    new_revisions_are_taken_and_what_is_lost_is_made_again,
    what_is_no_longer_asked_for_goes,
    a_generator_says_what_it_lacks,
    an_annotation_pauses_a_generator,
];

fn generator(it: &Tenant, spec: &Value) -> Value {
    let usual = json!({
        "sources": [{"alias": "src", "kind": "GitRepository", "name": "fleet"}],
        "artifacts": [{"name": "app", "copy": [{"from": "@src/app/**", "to": "@artifact/"}]}],
    });
    let mut object = it.source(KIND, "gen", usual, spec);
    object["apiVersion"] = json!("source.extensions.fluxcd.io/v1beta1");
    object
}

/// A Git repository with two folders, and its source.
async fn fleet(it: &Tenant) -> Result<world::git::Repository> {
    let repository = it
        .files([
            ("app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n"),
            ("app/values.yaml", "a: 1\n"),
            ("app/logo.png", "png"),
            ("env/values.yaml", "b: 2\n"),
        ])
        .await?;
    it.create(&it.git_repository(&json!({}))).await?;
    it.ready("GitRepository", "fleet").await?;
    Ok(repository)
}

async fn contents(it: &Tenant, name: &str) -> Result<BTreeMap<String, String>> {
    let made = it.get((MADE, name)).await.with_context(|| format!("{name} is there"))?;
    files(&served(&made).await?)
}

async fn sources_are_composed_to_external_artifacts(it: Tenant) -> Result<()> {
    let repository = fleet(&it).await?;
    let head = repository.head("main").await?.context("a head")?;
    let spec = json!({"artifacts": [
        {"name": "app", "copy": [
            {"from": "@src/app/", "to": "@artifact/", "exclude": ["cm.yaml"]},
            {"from": "@src/env/values.yaml", "to": "@artifact/app/values.yaml", "strategy": "Merge"},
        ]},
        {"name": "env", "revision": "@src", "originRevision": "@src",
         "copy": [{"from": "@src/env", "to": "@artifact/"}]},
    ]});
    it.create(&generator(&it, &spec)).await?;
    let ready = it.ready(KIND, "gen").await?;
    let told = condition(&ready, "Ready");
    ensure!(told["reason"] == "Succeeded", "{told}");
    ensure!(told["message"] == "reconciliation succeeded, generated 2 artifact(s)", "{told}");
    ensure!(ready["metadata"]["finalizers"] == json!(["source.extensions.fluxcd.io/finalizer"]));
    let digest = ready["status"]["observedSourcesDigest"].as_str().context("a digest")?;
    ensure!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");

    let app = it.get((MADE, "app")).await.context("the artifact is there")?;
    let labels = &app["metadata"]["labels"];
    ensure!(labels["app.kubernetes.io/managed-by"] == "source-watcher", "{labels}");
    ensure!(labels["source.extensions.fluxcd.io/generator"] == ready["metadata"]["uid"]);
    let of = json!({
        "apiVersion": "source.extensions.fluxcd.io/v1beta1", "kind": KIND, "name": "gen",
        "namespace": it.namespace,
    });
    ensure!(app["spec"]["sourceRef"] == of, "{}", app["spec"]);
    let artifact = &app["status"]["artifact"];
    let latest = format!("latest@{}", artifact["digest"].as_str().unwrap_or_default());
    ensure!(artifact["revision"] == latest.as_str() && artifact["metadata"].is_null());
    ensure!(condition(&app, "Ready")["message"] == "Artifact is ready", "{app}");
    // The merge is sorted; pictures are left out of every artifact.
    let wanted = BTreeMap::from([("app/values.yaml".to_owned(), "a: 1\nb: 2\n".to_owned())]);
    ensure!(contents(&it, "app").await? == wanted);

    let env = it.get((MADE, "env")).await.context("the artifact is there")?;
    let revision = format!("main@sha1:{head}");
    ensure!(env["status"]["artifact"]["revision"] == revision.as_str(), "{env}");
    let origin = &env["status"]["artifact"]["metadata"]["org.opencontainers.image.revision"];
    ensure!(origin == &json!(revision), "{env}");

    let path = artifact["path"].as_str().context("a path")?;
    let inventory = json!({
        "name": "app", "namespace": it.namespace, "digest": artifact["digest"],
        "filename": path.rsplit('/').next(),
    });
    ensure!(ready["status"]["inventory"][0] == inventory, "{}", ready["status"]);
    ensure!(path.starts_with(&format!("externalartifact/{}/app/", it.namespace)), "{path}");
    let event = it.event(KIND, "gen", "/app reconciled with revision latest@").await?;
    ensure!(event.kind == "Normal" && event.reason == "Ready", "{event:?}");
    let again = it.request(KIND, "gen").await?;
    ensure!(again["status"]["inventory"] == ready["status"]["inventory"], "{again}");
    it.event(KIND, "gen", "No drift detected, 2 artifact(s) up to date").await?;
    Ok(())
}

async fn new_revisions_are_taken_and_what_is_lost_is_made_again(it: Tenant) -> Result<()> {
    let repository = fleet(&it).await?;
    it.create(&generator(&it, &json!({}))).await?;
    it.ready(KIND, "gen").await?;
    let before = it.get((MADE, "app")).await.context("it is there")?;
    repository.commit("main", [("app/values.yaml", "a: 2\n")], "more").await?;
    it.request("GitRepository", "fleet").await?;
    let is_new =
        |now: &Value| now["status"]["artifact"]["digest"] != before["status"]["artifact"]["digest"];
    let now = it.wait((MADE, "app"), "there is another artifact", is_new).await?;
    ensure!(contents(&it, "app").await?["values.yaml"] == "a: 2\n");
    // A commit elsewhere makes the same artifact: those who use it have nothing to do.
    repository.commit("main", [("env/values.yaml", "b: 3\n")], "elsewhere").await?;
    let first = it.ready(KIND, "gen").await?["status"]["observedSourcesDigest"].clone();
    it.request("GitRepository", "fleet").await?;
    let observed = |it: &Value| {
        it["status"]["observedSourcesDigest"] != first && condition(it, "Ready")["status"] == "True"
    };
    it.wait((KIND, "gen"), "the new revision is observed", observed).await?;
    let same = it.get((MADE, "app")).await.context("it is there")?;
    for field in ["digest", "revision", "path"] {
        ensure!(same["status"]["artifact"][field] == now["status"]["artifact"][field], "{field}");
    }
    // Deleted, it is made again at once; damaged, in the next run.
    let uid = same["metadata"]["uid"].clone();
    let kind = ("source.toolkit.fluxcd.io/v1", MADE);
    it.world.objects.delete(kind, (&it.namespace, "app")).await?;
    let again =
        |it: &Value| it["metadata"]["uid"] != uid && condition(it, "Ready")["status"] == "True";
    let made = it.wait((MADE, "app"), "it is made again", again).await?;
    it.ready(KIND, "gen").await?;
    let path = made["status"]["artifact"]["path"].as_str().context("a path")?;
    std::fs::write(it.world.storage().join(path), "something else")?;
    it.request(KIND, "gen").await?;
    it.ready(KIND, "gen").await?;
    ensure!(contents(&it, "app").await?["values.yaml"] == "a: 2\n");
    Ok(())
}

async fn what_is_no_longer_asked_for_goes(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let one =
        |name: &str| json!({"name": name, "copy": [{"from": "@src/env", "to": "@artifact/"}]});
    it.create(&generator(&it, &json!({"artifacts": [one("a"), one("b")]}))).await?;
    it.ready(KIND, "gen").await?;
    let folder = it.world.storage().join("externalartifact").join(&it.namespace);
    ensure!(folder.join("a").exists() && folder.join("b").exists());
    it.patch((KIND, "gen"), &json!({"spec": {"artifacts": [one("b")]}})).await?;
    let ready = it.ready(KIND, "gen").await?;
    ensure!(ready["status"]["inventory"].as_array().map(Vec::len) == Some(1), "{ready}");
    ensure!(it.get((MADE, "a")).await.is_none() && !folder.join("a").exists());
    it.delete((KIND, "gen")).await?;
    ensure!(it.get((MADE, "b")).await.is_none() && !folder.join("b").exists());
    Ok(())
}

async fn a_generator_says_what_it_lacks(it: Tenant) -> Result<()> {
    it.create(&generator(&it, &json!({}))).await?;
    let why = it.failing(KIND, "gen", "SourceFetchFailed").await?;
    let missing = "get sources failed: GitRepository.source.toolkit.fluxcd.io \"fleet\" not found";
    ensure!(why == missing, "{why}");
    let event = it.event(KIND, "gen", missing).await?;
    ensure!(event.kind == "Warning" && event.reason == "SourceFetchFailed", "{event:?}");
    let waiting = it.get((KIND, "gen")).await.context("it is there")?;
    let progress = condition(&waiting, "Reconciling");
    ensure!(progress["reason"] == "ProgressingWithRetry", "{progress}");
    ensure!(progress["message"] == "Reconciliation in progress", "{progress}");
    fleet(&it).await?;
    it.ready(KIND, "gen").await?;
    let copy = |from: &str| json!({"spec": {"artifacts": [{"name": "app", "copy": [{"from": from, "to": "@artifact/"}]}]}});
    it.patch((KIND, "gen"), &copy("@src/nothing")).await?;
    let why = it.failing(KIND, "gen", "BuildFailed").await?;
    ensure!(
        why == "app build failed: failed to apply copy operations: failed to apply copy operation \
        from '@src/nothing' to '@artifact/': source 'nothing' does not exist",
        "{why}"
    );
    ensure!(contents(&it, "app").await?.contains_key("cm.yaml"), "the old artifact stays");
    let twice = json!({"alias": "src", "kind": "GitRepository", "name": "fleet"});
    it.patch((KIND, "gen"), &json!({"spec": {"sources": [twice, twice]}})).await?;
    let why = it.failing(KIND, "gen", "ValidationFailed").await?;
    ensure!(why == "duplicate source alias 'src' found", "{why}");
    let stalled = it.get((KIND, "gen")).await.context("it is there")?;
    ensure!(condition(&stalled, "Stalled")["reason"] == "ValidationFailed", "{stalled}");
    let dots = json!({"sources": [{"alias": "a", "kind": "GitRepository", "name": "a.b"}]});
    let mut wrong = generator(&it, &dots);
    wrong["metadata"]["name"] = json!("wrong");
    let why = it.refused(&wrong).await?;
    ensure!(why.contains("spec.sources[0].name"), "{why}");
    Ok(())
}

async fn an_annotation_pauses_a_generator(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let mut object = generator(&it, &json!({}));
    let annotated = |value: &str| json!({"source.extensions.fluxcd.io/reconcile": value});
    object["metadata"]["annotations"] = annotated("Disabled");
    it.create(&object).await?;
    let paused = it.ready(KIND, "gen").await?;
    let ready = condition(&paused, "Ready");
    ensure!(ready["reason"] == "ReconciliationDisabled", "{ready}");
    ensure!(ready["message"] == "Initialized with reconciliation suspended", "{ready}");
    let event = it.event(KIND, "gen", "Reconciliation is disabled").await?;
    ensure!(event.kind == "Warning" && event.reason == "ReconciliationDisabled", "{event:?}");
    ensure!(it.get((MADE, "app")).await.is_none());
    it.patch((KIND, "gen"), &json!({"metadata": {"annotations": annotated("enabled")}})).await?;
    it.request(KIND, "gen").await?;
    it.wait((KIND, "gen"), "it has made something", |it| it["status"]["inventory"].is_array())
        .await?;
    ensure!(it.get((MADE, "app")).await.is_some());
    Ok(())
}

fn kustomization(it: &Tenant) -> Value {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": it.namespace},
        "spec": {
            "interval": "1h", "prune": true, "path": "./", "targetNamespace": it.namespace,
            "sourceRef": {"kind": MADE, "name": "app"},
        },
    })
}

/// The gate is upstream's, off by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_artifacts_are_consumed_behind_their_gate() -> Result<()> {
    let it = crate::alone("gate").await?;
    it.create(&kustomization(&it)).await?;
    let why = it.failing("Kustomization", "app", "AccessDenied").await?;
    ensure!(why.contains("ExternalArtifact feature gate is disabled"), "{why}");
    let flags = |setup: &mut Setup| setup.kustomization.external_artifact = true;
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let it = crate::tenant(&world, "gate").await?;
    fleet(&it).await?;
    let only = json!({"artifacts": [{"name": "app", "copy": [
        {"from": "@src/app/cm.yaml", "to": "@artifact/"},
    ]}]});
    it.create(&generator(&it, &only)).await?;
    it.create(&kustomization(&it)).await?;
    it.ready("Kustomization", "app").await?;
    ensure!(world.objects.get("v1", "ConfigMap", &it.namespace, "made").await.is_some());
    Ok(())
}

/// Sources in one process, generator and Kustomizations in another with a disk of its own: artifacts
/// go over HTTP, and are what their digests say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_alone_fetch_artifacts_over_http() -> Result<()> {
    let flags = |setup: &mut Setup| setup.selection = vec!["source-controller".to_owned()];
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let it = crate::tenant(&world, "alone").await?;
    let other = tempfile::tempdir()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut setup = Setup::new(other.path());
    setup.selection = vec!["source-watcher".to_owned(), "kustomize-controller".to_owned()];
    setup.artifact.address = listener.local_addr()?.to_string();
    setup.artifact.algorithm = "blake3".parse()?;
    setup.kustomization.external_artifact = true;
    let stop = CancellationToken::new();
    let clock = Arc::new(controller::clock::System);
    let host = controllers::host(world.objects.client().clone(), clock, stop.clone())?;
    let _stop = stop.drop_guard();
    let running = controllers::start(&host, &setup)?;
    let files = running.files().context("the generator's artifacts are served")?;
    tokio::spawn(async move { axum::serve(listener, files).await });
    let repository = fleet(&it).await?;
    let mut direct = kustomization(&it);
    direct["spec"]["sourceRef"] = json!({"kind": "GitRepository", "name": "fleet"});
    direct["spec"]["path"] = json!("./only");
    direct["metadata"]["name"] = json!("direct");
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n");
    repository.commit("main", [("only/cm.yaml", map("direct").as_str())], "more").await?;
    it.request("GitRepository", "fleet").await?;
    it.create(&direct).await?;
    it.ready("Kustomization", "direct").await?;
    ensure!(world.objects.get("v1", "ConfigMap", &it.namespace, "direct").await.is_some());
    let only = json!({"artifacts": [{"name": "app", "copy": [
        {"from": "@src/app/cm.yaml", "to": "@artifact/"},
    ]}]});
    it.create(&generator(&it, &only)).await?;
    it.create(&kustomization(&it)).await?;
    it.ready("Kustomization", "app").await?;
    let made = it.get((MADE, "app")).await.context("it is made")?;
    let digest = made["status"]["artifact"]["digest"].as_str().unwrap_or_default();
    ensure!(digest.starts_with("blake3:"), "{digest}");
    // What is new is noticed and fetched.
    let path = it.ready("GitRepository", "fleet").await?["status"]["artifact"]["path"].clone();
    let second = repository.commit("main", [("only/x.txt", "x")], "more").await?;
    let fleet = it.request("GitRepository", "fleet").await?;
    ensure!(fleet["status"]["artifact"]["path"] != path, "{fleet}");
    let applied = |it: &Value| {
        let revision = it["status"]["lastAppliedRevision"].as_str().unwrap_or_default();
        revision.ends_with(&second)
    };
    it.wait(("Kustomization", "direct"), "the new revision is applied", applied).await?;
    Ok(())
}
