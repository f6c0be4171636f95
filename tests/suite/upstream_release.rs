//! Upstream's end-to-end scenarios of `HelmRelease`s, with the conditions and revisions they end with,
//! and what later releases of it brought.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};

use crate::{
    artifact::archive,
    helm_release::{
        APP, CONFIG, CONFIG_MAP, METADATA, RELEASE, WORK, fleet, fleet_with, history, install,
        message, set, told,
    },
    process::Process,
    release::records,
    web::Web,
};

const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// A kind whose objects say themselves when they are ready.
const THING: (&str, &str) = ("health.example.com/v1", "Thing");

scenarios![
    a_failed_install_stays,
    a_failed_install_is_made_again,
    a_failed_install_is_uninstalled_and_remembered,
    failed_tests_fail_a_release_unless_they_are_ignored,
    a_failed_upgrade_stays,
    failed_tests_of_an_upgrade_stall_it,
    a_failed_upgrade_is_made_again_after_a_rollback,
    a_failed_upgrade_may_be_uninstalled,
    a_failed_release_is_retried_without_a_rollback,
    a_release_goes_where_the_spec_says,
    an_account_may_do_what_it_may,
    definitions_follow_their_policy,
    charts_come_from_everywhere,
    a_dependency_is_ready_by_an_expression,
    a_labelled_secret_is_released_at_once,
    the_api_server_applies_on_request,
    custom_resources_are_waited_for_by_expressions,
];

/// States of conditions by type.
fn conditions(it: &Value) -> BTreeMap<&str, &str> {
    let all = it["status"]["conditions"].as_array().into_iter().flatten();
    all.filter_map(|it| Some((it["type"].as_str()?, it["status"].as_str()?))).collect()
}

/// Waits until the release ends with these conditions at its generation.
async fn ends(it: &Tenant, wanted: &[(&str, &str)]) -> Result<Value> {
    let holds = |it: &Value| {
        let is = conditions(it);
        wanted.iter().all(|(kind, status)| is.get(kind) == Some(status))
            && !is.contains_key("Reconciling")
            && condition(it, "Ready")["observedGeneration"] == it["metadata"]["generation"]
    };
    it.wait(APP, &format!("it ends with {wanted:?}"), holds).await
}

/// Number, state and description of each record.
async fn recorded(it: &Tenant) -> Result<Vec<String>> {
    let records = records(&it.world.objects, &it.namespace, "app").await?;
    let line = |it: &helm::release::Record| {
        format!("{} {} {}", it.version, it.info.status, it.info.description)
    };
    Ok(records.iter().map(line).collect())
}

/// Numbers and states only.
async fn states(it: &Tenant) -> Result<Vec<String>> {
    let short = |it: String| it.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(recorded(it).await?.into_iter().map(short).collect())
}

const FAILED: [(&str, &str); 3] = [("Released", "False"), ("Ready", "False"), ("Stalled", "True")];

/// Creates a release whose Deployment never gets ready.
async fn hopeless(it: &Tenant, spec: &Value) -> Result<()> {
    it.world.simulate();
    fleet(it).await?;
    let mut spec = spec.clone();
    spec["timeout"] = json!("1s");
    it.create(&it.helm_release("app", &json!({"behaviour": "hang"}), &spec)).await
}

/// Installs a release that works, and then asks for one that never gets ready.
async fn spoilt(it: &Tenant, spec: &Value) -> Result<()> {
    it.world.simulate();
    fleet(it).await?;
    install(it, &json!({"behaviour": "ready"}), &json!({})).await?;
    let mut spec = spec.clone();
    spec["upgrade"]["timeout"] = json!("1s");
    spec["values"] = json!({"behaviour": "hang"});
    it.patch(APP, &json!({ "spec": spec })).await
}

async fn a_failed_install_stays(it: Tenant) -> Result<()> {
    hopeless(&it, &json!({})).await?;
    ends(&it, &FAILED).await?;
    ensure!(states(&it).await? == ["1 failed"] && it.get(WORK).await.is_some());
    Ok(())
}

async fn a_failed_install_is_made_again(it: Tenant) -> Result<()> {
    hopeless(&it, &json!({"install": {"remediation": {"retries": 1}}})).await?;
    let app = ends(&it, &FAILED).await?;
    ensure!(app["status"]["installFailures"] == 2, "{app:#}");
    ensure!(states(&it).await? == ["1 failed"], "{:?}", states(&it).await?);
    Ok(())
}

async fn a_failed_install_is_uninstalled_and_remembered(it: Tenant) -> Result<()> {
    let spec = json!({
        "install": {"remediation": {"remediateLastFailure": true}},
        "uninstall": {"keepHistory": true},
    });
    hopeless(&it, &spec).await?;
    let wanted = [("Released", "False"), ("Ready", "False"), ("Remediated", "True")];
    ends(&it, &wanted).await?;
    ensure!(states(&it).await? == ["1 uninstalled"], "{:?}", states(&it).await?);
    ensure!(it.get(WORK).await.is_none() && it.get(CONFIG).await.is_none());
    Ok(())
}

async fn failed_tests_fail_a_release_unless_they_are_ignored(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let spec = json!({"test": {"enable": true}});
    it.create(&it.helm_release("app", &json!({"probe": "fail"}), &spec)).await?;
    let wanted = [("Released", "True"), ("TestSuccess", "False"), ("Ready", "False")];
    ends(&it, &wanted).await?;
    ensure!(states(&it).await? == ["1 deployed"], "it is neither uninstalled nor upgraded");
    it.patch(APP, &json!({"spec": {"test": {"ignoreFailures": true}}})).await?;
    let wanted = [("Released", "True"), ("TestSuccess", "False"), ("Ready", "True")];
    ends(&it, &wanted).await?;
    ensure!(states(&it).await? == ["1 deployed"], "{:?}", states(&it).await?);
    Ok(())
}

async fn a_failed_upgrade_stays(it: Tenant) -> Result<()> {
    spoilt(&it, &json!({})).await?;
    ends(&it, &FAILED).await?;
    ensure!(states(&it).await? == ["1 deployed", "2 failed"], "{:?}", states(&it).await?);
    Ok(())
}

async fn failed_tests_of_an_upgrade_stall_it(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    install(&it, &json!({"probe": "ready"}), &json!({"test": {"enable": true}})).await?;
    set(&it, &json!({"probe": "fail"})).await?;
    let wanted =
        [("Released", "True"), ("TestSuccess", "False"), ("Ready", "False"), ("Stalled", "True")];
    ends(&it, &wanted).await?;
    ensure!(states(&it).await? == ["1 superseded", "2 deployed"], "{:?}", states(&it).await?);
    Ok(())
}

async fn a_failed_upgrade_is_made_again_after_a_rollback(it: Tenant) -> Result<()> {
    spoilt(&it, &json!({"upgrade": {"remediation": {"retries": 1}}})).await?;
    let app = told(&it, "Stalled", "RetriesExceeded").await?;
    ensure!(app["status"]["upgradeFailures"] == 2, "{app:#}");
    let is = conditions(&app);
    ensure!(is["Released"] == "False" && is["Ready"] == "False", "{is:?}");
    let recorded = recorded(&it).await?;
    ensure!(recorded.len() == 5 && recorded[4] == "5 deployed Rollback to 3", "{recorded:?}");
    Ok(())
}

async fn a_failed_upgrade_may_be_uninstalled(it: Tenant) -> Result<()> {
    let remediation = json!({"remediateLastFailure": true, "strategy": "uninstall"});
    let spec = json!({"upgrade": {"remediation": remediation}, "install": {"timeout": "1s"}});
    spoilt(&it, &spec).await?;
    let app = told(&it, "Stalled", "RetriesExceeded").await?;
    ensure!(app["status"]["upgradeFailures"] == 1, "{app:#}");
    ensure!(states(&it).await?.is_empty() && it.get(CONFIG).await.is_none());
    it.request(RELEASE, "app").await?;
    let failed = |it: &Value| it["status"]["installFailures"] == 1;
    let app = it.wait(APP, "it is installed again, and fails", failed).await?;
    ensure!(app["status"]["upgradeFailures"] == 1, "{app:#}");
    ensure!(states(&it).await? == ["1 failed"], "{:?}", states(&it).await?);
    Ok(())
}

async fn a_failed_release_is_retried_without_a_rollback(it: Tenant) -> Result<()> {
    let strategy = json!({"name": "RetryOnFailure", "retryInterval": "1s"});
    spoilt(&it, &json!({"upgrade": {"strategy": strategy}})).await?;
    let again = |it: &Value| history(it).first().is_some_and(|it| it == "3 1.0.0 failed");
    it.wait(APP, "it is tried again", again).await?;
    let app = it.get(APP).await.context("it is there")?;
    ensure!(condition(&app, "Remediated").is_null() && condition(&app, "Stalled").is_null());
    set(&it, &json!({"behaviour": "ready"})).await?;
    let app = it.ready(RELEASE, "app").await?;
    ensure!(app["status"]["upgradeFailures"].is_null(), "{app:#}");
    Ok(())
}

async fn a_release_goes_where_the_spec_says(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let there = format!("{}-there", it.namespace);
    let spec = json!({"targetNamespace": there, "install": {"createNamespace": true}});
    let app = install(&it, &json!({}), &spec).await?;
    let name = format!("{there}-app");
    let objects = &it.world.objects;
    ensure!(objects.get("v1", "ConfigMap", &there, &name).await.is_some(), "{app:#}");
    ensure!(app["status"]["storageNamespace"] == it.namespace.as_str(), "{app:#}");
    ensure!(records(objects, &it.namespace, &name).await?.len() == 1);
    it.delete(APP).await?;
    ensure!(objects.get("v1", "ConfigMap", &there, &name).await.is_none());
    ensure!(objects.get("v1", "Namespace", "", &there).await.is_some(), "the namespace stays");
    Ok(())
}

async fn an_account_may_do_what_it_may(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}});
    it.create(&account).await?;
    it.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "app"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}],
    }))
    .await?;
    it.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "app"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "app"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": it.namespace}],
    }))
    .await?;
    let spec = json!({"serviceAccountName": "app", "install": {"disableWait": true}});
    install(&it, &json!({}), &spec).await?;
    let other = it.helm_release("other", &json!({"behaviour": "ready"}), &spec);
    it.create(&other).await?;
    let why = it.failing(RELEASE, "other", "InstallFailed").await?;
    ensure!(why.contains("forbidden") && why.contains("deployments"), "{why}");
    Ok(())
}

/// A CRD with a version of our own on it, as a chart has it.
fn definition(plural: &str, note: &str) -> String {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.crds.example.com"), "annotations": {"note": note}},
        "spec": {
            "group": "crds.example.com", "scope": "Namespaced",
            "names": {"kind": plural, "plural": plural, "singular": plural},
            "versions": [{"name": "v1", "served": true, "storage": true,
                          "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    })
    .to_string()
}

async fn definitions_follow_their_policy(it: Tenant) -> Result<()> {
    let repository = fleet_with(&it, &[("chart/crds/a.yaml", &definition("as", "one"))]).await?;
    let note = async |plural: &str| {
        let name = format!("{plural}.crds.example.com");
        let kind = "CustomResourceDefinition";
        let found = it.world.objects.get("apiextensions.k8s.io/v1", kind, "", &name).await;
        found.map(|it| it["metadata"]["annotations"]["note"].clone())
    };
    install(&it, &json!({}), &json!({"install": {"crds": "Skip"}})).await?;
    ensure!(note("as").await.is_none(), "Skip makes none");
    let next = async |version: &str, policy: &str| {
        let metadata = METADATA.replace("VERSION", version);
        let files = [
            ("chart/Chart.yaml", metadata),
            ("chart/crds/a.yaml", definition("as", version)),
            ("chart/crds/b.yaml", definition("bs", version)),
        ];
        repository.commit("main", files, version).await?;
        it.patch(APP, &json!({"spec": {"upgrade": {"crds": policy}}})).await?;
        it.request("GitRepository", "fleet").await?;
        let want = format!("{version} deployed");
        let newest = |it: &Value| history(it).first().is_some_and(|it| it.ends_with(&want));
        it.wait(APP, &format!("{version} is released"), newest).await
    };
    next("1.1.0", "Create").await?;
    ensure!(note("as").await == Some(json!("1.1.0")), "Create makes what is missing");
    next("1.2.0", "Create").await?;
    ensure!(note("bs").await == Some(json!("1.1.0")), "Create changes nothing");
    next("1.3.0", "CreateReplace").await?;
    ensure!(note("as").await == Some(json!("1.3.0")), "CreateReplace replaces");
    it.delete(APP).await?;
    ensure!(note("as").await.is_some(), "definitions stay");
    Ok(())
}

/// A packed chart.
fn packed(version: &str) -> Vec<u8> {
    let metadata = METADATA.replace("VERSION", version);
    archive(&[
        ("chart/Chart.yaml", metadata.as_str()),
        ("chart/values.yaml", "message: packed\nextra: packed\n"),
        ("chart/templates/config.yaml", CONFIG_MAP),
    ])
}

async fn charts_come_from_everywhere(it: Tenant) -> Result<()> {
    let web = Web::start().await?;
    web.put("/chart-1.0.0.tgz", packed("1.0.0"));
    let entry = "{apiVersion: v2, name: chart, version: 1.0.0, urls: [chart-1.0.0.tgz]}";
    web.put("/index.yaml", format!("apiVersion: v1\nentries:\n  chart:\n  - {entry}\n"));
    let spec = json!({"url": web.url(""), "interval": "1h"});
    it.create(&it.source("HelmRepository", "charts", spec, &json!({}))).await?;
    let from = json!({"kind": "HelmRepository", "name": "charts"});
    let chart = json!({"spec": {"chart": "chart", "version": "1.x", "sourceRef": from}});
    install(&it, &json!({}), &json!({ "chart": chart })).await?;
    ensure!(message(&it).await? == "packed");

    // The chart that the release has made for itself may be another's, too.
    let name = format!("{}-app", it.namespace);
    let mut other = it.helm_release("other", &json!({}), &json!({}));
    other["spec"]["chart"] = Value::Null;
    other["spec"]["chartRef"] = json!({"kind": "HelmChart", "name": name});
    it.create(&other).await?;
    it.ready(RELEASE, "other").await?;

    let none = BTreeMap::new();
    let push = |version: &str| {
        let name = format!("{}/chart", it.namespace);
        let archive = packed(version);
        let store = it.world.registry.store();
        store.publish_layers(&name, version, &[(LAYER, &archive)], &none)
    };
    let digest = push("1.0.0");
    let selector = json!({"mediaType": LAYER, "operation": "copy"});
    let spec = json!({"ref": {"semver": "1.x"}, "layerSelector": selector});
    it.create(&it.oci_repository("chart", &spec)).await?;
    let mut third = it.helm_release("third", &json!({}), &json!({}));
    third["spec"]["chart"] = Value::Null;
    third["spec"]["chartRef"] = json!({"kind": "OCIRepository", "name": "chart"});
    it.create(&third).await?;
    let third = it.ready(RELEASE, "third").await?;
    let short = &digest["sha256:".len()..][..12];
    let want = format!("1 1.0.0+{short} deployed");
    ensure!(history(&third) == [want], "{:?}", history(&third));
    ensure!(third["status"]["history"][0]["ociDigest"] == digest, "{third:#}");
    push("1.1.0");
    it.request("OCIRepository", "chart").await?;
    let newer = |it: &Value| {
        history(it).first().is_some_and(|it| it.starts_with("2 1.1.0+") && it.ends_with("deployed"))
    };
    it.wait((RELEASE, "third"), "the newer chart is released", newer).await?;
    Ok(())
}

async fn a_dependency_is_ready_by_an_expression(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let expression = "has(dep.metadata.labels) && dep.metadata.labels.open == self.metadata.name";
    let spec = json!({"dependsOn": [{"name": "base", "readyExpr": expression}]});
    it.create(&it.helm_release("base", &json!({}), &json!({}))).await?;
    it.ready(RELEASE, "base").await?;
    it.create(&it.helm_release("app", &json!({}), &spec)).await?;
    let why = it.failing(RELEASE, "app", "DependencyNotReady").await?;
    ensure!(why.contains("not ready according to readyExpr eval"), "{why}");
    it.patch((RELEASE, "base"), &json!({"metadata": {"labels": {"open": "app"}}})).await?;
    it.request(RELEASE, "app").await?;
    it.ready(RELEASE, "app").await?;

    let spec = json!({"spec": {"dependsOn": [{"name": "base", "readyExpr": "dep."}]}});
    it.patch(APP, &spec).await?;
    let app = told(&it, "Stalled", "InvalidCELExpression").await?;
    ensure!(condition(&app, "Ready")["reason"] == "InvalidCELExpression", "{app:#}");
    Ok(())
}

async fn a_labelled_secret_is_released_at_once(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    it.create(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "values", "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
        "stringData": {"values.yaml": "message: one"},
    }))
    .await?;
    let from = json!([{"kind": "Secret", "name": "values"}]);
    install(&it, &json!({}), &json!({"valuesFrom": from})).await?;
    ensure!(message(&it).await? == "one");
    let newer = json!({"data": null, "stringData": {"values.yaml": "message: two"}});
    it.patch(("Secret", "values"), &newer).await?;
    let released = |it: &Value| it["data"]["message"] == "two";
    it.wait(CONFIG, "newer values are released at once", released).await?;
    Ok(())
}

async fn the_api_server_applies_on_request(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let apply = |value: Value| json!({"metadata": {"annotations": {"helm.sluice.dev/server-side-apply": value}}});
    install(&it, &json!({"message": "one", "extra": "one"}), &json!({})).await?;
    it.patch(APP, &apply(json!("enabled"))).await?;
    it.patch(CONFIG, &json!({"data": {"theirs": "kept", "message": "edited"}})).await?;
    set(&it, &json!({"message": "two"})).await?;
    it.ready(RELEASE, "app").await?;
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    ensure!(config["data"]["message"] == "two" && config["data"]["theirs"] == "kept", "{config:#}");
    let managers = config["metadata"]["managedFields"].as_array();
    let ours = |it: &&Value| it["manager"] == "helm-controller" && it["operation"] == "Apply";
    let applied = managers.into_iter().flatten().find(ours);
    ensure!(
        applied.is_some_and(|it| it["fieldsV1"]["f:data"]["f:message"].is_object()),
        "{config}"
    );
    // What was installed without it is the API server's to take away now.
    let patch = "- {op: remove, path: /data/extra}";
    let patches = json!([{"target": {"kind": "ConfigMap"}, "patch": patch}]);
    it.patch(APP, &json!({"spec": {"postRenderers": [{"kustomize": {"patches": patches}}]}}))
        .await?;
    let gone = |it: &Value| it["data"]["extra"].is_null() && it["data"]["theirs"] == "kept";
    it.wait(CONFIG, "what is no longer wanted goes", gone).await?;

    it.patch(APP, &apply(json!("always"))).await?;
    it.request(RELEASE, "app").await?;
    let app = told(&it, "Stalled", "InvalidAnnotation").await?;
    ensure!(condition(&app, "Ready")["status"] == "False", "{app:#}");
    it.patch(APP, &apply(Value::Null)).await?;
    it.request(RELEASE, "app").await?;
    it.ready(RELEASE, "app").await?;
    Ok(())
}

async fn custom_resources_are_waited_for_by_expressions(it: Tenant) -> Result<()> {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.health.example.com"},
        "spec": {
            "group": "health.example.com", "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                          "schema": {"openAPIV3Schema": schema}}],
        },
    });
    it.world.objects.apply_crd(&definition).await?;
    let thing = "apiVersion: health.example.com/v1\nkind: Thing\nmetadata: {name: thing}\n\
                 spec: {size: '{{ .Values.message }}'}\n";
    fleet_with(&it, &[("chart/templates/thing.yaml", thing)]).await?;
    let checks = "- apiVersion: health.example.com/v1\n  kind: Thing\n  \
                  current: status.phase == 'Running'\n  failed: status.phase == 'Broken'\n";
    let mut release = it.helm_release("app", &json!({"message": "one"}), &json!({}));
    release["metadata"]["annotations"] = json!({"helm.sluice.dev/health-check-exprs": checks});
    it.create(&release).await?;
    let waits = |it: &Value| {
        condition(it, "Reconciling")["message"]
            .as_str()
            .is_some_and(|it| it.starts_with("Running 'install' action"))
    };
    it.wait(APP, "the installation waits", waits).await?;
    let objects = &it.world.objects;
    let there = || async { objects.get(THING.0, THING.1, &it.namespace, "thing").await.is_some() };
    objects.eventually("the thing is there", there).await?;
    let phase = async |phase: &str| {
        let patch = json!({"status": {"phase": phase}});
        objects.patch(THING, (&it.namespace, "thing"), &patch).await
    };
    phase("Running").await?;
    it.ready(RELEASE, "app").await?;

    phase("Broken").await?;
    set(&it, &json!({"message": "two"})).await?;
    let app = told(&it, "Released", "UpgradeFailed").await?;
    let why = condition(&app, "Released")["message"].to_string();
    ensure!(why.contains("Thing has failed"), "{why}");
    let bad = json!({"helm.sluice.dev/health-check-exprs": checks.replace("==", "=")});
    it.patch(APP, &json!({"metadata": {"annotations": bad}})).await?;
    it.request(RELEASE, "app").await?;
    told(&it, "Stalled", "InvalidCELExpression").await?;
    Ok(())
}

/// Another cluster is one of `sluice up`, whose kubeconfig is in a Secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_to_another_cluster() -> Result<()> {
    let it = crate::alone("other-cluster").await?;
    fleet(&it).await?;
    let mut other = Process::new()?;
    other.spawn(&["--watch-label-selector=reconciled-by=nobody-here"])?;
    let there = other.answers().await?;
    there.namespace(&it.namespace).await?;
    let kubeconfig = std::fs::read_to_string(other.path("data").join("kubeconfig"))?;
    it.secret("other", &[("value", &kubeconfig)]).await?;
    let spec = json!({"kubeConfig": {"secretRef": {"name": "other"}}});
    install(&it, &json!({"message": "one"}), &spec).await?;
    ensure!(it.get(CONFIG).await.is_none(), "nothing of it is here");
    let get = || async { there.get("v1", "ConfigMap", &it.namespace, "app").await };
    let config = get().await.context("the ConfigMap is there")?;
    ensure!(config["data"]["message"] == "one", "{config}");
    ensure!(records(&there, &it.namespace, "app").await?.len() == 1, "its record is there, too");
    set(&it, &json!({"message": "two"})).await?;
    it.ready(RELEASE, "app").await?;
    ensure!(get().await.is_some_and(|it| it["data"]["message"] == "two"));
    it.delete(APP).await?;
    ensure!(get().await.is_none(), "it is uninstalled");
    Ok(())
}

/// A namespace goes with all that is in it, though the account that could uninstall the release may
/// go first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_is_deleted_with_its_releases() -> Result<()> {
    let it = crate::alone("deleted").await?;
    fleet(&it).await?;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}});
    it.create(&account).await?;
    it.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "app"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": it.namespace}],
    }))
    .await?;
    install(&it, &json!({}), &json!({"serviceAccountName": "app"})).await?;
    let objects = &it.world.objects;
    objects.delete(("v1", "Namespace"), ("", &it.namespace)).await?;
    let gone = || async { objects.get("v1", "Namespace", "", &it.namespace).await.is_none() };
    objects.eventually("the namespace is gone", gone).await
}
