//! Staged promotion, as its users, the branch and the cluster see it.

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};
use world::git::Repository;

use crate::automation::read;

scenarios! {
    a_bundle_is_committed_and_seen_to_run,
    what_is_not_there_yet_is_refused_by_name,
    stages_in_a_circle_and_with_common_files_stall,
}

const PROMOTION: &str = "promotion.sluice.dev/v1alpha1";

/// A file with a tag that is marked.
fn file(it: &Tenant, stage: &str, tag: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {stage}\n  namespace: {0}\ndata:\n  \
         tag: {tag} # {{\"$imagepolicy\": \"{0}:app:tag\"}}\n",
        it.namespace,
    )
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": PROMOTION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn stage(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "pipelineRef": {"name": "shop"}, "promote": "Auto", "edit": {"paths": [name]},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    object("Stage", name, &spec)
}

/// A repository with a folder and a Kustomization for each stage, and a pipeline of one image.
async fn shop(it: &Tenant, stages: &[&str]) -> Result<Repository> {
    let files: Vec<(String, String)> =
        stages.iter().map(|name| (format!("{name}/app.yaml"), file(it, name, "1.0.0"))).collect();
    let given = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let repository = it.files(given).await?;
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({}))).await?;
    let choice = json!({"semver": {"range": "1.x"}});
    let digest = json!({"digestReflectionPolicy": "IfNotPresent"});
    it.create(&it.image_policy("app", &choice, &digest)).await?;
    it.ready("ImagePolicy", "app").await?;
    it.create(&it.git_repository(&json!({}))).await?;
    for name in stages {
        it.create(&json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name},
            "spec": {
                "path": name, "prune": true, "interval": "1h",
                "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            },
        }))
        .await?;
        it.ready("Kustomization", name).await?;
    }
    it.create(&object(
        "Pipeline",
        "shop",
        &json!({
            "components": [{"name": "app", "imagePolicyRef": {"name": "app"}}],
            "bundles": {"settle": "0s"},
            "git": {
                "sourceRef": {"kind": "GitRepository", "name": "fleet"},
                "commit": {"author": {"name": "bot", "email": "bot@example.com"}},
            },
        }),
    ))
    .await?;
    it.ready("Pipeline", "shop").await?;
    Ok(repository)
}

/// Waits until a stage runs a version that was verified, and nothing is under way.
async fn runs(it: &Tenant, stage: &str, version: &str) -> Result<Value> {
    let runs = |it: &Value| {
        let current = &it["status"]["current"];
        current["version"] == version
            && current["verifiedAt"].is_string()
            && it["status"]["promotion"].is_null()
    };
    it.wait(("Stage", stage), &format!("{stage} runs {version}"), runs).await
}

async fn a_bundle_is_committed_and_seen_to_run(it: Tenant) -> Result<()> {
    let repository = shop(&it, &["dev"]).await?;
    it.create(&stage("dev", &json!({}))).await?;
    it.wait(("Stage", "dev"), "it runs something", |it| it["status"]["current"].is_object())
        .await?;
    it.release("1.1.0").await?;
    let dev = runs(&it, "dev", "1.1.0").await?;
    let want = file(&it, "dev", "1.1.0");
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, want);
    let commit = dev["status"]["current"]["commit"].as_str().context("a commit")?.to_owned();
    assert_eq!(repository.head("main").await?.as_ref(), Some(&commit));
    let log = repository.log("main").await?;
    let message = &log.first().context("a commit")?.message;
    ensure!(
        message.starts_with("promote(shop): 1.1.0 to dev\n\napp 1.0.0 -> 1.1.0\n"),
        "{message}"
    );
    ensure!(message.contains(&format!("Promotion-Stage: {}/dev", it.namespace)), "{message}");
    // What it says is what the cluster runs.
    let map = it.world.objects.get("v1", "ConfigMap", &it.namespace, "dev").await;
    assert_eq!(map.context("it is applied")?["data"]["tag"], "1.1.0");
    let kustomization = it.get(("Kustomization", "dev")).await.context("it is there")?;
    let applied = kustomization["status"]["lastAppliedRevision"].as_str().unwrap_or_default();
    ensure!(applied.ends_with(&commit), "{applied} is not {commit}");
    let name = dev["status"]["current"]["promotion"].as_str().context("a promotion")?;
    let promotion = it.ready("Promotion", name).await?;
    assert_eq!(promotion["status"]["phase"], "Succeeded");
    assert_eq!(promotion["spec"]["kind"], "Auto");
    let bundle = dev["status"]["current"]["bundle"].as_str().context("a bundle")?;
    let verified = |it: &Value| it["status"]["verifiedIn"][0]["stage"] == "dev";
    let bundle = it.wait(("Bundle", bundle), "it is verified", verified).await?;
    ensure!(bundle["spec"]["components"][0]["image"]["digest"].is_string(), "{bundle:#}");
    it.event("Promotion", name, "PromotionCommitted").await?;
    it.event("Promotion", name, "PromotionSucceeded").await?;
    it.event("Pipeline", "shop", "BundleCreated").await?;
    Ok(())
}

async fn what_is_not_there_yet_is_refused_by_name(it: Tenant) -> Result<()> {
    shop(&it, &["dev"]).await?;
    for (name, spec, what) in [
        ("waves", json!({"targets": {"fromPaths": "clusters/*/"}}), "targets"),
        ("preempt", json!({"onNewer": "Preempt"}), "onNewer: Preempt"),
        ("heal", json!({"drift": "Heal"}), "drift: Heal"),
        ("some", json!({"fromPolicy": {"atLeast": 1}}), "fromPolicy.atLeast"),
        ("revert", json!({"onFailure": {"action": "Rollback", "mode": "Revert"}}), "mode: Revert"),
    ] {
        it.create(&stage(name, &spec)).await?;
        let message = it.failing("Stage", name, "NotImplemented").await?;
        ensure!(message.contains(what), "{message}");
        let stalled = it.get(("Stage", name)).await.context("it is there")?;
        assert_eq!(condition(&stalled, "Stalled")["status"], "True");
    }
    Ok(())
}

async fn stages_in_a_circle_and_with_common_files_stall(it: Tenant) -> Result<()> {
    shop(&it, &["a", "b"]).await?;
    it.create(&stage("a", &json!({"from": [{"stage": "b"}]}))).await?;
    it.create(&stage("b", &json!({"from": [{"stage": "a"}]}))).await?;
    let message = it.failing("Stage", "b", "InvalidGraph").await?;
    ensure!(message.contains("a circle"), "{message}");
    it.create(&stage("c", &json!({"edit": {"paths": ["x"]}}))).await?;
    it.create(&stage("d", &json!({"edit": {"paths": ["x/y"]}}))).await?;
    let message = it.failing("Stage", "d", "OverlappingPaths").await?;
    ensure!(message.contains("'x'") && message.contains("'c'"), "{message}");
    Ok(())
}
