//! Staged promotion, as its users, the branch and the cluster see it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use controller::clock;
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::git::Repository;

use crate::automation::read;

scenarios! {
    a_bundle_is_committed_and_seen_to_run,
    a_plan_shows_files_and_objects_without_secrets,
    what_is_not_there_yet_is_refused_by_name,
    stages_in_a_circle_and_with_common_files_stall,
}

const PROMOTION: &str = "promotion.sluice.dev/v1alpha1";

/// A file with a tag that is marked.
pub(crate) fn file(it: &Tenant, stage: &str, tag: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {stage}\n  namespace: {0}\ndata:\n  \
         tag: {tag} # {{\"$imagepolicy\": \"{0}:app:tag\"}}\n",
        it.namespace,
    )
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": PROMOTION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub(crate) fn stage(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "pipelineRef": {"name": "shop"}, "promote": "Auto", "edit": {"paths": [name]},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    object("Stage", name, &spec)
}

/// A repository with a folder and a Kustomization for each stage, and a pipeline of one image.
pub(crate) async fn shop(it: &Tenant, stages: &[&str]) -> Result<Repository> {
    let files: Vec<(String, String)> =
        stages.iter().map(|name| (format!("{name}/app.yaml"), file(it, name, "1.0.0"))).collect();
    let given = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let repository = it.files(given).await?;
    fleet(it, stages, &json!({})).await?;
    Ok(repository)
}

/// A Kustomization for each stage of a repository that is there, and a pipeline of one image.
pub(crate) async fn fleet(it: &Tenant, stages: &[&str], source: &Value) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({}))).await?;
    let choice = json!({"semver": {"range": "1.x"}});
    let digest = json!({"digestReflectionPolicy": "IfNotPresent"});
    it.create(&it.image_policy("app", &choice, &digest)).await?;
    it.ready("ImagePolicy", "app").await?;
    it.create(&it.git_repository(source)).await?;
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
    Ok(())
}

/// Waits until a stage runs a version that was verified, and nothing is under way.
pub(crate) async fn runs(it: &Tenant, stage: &str, version: &str) -> Result<Value> {
    let runs = |it: &Value| {
        let current = &it["status"]["current"];
        current["version"] == version
            && current["verifiedAt"].is_string()
            && it["status"]["promotion"].is_null()
    };
    it.wait(("Stage", stage), &format!("{stage} runs {version}"), runs).await
}

pub(crate) async fn promotions(it: &Tenant) -> Result<Vec<Value>> {
    it.world.objects.list(PROMOTION, "Promotion", &it.namespace).await
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

async fn a_plan_shows_files_and_objects_without_secrets(it: Tenant) -> Result<()> {
    let marker = format!("# {{\"$imagepolicy\": \"{}:app:tag\"}}", it.namespace);
    let head = |version: &str, kind: &str, name: &str| {
        let namespace = &it.namespace;
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        )
    };
    let secret = head("v1", "Secret", "login");
    let secret = format!("{secret}stringData:\n  password: hunter2\n  tag: 1.0.0 {marker}\n");
    let release = head("helm.toolkit.fluxcd.io/v2", "HelmRelease", "web");
    let release = format!(
        "{release}spec:\n  interval: 1h\n  chart:\n    spec:\n      chart: charts/web\n      \
         sourceRef: {{kind: GitRepository, name: fleet}}\n  values:\n    tag: 1.0.0 {marker}\n"
    );
    let other = head("helm.toolkit.fluxcd.io/v2", "HelmRelease", "far");
    let other = format!(
        "{other}spec:\n  interval: 1h\n  suspend: true\n  chart:\n    spec:\n      chart: far\n      \
         sourceRef: {{kind: HelmRepository, name: far}}\n  values:\n    tag: 1.0.0 {marker}\n"
    );
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n\
                    data: {runs: {{ .Values.tag | quote }}}\n";
    let repository = shop(&it, &["dev"]).await?;
    let files = [
        ("dev/secret.yaml", secret.as_str()),
        ("dev/release.yaml", release.as_str()),
        ("dev/other.yaml", other.as_str()),
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("charts/web/templates/map.yaml", template),
    ];
    repository.commit("main", files, "more").await?;
    it.request("GitRepository", "fleet").await?;
    it.create(&stage("dev", &json!({}))).await?;
    it.wait(("Stage", "dev"), "it runs something", |it| it["status"]["current"].is_object())
        .await?;
    it.release("1.1.0").await?;
    let dev = runs(&it, "dev", "1.1.0").await?;
    let name = dev["status"]["current"]["promotion"].as_str().context("a promotion")?;
    let promotion = it.get(("Promotion", name)).await.context("it is there")?;
    let plan = &promotion["status"]["plan"];
    assert_eq!(plan["total"], 4, "{plan:#}");
    let rendered = &plan["rendered"];
    let fields = |object: &str, by: &str| {
        let all = rendered["objects"].as_array().into_iter().flatten();
        let mut found = all.filter(|it| it["object"] == object && it["by"] == by);
        found.next().map(|it| it["fields"].clone()).unwrap_or_default()
    };
    let (namespace, by) = (&it.namespace, format!("Kustomization/{}/dev", it.namespace));
    let told = json!(["data.tag: 1.0.0 -> 1.1.0"]);
    assert_eq!(fields(&format!("ConfigMap/{namespace}/dev"), &by), told, "{plan:#}");
    let masked = json!(["stringData.tag: *** (before) -> *** (after)"]);
    assert_eq!(fields(&format!("Secret/{namespace}/login"), &by), masked, "{plan:#}");
    let contents =
        fields(&format!("ConfigMap/{namespace}/web"), &format!("HelmRelease/{namespace}/web"));
    assert_eq!(contents, json!(["data.runs: 1.0.0 -> 1.1.0"]), "{plan:#}");
    let message = rendered["message"].as_str().unwrap_or_default();
    ensure!(message.contains("its chart comes from HelmRepository"), "{plan:#}");
    ensure!(!plan.to_string().contains("hunter2"), "a secret is in {plan:#}");
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
    for (name, push, what) in [
        ("elsewhere", json!({"branch": "next"}), "push.mode: PullRequest"),
        ("more", json!({"refspec": "refs/heads/main:refs/heads/copy"}), "git.push.refspec"),
    ] {
        let spec = json!({
            "components": [{"name": "app", "imagePolicyRef": {"name": "app"}}],
            "git": {
                "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "branch": "main",
                "commit": {"author": {"name": "bot", "email": "bot@example.com"}}, "push": push,
            },
        });
        it.create(&object("Pipeline", name, &spec)).await?;
        let message = it.failing("Pipeline", name, "NotImplemented").await?;
        ensure!(message.contains(what), "{message}");
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

/// A world whose time is advanced by the test.
pub(crate) async fn timed() -> Result<(clock::Manual, Tenant)> {
    let clock = clock::Manual::new(jiff::Timestamp::now());
    let flags = |it: &mut sluice::controllers::Setup| it.promotion.unguarded = true;
    let world =
        World::with(Options { clock: Arc::new(clock.clone()), flags, ..Options::default() })
            .await?;
    Ok((clock, Arc::new(world).tenant("apps").await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_goes_from_stage_to_stage_with_soak_and_approval() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev", "staging", "prod"]).await?;
    it.create(&stage("dev", &json!({}))).await?;
    let soak = json!({"from": [{"stage": "dev", "soak": "10m"}]});
    it.create(&stage("staging", &soak)).await?;
    let signoff = json!({
        "from": [{"stage": "staging"}],
        "gates": [{"name": "signoff", "approval": {"min": 1}}],
    });
    it.create(&stage("prod", &signoff)).await?;
    for name in ["dev", "staging", "prod"] {
        it.wait(("Stage", name), "it runs something", |it| it["status"]["current"].is_object())
            .await?;
    }
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    let soaking = |it: &Value| {
        let blocked = it["status"]["candidate"]["blockedBy"].as_str().unwrap_or_default();
        it["status"]["candidate"]["version"] == "1.1.0" && blocked.contains("soaks in dev until")
    };
    it.wait(("Stage", "staging"), "it waits for the soak", soaking).await?;
    assert_eq!(read(&repository, "main", "staging/app.yaml").await?, file(&it, "staging", "1.0.0"));
    clock.advance(Duration::from_secs(601));
    runs(&it, "staging", "1.1.0").await?;
    let waiting = |it: &Value| it["status"]["promotion"].is_string();
    let prod = it.wait(("Stage", "prod"), "it has a promotion", waiting).await?;
    let name = prod["status"]["promotion"].as_str().context("a name")?.to_owned();
    let asked = |it: &Value| {
        it["status"]["phase"] == "Gating"
            && it["status"]["message"].as_str().is_some_and(|it| it.starts_with("signoff: 0 of 1"))
    };
    it.wait(("Promotion", &name), "it waits for an approval", asked).await?;
    it.event("Promotion", &name, "ApprovalRequested").await?;
    assert_eq!(read(&repository, "main", "prod/app.yaml").await?, file(&it, "prod", "1.0.0"));
    it.patch(("Promotion", &name), &json!({"spec": {"approvals": [{"by": "alice"}]}})).await?;
    runs(&it, "prod", "1.1.0").await?;
    assert_eq!(read(&repository, "main", "prod/app.yaml").await?, file(&it, "prod", "1.1.0"));
    let message = repository.log("main").await?.first().context("a commit")?.message.clone();
    ensure!(message.contains("\nGate-signoff: passed: 1 of 1; alice\n"), "{message}");
    ensure!(message.contains("\nApproved-By: alice "), "{message}");
    ensure!(message.contains("\nPromotion-From: staging@"), "{message}");
    assert_eq!(repository.log("main").await?.len(), 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_commit_is_adopted_and_never_overwritten() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    it.create(&stage("dev", &json!({}))).await?;
    it.wait(("Stage", "dev"), "it runs something", |it| it["status"]["current"].is_object())
        .await?;
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    repository
        .commit("main", [("dev/app.yaml", file(&it, "dev", "1.0.0").as_str())], "revert")
        .await?;
    it.request("GitRepository", "fleet").await?;
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Commit";
    let dev = it.wait(("Stage", "dev"), "it is held", held).await?;
    assert_eq!(dev["status"]["current"]["version"], "1.0.0");
    assert_eq!(condition(&dev, "Held")["status"], "True");
    it.release("1.2.0").await?;
    let shown = |it: &Value| it["status"]["candidate"]["version"] == "1.2.0";
    it.wait(("Stage", "dev"), "the candidate is shown", shown).await?;
    it.event("Stage", "dev", "StageHeld").await?;
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.0.0"));
    // Until somebody says so.
    let resume = json!({"metadata": {"annotations": {"promotion.sluice.dev/resumeAt": "now"}}});
    it.patch(("Stage", "dev"), &resume).await?;
    runs(&it, "dev", "1.2.0").await?;
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.2.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_fails_is_rolled_back() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let rollback = json!({
        "onFailure": {"action": "Rollback"},
        "deploy": {"timeout": "10m", "health": [
            {"kind": "Kustomization", "name": "dev"},
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "verdict",
             "expr": "object.data[components.app.tag] == 'good'"},
        ]},
    });
    let verdict = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "verdict"},
        "data": {"1.0.0": "good"},
    });
    it.create(&verdict).await?;
    it.create(&stage("dev", &rollback)).await?;
    it.wait(("Stage", "dev"), "it runs something", |it| it["status"]["current"].is_object())
        .await?;
    it.release("1.1.0").await?;
    let deploying = |it: &Value| it["status"]["promotion"].is_string();
    let dev = it.wait(("Stage", "dev"), "it promotes", deploying).await?;
    let name = dev["status"]["promotion"].as_str().context("a name")?.to_owned();
    let waits = |it: &Value| it["status"]["phase"] == "Deploying";
    it.wait(("Promotion", &name), "it is deployed", waits).await?;
    clock.advance(Duration::from_secs(601));
    let failed = |it: &Value| it["status"]["reason"] == "DeployTimeout";
    it.wait(("Promotion", &name), "it fails", failed).await?;
    let back = |it: &Value| {
        it["status"]["current"]["version"] == "1.0.0"
            && it["status"]["hold"]["kind"] == "Failure"
            && it["status"]["promotion"].is_null()
    };
    let dev = it.wait(("Stage", "dev"), "it is back and held", back).await?;
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.0.0"));
    let rollback = dev["status"]["current"]["promotion"].as_str().context("a name")?;
    let rollback = it.ready("Promotion", rollback).await?;
    assert_eq!(rollback["spec"]["kind"], "Rollback");
    assert_eq!(rollback["status"]["rollbackOf"], json!(name));
    // One commit for each, and no more.
    assert_eq!(repository.log("main").await?.len(), 3);
    assert_eq!(promotions(&it).await?.len(), 2);
    Ok(())
}
