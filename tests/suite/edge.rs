//! The edge cases of staged promotion; each scenario is a line of its table.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};

use crate::{
    automation::read,
    gate::until,
    promotion::{file, promotions, runs, shop, stage, timed},
    web::Web,
};

fn phase(wanted: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| it["status"]["phase"] == wanted
}

/// A stage that runs something.
async fn settled(it: &Tenant, name: &str, more: &Value) -> Result<()> {
    it.create(&stage(name, more)).await?;
    let runs = |it: &Value| it["status"]["current"].is_object();
    it.wait(("Stage", name), "it runs something", runs).await?;
    Ok(())
}

/// The promotion that has its turn in a stage.
async fn turn(it: &Tenant, stage: &str) -> Result<String> {
    let promoting = |it: &Value| it["status"]["promotion"].is_string();
    let stage = it.wait(("Stage", stage), "it promotes", promoting).await?;
    Ok(stage["status"]["promotion"].as_str().context("a name")?.to_owned())
}

fn signoff() -> Value {
    json!({"gates": [{"name": "signoff", "approval": {"min": 1}}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_bundle_while_gating_takes_its_place() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["prod"]).await?;
    settled(&it, "prod", &signoff()).await?;
    it.release("1.1.0").await?;
    let first = turn(&it, "prod").await?;
    it.wait(("Promotion", &first), "it waits", phase("Gating")).await?;
    it.release("1.2.0").await?;
    let old = it.wait(("Promotion", &first), "it is superseded", phase("Superseded")).await?;
    let next = old["status"]["supersededBy"].as_str().context("a pointer")?.to_owned();
    it.wait(("Promotion", &next), "it waits", phase("Gating")).await?;
    // An approval of the old one says nothing about the new one.
    it.patch(("Promotion", &first), &json!({"spec": {"approvals": [{"by": "alice"}]}})).await?;
    it.patch(("Promotion", &next), &json!({"spec": {"approvals": [{"by": "bob"}]}})).await?;
    runs(&it, "prod", "1.2.0").await?;
    let next = it.get(("Promotion", &next)).await.context("it is there")?;
    assert_eq!(next["status"]["approvals"][0]["by"], "bob");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_bundle_while_verifying_waits() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    settled(&it, "dev", &json!({"bake": "10m"})).await?;
    it.release("1.1.0").await?;
    let first = turn(&it, "dev").await?;
    it.wait(("Promotion", &first), "it bakes", phase("Verifying")).await?;
    it.release("1.2.0").await?;
    let shown = |it: &Value| it["status"]["candidate"]["version"] == "1.2.0";
    it.wait(("Stage", "dev"), "the next one is shown", shown).await?;
    assert_eq!(turn(&it, "dev").await?, first);
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.1.0"));
    clock.advance(Duration::from_secs(601));
    it.wait(("Promotion", &first), "it is done", phase("Succeeded")).await?;
    let second = |it: &Value| it["status"]["promotion"].as_str().is_some_and(|name| name != first);
    it.wait(("Stage", "dev"), "the next one comes", second).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstream_re_verification_failed_withdraws_what_waits_downstream() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev", "prod"]).await?;
    let web = Web::start().await?;
    web.put("/good", "{}");
    let smoke = json!({"verify": [{"name": "smoke", "http": {
        "request": {"url": web.url("/good")}, "successIf": "has(json.bad) == false",
        "failIf": "has(json.bad)",
    }}]});
    settled(&it, "dev", &smoke).await?;
    let mut prod = signoff();
    prod["from"] = json!([{"stage": "dev"}]);
    settled(&it, "prod", &prod).await?;
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    let waits = turn(&it, "prod").await?;
    it.wait(("Promotion", &waits), "it waits", phase("Gating")).await?;
    // Verified once more, it is as good as before: nothing is written.
    let verify =
        |at: &str| json!({"metadata": {"annotations": {"promotion.sluice.dev/verifyAt": at}}});
    it.patch(("Stage", "dev"), &verify("one")).await?;
    let again = |it: &Value| it["status"]["history"].as_array().is_some_and(|it| it.len() == 2);
    let dev = it.wait(("Stage", "dev"), "it was verified again", again).await?;
    let name = dev["status"]["history"][0]["promotion"].as_str().context("a name")?;
    let promotion = it.get(("Promotion", name)).await.context("it is there")?;
    assert_eq!(promotion["status"]["phase"], "Succeeded");
    assert_eq!(promotion["status"]["commits"][0]["unchanged"], true);
    assert_eq!(it.get(("Promotion", &waits)).await.context("it")?["status"]["phase"], "Gating");
    web.put("/good", json!({"bad": true}).to_string());
    it.patch(("Stage", "dev"), &verify("two")).await?;
    let ended = until((&clock, &it), ("Promotion", &waits), "it ends", phase("Superseded")).await?;
    let message = ended["status"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("verified in dev does not count any more"), "{message}");
    let bundle = ended["spec"]["bundle"].as_str().context("a bundle")?;
    let withdrawn = |it: &Value| it["status"]["verifiedIn"][0]["withdrawn"].is_object();
    it.wait(("Bundle", bundle), "it is withdrawn", withdrawn).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotion_commit_lost_by_a_forced_push_is_not_written_again() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    settled(&it, "dev", &json!({})).await?;
    let before = repository.head("main").await?.context("a head")?;
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    repository.set_branch("main", &before).await?;
    it.request("GitRepository", "fleet").await?;
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Commit";
    it.wait(("Stage", "dev"), "it is held", held).await?;
    assert_eq!(repository.head("main").await?, Some(before));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback_that_fails_is_not_rolled_back() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let spec = json!({
        "onFailure": {"action": "Rollback", "then": "FixForward"},
        "deploy": {"timeout": "10m", "health": [
            {"kind": "Kustomization", "name": "dev"},
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "verdict", "expr": "object.data.all == 'good'"},
        ]},
    });
    let verdict = |all: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "verdict"}, "data": {"all": all}});
    it.create(&verdict("good")).await?;
    settled(&it, "dev", &spec).await?;
    it.patch(("ConfigMap", "verdict"), &json!({"data": {"all": "bad"}})).await?;
    it.release("1.1.0").await?;
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Failure";
    let dev = until((&clock, &it), ("Stage", "dev"), "it is held", held).await?;
    let all = promotions(&it).await?;
    let kinds: Vec<&Value> = all.iter().map(|it| &it["spec"]["kind"]).collect();
    assert_eq!(all.len(), 2, "{kinds:?}");
    ensure!(all.iter().all(|it| it["status"]["reason"] == "DeployTimeout"), "{all:#?}");
    ensure!(dev["status"]["hold"]["reason"].as_str().is_some_and(|it| it.contains("failure")));
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.0.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manual_promotion_that_fails_is_not_reverted() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let spec = json!({
        "promote": "Manual", "onFailure": {"action": "Rollback"},
        "deploy": {"timeout": "10m", "health": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "never"},
        ]},
    });
    settled(&it, "dev", &spec).await?;
    it.release("1.1.0").await?;
    let newest = |it: &Value| it["status"]["latestBundle"]["version"] == "1.1.0";
    let pipeline = it.wait(("Pipeline", "shop"), "there is a bundle", newest).await?;
    let bundle = pipeline["status"]["latestBundle"]["name"].clone();
    it.create(&json!({
        "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Promotion",
        "metadata": {"name": "by-hand"},
        "spec": {"stage": "dev", "bundle": bundle, "requestedBy": "alice"},
    }))
    .await?;
    until((&clock, &it), ("Promotion", "by-hand"), "it fails", phase("Failed")).await?;
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Failure";
    it.wait(("Stage", "dev"), "it is held", held).await?;
    assert_eq!(promotions(&it).await?.len(), 1);
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.1.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stage_deleted_mid_promotion_leaves_git_alone() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["prod"]).await?;
    settled(&it, "prod", &signoff()).await?;
    it.release("1.1.0").await?;
    let name = turn(&it, "prod").await?;
    it.wait(("Promotion", &name), "it waits", phase("Gating")).await?;
    it.delete(("Stage", "prod")).await?;
    it.wait(("Promotion", &name), "it is aborted", phase("Aborted")).await?;
    assert_eq!(read(&repository, "main", "prod/app.yaml").await?, file(&it, "prod", "1.0.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_made_by_us_in_a_git_ref_makes_no_bundle() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    repository.commit("main", [("config/a.yaml", "a: 1\n")], "config").await?;
    it.request("GitRepository", "fleet").await?;
    let components = json!([
        {"name": "app", "imagePolicyRef": {"name": "app"}},
        {"name": "config", "gitRef": {"name": "fleet"}, "optional": true},
    ]);
    it.patch(("Pipeline", "shop"), &json!({"spec": {"components": components}})).await?;
    let both = |it: &Value| it["status"]["candidate"][1]["value"]["git"]["commit"].is_string();
    it.wait(("Pipeline", "shop"), "it has both", both).await?;
    settled(&it, "dev", &json!({})).await?;
    it.release("1.1.0").await?;
    let dev = runs(&it, "dev", "1.1.0").await?;
    it.request("Pipeline", "shop").await?;
    let pipeline = it.get(("Pipeline", "shop")).await.context("it is there")?;
    let bundle = &dev["status"]["current"]["bundle"];
    assert_eq!(pipeline["status"]["latestBundle"]["name"], *bundle, "{pipeline:#}");
    // Somebody else's commit outside of the stages makes one.
    repository.commit("main", [("config/a.yaml", "a: 2\n")], "config").await?;
    it.request("GitRepository", "fleet").await?;
    let newer = |it: &Value| it["status"]["latestBundle"]["name"] != *bundle;
    until((&clock, &it), ("Pipeline", "shop"), "there is a new bundle", newer).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundle_made_by_hand_is_looked_for_before_it_is_available() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    it.publish("app", &["0.9.0"]);
    let newest = |it: &Value| it["status"]["latestBundle"]["name"].is_string();
    let pipeline = it.wait(("Pipeline", "shop"), "there is a bundle", newest).await?;
    let good = pipeline["status"]["latestBundle"]["name"].as_str().context("a name")?.to_owned();
    let available = |it: &Value| condition(it, "Available")["status"] == "True";
    let made = it.wait(("Bundle", &good), "it is available", available).await?;
    // The digest of another tag, under the name that these values would have had.
    let mut forged = made["spec"].clone();
    forged["components"][0]["image"]["tag"] = json!("0.9.0");
    it.create(&json!({
        "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Bundle",
        "metadata": {"name": "shop-forged"}, "spec": forged,
    }))
    .await?;
    let gone = |it: &Value| condition(it, "Available")["status"] == "False";
    let it_is = it.wait(("Bundle", "shop-forged"), "it is refused", gone).await?;
    let message = condition(&it_is, "Available")["message"].clone();
    let wanted =
        message.as_str().and_then(|it| it.rsplit(' ').next()).context("a name")?.to_owned();
    it.create(&json!({
        "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Bundle",
        "metadata": {"name": wanted}, "spec": forged,
    }))
    .await?;
    let it_is = it.wait(("Bundle", &wanted), "it is refused", gone).await?;
    let message = condition(&it_is, "Available")["message"].clone();
    ensure!(message.as_str().is_some_and(|it| it.contains(":0.9.0 is sha256:")), "{message}");
    it.event("Bundle", &wanted, "BundleUnavailable").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_without_a_reflected_digest_gets_one() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    it.patch(("ImagePolicy", "app"), &json!({"spec": {"digestReflectionPolicy": "Never"}})).await?;
    it.release("1.1.0").await?;
    let newest = |it: &Value| it["status"]["latestBundle"]["version"] == "1.1.0";
    let pipeline = it.wait(("Pipeline", "shop"), "there is a bundle", newest).await?;
    let name = pipeline["status"]["latestBundle"]["name"].as_str().context("a name")?;
    let bundle = it.get(("Bundle", name)).await.context("it is there")?;
    let digest = &bundle["spec"]["components"][0]["image"]["digest"];
    ensure!(digest.as_str().is_some_and(|it| it.starts_with("sha256:")), "{bundle:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freeze_tells_what_it_holds_and_what_it_cannot() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    settled(&it, "dev", &json!({})).await?;
    let freeze = |name: &str, spec: Value| {
        json!({
            "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Freeze",
            "metadata": {"name": name}, "spec": spec,
        })
    };
    let create = async |it: &Tenant, object: Value| {
        it.world.objects.create(None, &object).await?.map_err(|why| anyhow::anyhow!("{why:?}"))
    };
    create(&it, freeze("stop", json!({"reason": "incident"}))).await?;
    let get = async |name: &str| {
        let all = it.world.objects.list("promotion.sluice.dev/v1alpha1", "Freeze", "").await;
        let all = all.unwrap_or_default();
        all.into_iter().find(|it| it["metadata"]["name"] == name).unwrap_or_default()
    };
    let active = async || get("stop").await["status"]["active"] == true;
    it.world.objects.eventually("it freezes", active).await?;
    it.release("1.1.0").await?;
    let frozen = |it: &Value| condition(it, "Frozen")["status"] == "True";
    it.wait(("Stage", "dev"), "it is frozen", frozen).await?;
    let shown = get("stop").await;
    assert_eq!(shown["status"]["affected"]["stages"], 1, "{shown:#}");
    assert_eq!(condition(&shown, "Ready")["status"], "True");
    create(&it, freeze("pause", json!({"inFlight": "Pause"}))).await?;
    let refused = async || {
        let it = get("pause").await;
        condition(&it, "Stalled")["reason"] == "NotImplemented" && it["status"]["active"] == true
    };
    it.world.objects.eventually("it is refused by name", refused).await?;
    let message = condition(&get("pause").await, "Ready")["message"].clone();
    assert_eq!(message, "inFlight: Pause is not supported yet");
    assert_eq!(promotions(&it).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotions_are_counted() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    settled(&it, "dev", &json!({})).await?;
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    let text = it.world.metrics.text()?;
    let own = "namespace=\"apps\",pipeline=\"shop\"";
    for line in [
        format!("promotion_total{{kind=\"Auto\",{own},result=\"Succeeded\",stage=\"dev\"}} 1"),
        format!("promotion_lead_time_seconds_count{{{own},stage=\"dev\"}} 1"),
        format!("promotion_stage_held{{{own},stage=\"dev\"}} 0"),
        "promotion_git_push_total{result=\"ok\"} 1".to_owned(),
    ] {
        ensure!(text.contains(&line), "{line} is not in {text}");
    }
    ensure!(text.contains("promotion_stage_info{bundle="), "{text}");
    ensure!(text.contains("version=\"1.1.0\""), "{text}");
    Ok(())
}
