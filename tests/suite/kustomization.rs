//! Kustomization: from a commit to objects that are and stay as the commit says.

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};
use world::git::{Content, Repository};

const KUSTOMIZATION: &str = "Kustomization";
const CONFIG: &str = "ConfigMap";

scenarios![
    what_a_commit_drops_is_pruned,
    what_somebody_changes_is_put_back_by_a_run,
    watched_objects_are_put_back_at_once,
    a_new_revision_ends_a_wait,
    a_new_spec_ends_a_wait,
    a_dependency_may_be_of_any_kind,
    what_cannot_be_changed_is_made_anew_on_request,
    definitions_and_their_objects_come_and_go_together,
    rights_taken_away_lose_nothing,
    a_namespace_that_is_going_loses_nothing,
    a_commit_elsewhere_moves_the_revision_and_nothing_else,
    a_deletion_is_told_of,
];

/// A ConfigMap as text.
fn config(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value:?}\n"
    )
}

/// A Deployment that nobody makes ready.
fn deployment(name: &str) -> String {
    let container = "{name: app, image: app}";
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
         metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{container}]}}\n"
    )
}

/// Makes the repository, its source and the Kustomization `app`.
async fn begin(it: &Tenant, files: &[(&str, String)], spec: &Value) -> Result<Repository> {
    let files = files.iter().map(|(path, text)| (*path, text.as_str()));
    let repository = it.files(files).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    it.create(&it.kustomization("app", spec)).await?;
    Ok(repository)
}

/// Commits files, empty ones are removed, and has the source look; the revision.
async fn commit(it: &Tenant, files: &[(&str, String)]) -> Result<String> {
    let content = |text: &String| match text.as_str() {
        "" => Content::Absent,
        text => Content::from(text),
    };
    let files = files.iter().map(|(path, text)| (*path, content(text)));
    let repository = it.world.git.repository(&it.repository_name())?;
    let id = repository.commit("main", files, "change").await?;
    it.request("GitRepository", "fleet").await?;
    Ok(format!("main@sha1:{id}"))
}

/// Waits until this revision is applied.
async fn applied(it: &Tenant, name: &str, revision: &str) -> Result<Value> {
    let there = |it: &Value| {
        it["status"]["lastAppliedRevision"] == revision
            && condition(it, "Ready")["status"] == "True"
    };
    it.wait((KUSTOMIZATION, name), &format!("{revision} is applied"), there).await
}

/// The identifiers in the inventory.
fn inventory(it: &Value) -> Vec<&str> {
    let entries = it["status"]["inventory"]["entries"].as_array();
    entries.into_iter().flatten().filter_map(|entry| entry["id"].as_str()).collect()
}

async fn value(it: &Tenant, name: &str) -> Option<String> {
    Some(it.get((CONFIG, name)).await?["data"]["value"].as_str()?.to_owned())
}

/// Waits until a ConfigMap has this value.
async fn has(it: &Tenant, name: &str, value: &str) -> Result<()> {
    let there = |it: &Value| it["data"]["value"] == value;
    it.wait((CONFIG, name), &format!("its value is {value}"), there).await.map(drop)
}

async fn what_a_commit_drops_is_pruned(it: Tenant) -> Result<()> {
    let files = [("a.yaml", config("a", "1")), ("b.yaml", config("b", "1"))];
    begin(&it, &files, &json!({})).await?;
    let ready = it.ready(KUSTOMIZATION, "app").await?;
    ensure!(inventory(&ready).len() == 2, "{ready}");
    let revision = commit(&it, &[("a.yaml", config("a", "2")), ("b.yaml", String::new())]).await?;
    let ready = applied(&it, "app", &revision).await?;
    ensure!(inventory(&ready) == [format!("{}_a__ConfigMap", it.namespace)], "{ready}");
    ensure!(value(&it, "a").await.as_deref() == Some("2") && value(&it, "b").await.is_none());
    it.event(KUSTOMIZATION, "app", &format!("ConfigMap/{}/b deleted", it.namespace)).await?;
    it.delete((KUSTOMIZATION, "app")).await?;
    ensure!(value(&it, "a").await.is_none());
    Ok(())
}

async fn what_somebody_changes_is_put_back_by_a_run(it: Tenant) -> Result<()> {
    begin(&it, &[("a.yaml", config("a", "1"))], &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    it.patch((CONFIG, "a"), &json!({"data": {"value": "meddled", "more": "x"}})).await?;
    it.request(KUSTOMIZATION, "app").await?;
    let restored = it.get((CONFIG, "a")).await.context("it is there")?;
    ensure!(restored["data"] == json!({"value": "1", "more": "x"}), "{restored}");
    it.event(KUSTOMIZATION, "app", &format!("ConfigMap/{}/a configured", it.namespace)).await?;
    Ok(())
}

/// The interval is an hour, so nothing but the watch can do it.
async fn watched_objects_are_put_back_at_once(it: Tenant) -> Result<()> {
    it.files([("a.yaml", config("a", "1").as_str()), ("b.yaml", &config("b", "1"))]).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let mut object = it.kustomization("app", &json!({}));
    object["metadata"]["annotations"] = json!({"kustomize.sluice.dev/drift": "watch"});
    it.create(&object).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    it.patch((CONFIG, "a"), &json!({"data": {"value": "meddled"}})).await?;
    has(&it, "a", "1").await?;
    let uid = it.get((CONFIG, "b")).await.context("b")?["metadata"]["uid"].clone();
    it.world.objects.delete(("v1", CONFIG), (&it.namespace, "b")).await?;
    let anew = |it: &Value| it["metadata"]["uid"] != uid;
    it.wait((CONFIG, "b"), "it is there again", anew).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    Ok(())
}

/// Waits until the Kustomization waits for health at a revision.
async fn waiting(it: &Tenant, name: &str) -> Result<Value> {
    let waits = |it: &Value| {
        let healthy = condition(it, "Healthy");
        healthy["status"] == "Unknown" && condition(it, "Reconciling")["status"] == "True"
    };
    it.wait((KUSTOMIZATION, name), "it waits for health", waits).await
}

async fn a_new_revision_ends_a_wait(it: Tenant) -> Result<()> {
    let spec = json!({"wait": true, "timeout": "1h"});
    begin(&it, &[("a.yaml", deployment("never"))], &spec).await?;
    waiting(&it, "app").await?;
    let revision = commit(&it, &[("a.yaml", config("a", "1"))]).await?;
    applied(&it, "app", &revision).await?;
    Ok(())
}

async fn a_new_spec_ends_a_wait(it: Tenant) -> Result<()> {
    let files = [("a/a.yaml", deployment("never")), ("b/b.yaml", config("b", "1"))];
    begin(&it, &files, &json!({"wait": true, "timeout": "1h", "path": "./a"})).await?;
    waiting(&it, "app").await?;
    it.patch((KUSTOMIZATION, "app"), &json!({"spec": {"path": "./b"}})).await?;
    let ready = it.ready(KUSTOMIZATION, "app").await?;
    ensure!(inventory(&ready).len() == 1 && value(&it, "b").await.is_some(), "{ready}");
    Ok(())
}

async fn a_dependency_may_be_of_any_kind(it: Tenant) -> Result<()> {
    it.files([("a.yaml", config("a", "1").as_str())]).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let mut object = it.kustomization("app", &json!({}));
    let list = "- {apiVersion: v1, kind: ConfigMap, name: gate, readyExpr: dep.data.open == 'yes'}";
    object["metadata"]["annotations"] = json!({"kustomize.sluice.dev/depends-on": list});
    it.create(&object).await?;
    let why = it.failing(KUSTOMIZATION, "app", "DependencyNotReady").await?;
    ensure!(why.contains(&format!("ConfigMap/{}/gate", it.namespace)), "{why}");
    ensure!(why.contains("not found"), "{why}");
    let gate = json!({
        "apiVersion": "v1", "kind": CONFIG, "metadata": {"name": "gate"}, "data": {"open": "no"},
    });
    it.create(&gate).await?;
    let closed = |it: &Value| {
        let told = condition(it, "Ready")["message"].clone();
        told.as_str().is_some_and(|told| told.contains("is not ready according to readyExpr"))
    };
    it.wait((KUSTOMIZATION, "app"), "the gate is closed", closed).await?;
    ensure!(value(&it, "a").await.is_none());
    it.patch((CONFIG, "gate"), &json!({"data": {"open": "yes"}})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    ensure!(value(&it, "a").await.is_some());
    Ok(())
}

async fn what_cannot_be_changed_is_made_anew_on_request(it: Tenant) -> Result<()> {
    let fixed = |value: &str| format!("{}immutable: true\n", config("a", value));
    let files = [("a.yaml", fixed("1")), ("b.yaml", config("b", "1"))];
    begin(&it, &files, &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    let before = it.get((CONFIG, "a")).await.context("a")?;
    let changed = [("a.yaml", fixed("2")), ("b.yaml", config("b", "2"))];
    let revision = commit(&it, &changed).await?;
    let why = it.failing(KUSTOMIZATION, "app", "ReconciliationFailed").await?;
    ensure!(why.contains("immutable"), "{why}");
    ensure!(value(&it, "b").await.as_deref() == Some("1"), "nothing of the stage is written");
    it.patch((KUSTOMIZATION, "app"), &json!({"spec": {"force": true}})).await?;
    applied(&it, "app", &revision).await?;
    let after = it.get((CONFIG, "a")).await.context("a")?;
    ensure!(after["metadata"]["uid"] != before["metadata"]["uid"], "{after}");
    ensure!(after["data"]["value"] == "2", "{after}");
    Ok(())
}

async fn definitions_and_their_objects_come_and_go_together(it: Tenant) -> Result<()> {
    let group = format!("{}.example.com", it.namespace);
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }}],
        },
    });
    let version = format!("{group}/v1");
    let thing = json!({"apiVersion": version, "kind": "Thing", "metadata": {"name": "one"}});
    let files = [("a-thing.yaml", thing.to_string()), ("z-crd.yaml", crd.to_string())];
    begin(&it, &files, &json!({"wait": true, "timeout": "1m"})).await?;
    let ready = it.ready(KUSTOMIZATION, "app").await?;
    ensure!(inventory(&ready).len() == 2, "{ready}");
    let objects = &it.world.objects;
    ensure!(objects.get(&version, "Thing", &it.namespace, "one").await.is_some());
    it.delete((KUSTOMIZATION, "app")).await?;
    let gone = || async { objects.get(&version, "Thing", &it.namespace, "one").await.is_none() };
    objects.eventually("the thing is gone", gone).await
}

/// Lets the account `applier` do everything with ConfigMaps.
async fn allow(it: &Tenant) -> Result<()> {
    it.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "applier"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "applier"},
        "subjects": [{"kind": "ServiceAccount", "name": "applier", "namespace": it.namespace}],
    }))
    .await
}

async fn rights_taken_away_lose_nothing(it: Tenant) -> Result<()> {
    it.create(&json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "applier"},
    }))
    .await?;
    it.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "applier"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}],
    }))
    .await?;
    allow(&it).await?;
    let files = [("a.yaml", config("a", "1")), ("b.yaml", config("b", "1"))];
    begin(&it, &files, &json!({"serviceAccountName": "applier"})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    it.delete(("RoleBinding", "applier")).await?;
    let files = [("b.yaml", String::new()), ("c.yaml", config("c", "1"))];
    let revision = commit(&it, &files).await?;
    let why = it.failing(KUSTOMIZATION, "app", "ReconciliationFailed").await?;
    ensure!(why.contains("forbidden"), "{why}");
    let failed = it.get((KUSTOMIZATION, "app")).await.context("it is there")?;
    for name in ["a", "b"] {
        let id = format!("{}_{name}__ConfigMap", it.namespace);
        ensure!(inventory(&failed).contains(&id.as_str()), "{id} is lost: {failed}");
        ensure!(value(&it, name).await.is_some(), "{name} is gone");
    }
    allow(&it).await?;
    let ready = applied(&it, "app", &revision).await?;
    ensure!(inventory(&ready).len() == 2, "{ready}");
    ensure!(value(&it, "b").await.is_none() && value(&it, "c").await.is_some());
    Ok(())
}

/// The namespace is held by a finalizer of somebody else's.
async fn a_namespace_that_is_going_loses_nothing(it: Tenant) -> Result<()> {
    let inner = format!("{}-inner", it.namespace);
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner},
    });
    let within = |name: &str| {
        let metadata = json!({"name": name, "namespace": inner});
        json!({"apiVersion": "v1", "kind": CONFIG, "metadata": metadata}).to_string()
    };
    let files = [("ns.yaml", namespace.to_string()), ("a.yaml", within("a"))];
    begin(&it, &files, &json!({"targetNamespace": null})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    let objects = &it.world.objects;
    let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    objects.patch(("v1", "Namespace"), ("", &inner), &held).await?;
    objects.delete(("v1", "Namespace"), ("", &inner)).await?;
    let revision = commit(&it, &[("b.yaml", within("b"))]).await?;
    let failing = |it: &Value| {
        it["status"]["lastAttemptedRevision"] == revision
            && condition(it, "Ready")["status"] != "True"
    };
    let failed = it.wait((KUSTOMIZATION, "app"), "it is not ready", failing).await?;
    for id in [format!("_{inner}__Namespace"), format!("{inner}_a__ConfigMap")] {
        ensure!(inventory(&failed).contains(&id.as_str()), "{id} is lost: {failed}");
    }
    let free = json!({"metadata": {"finalizers": null}});
    objects.patch(("v1", "Namespace"), ("", &inner), &free).await
}

/// What somebody changed by hand stays, since nothing was compared: that comes with the interval
/// or a request.
async fn a_commit_elsewhere_moves_the_revision_and_nothing_else(it: Tenant) -> Result<()> {
    let files = [("app/a.yaml", config("a", "1")), ("other/b.yaml", config("b", "1"))];
    begin(&it, &files, &json!({"path": "./app"})).await?;
    it.create(&it.kustomization("other", &json!({"path": "./other"}))).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    it.ready(KUSTOMIZATION, "other").await?;
    it.patch((CONFIG, "b"), &json!({"data": {"value": "meddled"}})).await?;
    let revision = commit(&it, &[("app/a.yaml", config("a", "2"))]).await?;
    applied(&it, "app", &revision).await?;
    let moved = applied(&it, "other", &revision).await?;
    ensure!(value(&it, "a").await.as_deref() == Some("2"));
    ensure!(value(&it, "b").await.as_deref() == Some("meddled"), "it was compared");
    let last = &moved["status"]["history"][0];
    ensure!(last["metadata"]["revision"] == revision, "{last}");
    it.event(KUSTOMIZATION, "other", "ReconciliationSucceeded").await?;
    it.request(KUSTOMIZATION, "other").await?;
    ensure!(value(&it, "b").await.as_deref() == Some("1"), "a request is a whole run");
    let revision = commit(&it, &[("other/c.yaml", config("c", "1"))]).await?;
    applied(&it, "other", &revision).await?;
    ensure!(value(&it, "c").await.is_some(), "a new file is seen");
    Ok(())
}

async fn a_deletion_is_told_of(it: Tenant) -> Result<()> {
    begin(&it, &[("a.yaml", config("a", "1"))], &json!({})).await?;
    it.ready(KUSTOMIZATION, "app").await?;
    it.delete((KUSTOMIZATION, "app")).await?;
    let told = format!("ConfigMap/{}/a deleted", it.namespace);
    let event = it.event(KUSTOMIZATION, "app", &told).await?;
    ensure!(event.kind == "Normal" && event.reason == "ReconciliationSucceeded", "{event:?}");
    Ok(())
}

/// How many Kustomizations wait at the same time; there are four workers.
fn parked() -> usize {
    if std::env::var_os("SLUICE_FULL").is_some() { 200 } else { 40 }
}

/// Each would hold a worker for an hour if it waited in its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_is_done_while_all_others_wait() -> Result<()> {
    let it = crate::alone("newcomer").await?;
    let files = [("wait/a.yaml", deployment("never")), ("new/a.yaml", config("new", "1"))];
    let files = files.iter().map(|(path, text)| (*path, text.as_str()));
    it.files(files).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let name = |n: usize| format!("parked-{n}");
    for n in 0..parked() {
        let spec = json!({
            "path": "./wait", "wait": true, "timeout": "1h", "namePrefix": format!("n{n}-"),
        });
        it.create(&it.kustomization(&name(n), &spec)).await?;
    }
    for n in 0..parked() {
        waiting(&it, &name(n)).await?;
    }
    it.create(&it.kustomization("newcomer", &json!({"path": "./new"}))).await?;
    it.ready(KUSTOMIZATION, "newcomer").await?;
    let since = |it: &Value| condition(it, "Healthy")["lastTransitionTime"].clone();
    let before = waiting(&it, &name(0)).await?;
    it.world.restart_controllers().await?;
    it.create(&it.kustomization("second", &json!({"path": "./new", "namePrefix": "x-"}))).await?;
    it.ready(KUSTOMIZATION, "second").await?;
    let after = waiting(&it, &name(0)).await?;
    ensure!(since(&before) == since(&after), "the deadline moved: {before} {after}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_is_up_keeps_the_inventory() -> Result<()> {
    let it = crate::alone("time-up").await?;
    let spec = json!({"wait": true, "timeout": "1s"});
    begin(&it, &[("a.yaml", deployment("never")), ("b.yaml", config("b", "1"))], &spec).await?;
    let why = it.failing(KUSTOMIZATION, "app", "HealthCheckFailed").await?;
    ensure!(why.contains("timeout waiting for: [Deployment/time-up/never"), "{why}");
    let failed = it.get((KUSTOMIZATION, "app")).await.context("it is there")?;
    ensure!(inventory(&failed).len() == 2, "{failed}");
    Ok(())
}
