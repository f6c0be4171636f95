//! Stock helm on our releases, and ours on those of stock helm.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use helm::release::{observation_digest, values_digest};
use scenarios::{condition, skipped};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::release::{Fleet, GROUP, SPACE};

/// Stock helm; a scenario is skipped by its name without it.
fn stock(scenario: &str) -> Option<PathBuf> {
    let found = world::helm::program("helm");
    if found.is_none() {
        skipped(scenario, "helm is not built (cargo xtask setup)");
    }
    found
}

/// Runs helm in the release's namespace; what it says.
async fn helm(program: &PathBuf, fleet: &Fleet, words: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(words).args(["--namespace", SPACE]).stdin(Stdio::null());
    command.env("KUBECONFIG", fleet.kubeconfig()).env("HELM_DRIVER", "secret");
    for (name, folder) in
        [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "hd")]
    {
        command.env(name, fleet.process.path(folder));
    }
    let output = command.output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "helm {words:?}: {}", text(&output.stderr));
    Ok(text(&output.stdout))
}

/// What `helm history` tells: revision, state and description, oldest first.
async fn told(program: &PathBuf, fleet: &Fleet) -> Result<Vec<String>> {
    let history = helm(program, fleet, &["history", "app", "-o", "json"]).await?;
    let history: Vec<Value> = serde_json::from_str(&history)?;
    let line = |it: &Value| {
        format!("{} {} {}", it["revision"], it["status"], it["description"]).replace('"', "")
    };
    Ok(history.iter().map(line).collect())
}

async fn message(fleet: &Fleet) -> Result<String> {
    fleet.messages().await?.remove("app").context("the ConfigMap is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_helm_works_on_our_releases() -> Result<()> {
    let Some(program) = stock("stock helm on our releases") else { return Ok(()) };
    let values = json!({"message": "one", "parts": ["a"], "behaviour": "ready"});
    let fleet = Fleet::start(&values, &json!({})).await?;
    fleet.ready().await?;
    fleet.spec(&json!({"values": {"message": "two", "parts": ["b"]}})).await?;
    fleet.ready().await?;
    let history = told(&program, &fleet).await?;
    ensure!(
        history == ["1 superseded Install complete", "2 deployed Upgrade complete"],
        "{history:?}"
    );
    let values = helm(&program, &fleet, &["get", "values", "app", "-o", "json"]).await?;
    let values: Value = serde_json::from_str(&values)?;
    ensure!(values == json!({"message": "two", "parts": ["b"], "behaviour": "ready"}), "{values}");
    let manifest = helm(&program, &fleet, &["get", "manifest", "app"]).await?;
    ensure!(manifest.contains("message: two") && manifest.contains("name: app-b"), "{manifest}");
    let notes = helm(&program, &fleet, &["get", "notes", "app"]).await?;
    ensure!(notes.contains("app says two"), "{notes}");
    let listed = helm(&program, &fleet, &["list", "-o", "json"]).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    ensure!(listed[0]["chart"] == "chart-1.0.0" && listed[0]["app_version"] == "7", "{listed}");

    fleet.spec(&json!({"suspend": true})).await?;
    helm(&program, &fleet, &["rollback", "app", "1", "--wait"]).await?;
    ensure!(message(&fleet).await? == "one", "helm rolls back");
    let there = fleet.messages().await?;
    ensure!(there.keys().eq(["app", "app-a"]), "{there:?}");
    fleet.spec(&json!({"suspend": false})).await?;
    let newest = |it: &Value| it["status"]["history"][0]["version"] == 4;
    fleet.until("what is wanted is released again", newest).await?;
    fleet.ready().await?;
    ensure!(message(&fleet).await? == "two", "what is wanted is there again");
    let history = told(&program, &fleet).await?;
    let states: Vec<&str> = history.iter().filter_map(|it| it.split(' ').nth(1)).collect();
    ensure!(states == ["superseded", "superseded", "superseded", "deployed"], "{history:?}");

    fleet.spec(&json!({"suspend": true})).await?;
    helm(&program, &fleet, &["uninstall", "app", "--wait"]).await?;
    ensure!(fleet.messages().await?.is_empty() && fleet.records().await?.is_empty());
    fleet.spec(&json!({"suspend": false})).await?;
    let again = |it: &Value| it["status"]["history"][0]["version"] == 1;
    fleet.until("it is installed again", again).await?;
    fleet.ready().await?;
    ensure!(message(&fleet).await? == "two" && fleet.history().await? == ["1 deployed"]);
    Ok(())
}

/// A release of stock helm, and the HelmRelease, suspended.
async fn installed(program: &PathBuf) -> Result<Fleet> {
    let fleet = Fleet::start(&json!({"message": "one"}), &json!({"suspend": true})).await?;
    let chart = fleet.chart();
    let chart = crate::process::text(&chart)?;
    helm(program, &fleet, &["install", "app", chart, "--set", "message=one", "--wait"]).await?;
    Ok(fleet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_of_stock_helm_becomes_ours() -> Result<()> {
    let Some(program) = stock("our releases from stock helm's") else { return Ok(()) };
    let fleet = installed(&program).await?;
    let uid = |it: &Value| it["metadata"]["uid"].clone();
    let before = fleet.objects.get("v1", "ConfigMap", SPACE, "app").await.unwrap_or_default();
    fleet.spec(&json!({"suspend": false})).await?;
    fleet.ready().await?;
    ensure!(fleet.history().await? == ["1 superseded", "2 deployed"]);
    let after = fleet.objects.get("v1", "ConfigMap", SPACE, "app").await.unwrap_or_default();
    ensure!(uid(&before) == uid(&after), "the ConfigMap was made anew");
    let history = told(&program, &fleet).await?;
    ensure!(history[1] == "2 deployed Upgrade complete", "{history:?}");
    Ok(())
}

/// Upstream's controller leaves a history in the status: with it nothing is upgraded, whoever wrote
/// the record, and stock helm does not know the difference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_over_upgrades_nothing() -> Result<()> {
    let Some(program) = stock("taking over a release") else { return Ok(()) };
    let fleet = installed(&program).await?;
    let record = fleet.records().await?.pop().context("helm has recorded the release")?;
    let seconds = |text: &str| -> Result<String> {
        let at: jiff::Timestamp = text.parse()?;
        Ok(jiff::Timestamp::from_second(at.as_second())?.to_string())
    };
    let entry = json!({
        "digest": observation_digest(&record, ""), "name": "app", "namespace": SPACE,
        "version": 1, "status": "deployed", "chartName": "chart", "chartVersion": "1.0.0",
        "appVersion": "7", "configDigest": values_digest(&record.config),
        "firstDeployed": seconds(&record.info.first_deployed)?,
        "lastDeployed": seconds(&record.info.last_deployed)?,
    });
    let status = json!({"status": {
        "history": [entry], "storageNamespace": SPACE, "lastAttemptedGeneration": 1,
        "lastAttemptedRevision": "1.0.0", "lastAttemptedReleaseAction": "install",
        "lastAttemptedConfigDigest": values_digest(&record.config),
        "conditions": conditions("InstallSucceeded"),
    }});
    patch_status(&fleet, &status).await?;
    fleet.spec(&json!({"suspend": false})).await?;
    let it = fleet.ready().await?;
    ensure!(fleet.history().await? == ["1 deployed"], "it is upgraded");
    ensure!(condition(&it, "Ready")["reason"] == "InstallSucceeded", "{it:#}");
    Ok(())
}

/// The state of the oldest served API is adopted, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_v2beta1_is_adopted() -> Result<()> {
    let Some(program) = stock("adopting the state of v2beta1") else { return Ok(()) };
    let fleet = installed(&program).await?;
    let status = json!({"lastReleaseRevision": 1, "conditions": conditions("InstallSucceeded")});
    patch_status(&fleet, &json!({ "status": status })).await?;
    fleet.spec(&json!({"suspend": false})).await?;
    let it = fleet.ready().await?;
    ensure!(fleet.history().await? == ["1 deployed"], "it is upgraded");
    ensure!(it["status"]["lastReleaseRevision"].is_null(), "{it:#}");
    Ok(())
}

/// The conditions of a release that is well.
fn conditions(reason: &str) -> Value {
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "observedGeneration": 1,
            "message": "Helm install succeeded", "lastTransitionTime": "2025-01-01T00:00:00Z",
        })
    };
    json!([condition("Ready"), condition("Released")])
}

async fn patch_status(fleet: &Fleet, status: &Value) -> Result<()> {
    let kind = (GROUP, "HelmRelease");
    fleet.objects.patch_status(kind, (SPACE, "app"), status).await
}
