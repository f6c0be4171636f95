//! HelmRelease: from a chart to objects, and back.

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};
use world::{git::Repository, simulator::BEHAVIOUR};

pub(crate) const RELEASE: &str = "HelmRelease";
pub(crate) const APP: (&str, &str) = (RELEASE, "app");
/// The one object that every release of the chart has.
pub(crate) const CONFIG: (&str, &str) = ("ConfigMap", "app");
pub(crate) const WORK: (&str, &str) = ("Deployment", "app");

/// The annotation that keeps a release where it is.
const KEEP: &str = "helm.sluice.dev/keep-when-moved";

pub(crate) const METADATA: &str = "apiVersion: v2\nname: chart\nversion: VERSION\n";

pub(crate) const CONFIG_MAP: &str = r"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  message: {{ .Values.message }}
  extra: {{ .Values.extra | quote }}
  version: {{ .Chart.Version }}
";

const DEPLOYMENT: &str = r"{{- with .Values.behaviour }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}
spec:
  selector: {matchLabels: {app: {{ $.Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ $.Release.Name }}}
      annotations: {simulator.sluice.dev/behaviour: {{ . }}}
    spec: {containers: [{name: app, image: app}]}
{{- end }}
";

/// A Job that is a hook, if the value of its name says how it behaves.
fn hook(name: &str, events: &str) -> String {
    format!(
        r"{{{{- with .Values.{name} }}}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{{{ $.Release.Name }}}}-{name}
  annotations:
    helm.sh/hook: {events}
    simulator.sluice.dev/behaviour: {{{{ . }}}}
spec:
  backoffLimit: 0
  template:
    spec: {{restartPolicy: Never, containers: [{{name: app, image: app}}]}}
{{{{- end }}}}
"
    )
}

scenarios![
    a_chart_and_its_values_are_followed,
    a_failed_upgrade_is_rolled_back,
    a_failed_install_is_uninstalled,
    a_wait_holds_nobody_and_yields_to_newer_values,
    hooks_come_first_and_tests_count,
    drift_is_told_or_corrected,
    a_deleted_release_leaves_nothing,
    a_release_that_moves_is_kept_on_request,
    values_come_from_everywhere,
    what_is_rendered_is_adapted,
    dependencies_come_first,
];

/// A repository with the chart, and its source.
pub(crate) async fn fleet(it: &Tenant) -> Result<Repository> {
    fleet_with(it, &[]).await
}

/// The same with more files.
pub(crate) async fn fleet_with(it: &Tenant, more: &[(&str, &str)]) -> Result<Repository> {
    let metadata = METADATA.replace("VERSION", "1.0.0");
    let (pre, test) = (hook("before", "pre-install,pre-upgrade"), hook("probe", "test"));
    let repository = it
        .files(
            [
                ("chart/Chart.yaml", metadata.as_str()),
                ("chart/values.yaml", "message: chart\nextra: chart\n"),
                ("chart/templates/config-map.yaml", CONFIG_MAP),
                ("chart/templates/deployment.yaml", DEPLOYMENT),
                ("chart/templates/before.yaml", pre.as_str()),
                ("chart/templates/probe.yaml", test.as_str()),
            ]
            .into_iter()
            .chain(more.iter().copied()),
        )
        .await?;
    it.create(&it.git_repository(&json!({}))).await?;
    Ok(repository)
}

/// Creates a release and waits until it is ready.
pub(crate) async fn install(it: &Tenant, values: &Value, spec: &Value) -> Result<Value> {
    it.create(&it.helm_release("app", values, spec)).await?;
    it.ready(RELEASE, "app").await
}

pub(crate) async fn set(it: &Tenant, values: &Value) -> Result<()> {
    it.patch(APP, &json!({"spec": {"values": values}})).await
}

pub(crate) async fn message(it: &Tenant) -> Result<Value> {
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    Ok(config["data"]["message"].clone())
}

/// Versions of the release in its history with how they stand, newest first.
pub(crate) fn history(it: &Value) -> Vec<String> {
    let history = it["status"]["history"].as_array();
    let shown = |it: &Value| format!("{} {} {}", it["version"], it["chartVersion"], it["status"]);
    history.into_iter().flatten().map(|it| shown(it).replace('"', "")).collect()
}

/// Waits for a condition with this reason at the current generation.
pub(crate) async fn told(it: &Tenant, of: &str, reason: &str) -> Result<Value> {
    let holds = |it: &Value| {
        let found = condition(it, of);
        found["reason"] == reason && found["observedGeneration"] == it["metadata"]["generation"]
    };
    it.wait(APP, &format!("{of} is {reason}"), holds).await
}

async fn a_chart_and_its_values_are_followed(it: Tenant) -> Result<()> {
    let repository = fleet(&it).await?;
    let app = install(&it, &json!({"message": "one"}), &json!({})).await?;
    ensure!(history(&app) == ["1 1.0.0 deployed"], "{:?}", history(&app));
    ensure!(message(&it).await? == "one");
    it.request(RELEASE, "app").await?;
    let app = it.ready(RELEASE, "app").await?;
    ensure!(history(&app) == ["1 1.0.0 deployed"], "a request alone: {:?}", history(&app));

    set(&it, &json!({"message": "two"})).await?;
    let app = it.ready(RELEASE, "app").await?;
    let both = ["2 1.0.0 deployed", "1 1.0.0 superseded"];
    ensure!(history(&app) == both, "{:?}", history(&app));
    ensure!(message(&it).await? == "two");

    let metadata = METADATA.replace("VERSION", "1.1.0");
    repository.commit("main", [("chart/Chart.yaml", metadata.as_str())], "newer").await?;
    it.request("GitRepository", "fleet").await?;
    let newest = |it: &Value| history(it).first().is_some_and(|it| it == "3 1.1.0 deployed");
    it.wait(APP, "the newer chart is released", newest).await?;
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    ensure!(config["data"]["version"] == "1.1.0", "{config}");
    Ok(())
}

async fn a_failed_upgrade_is_rolled_back(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let remediation = json!({"remediateLastFailure": true});
    let spec = json!({"upgrade": {"timeout": "2s", "remediation": remediation}});
    install(&it, &json!({"message": "one", "behaviour": "ready"}), &spec).await?;
    set(&it, &json!({"message": "two", "behaviour": "hang"})).await?;
    let app = told(&it, "Stalled", "RetriesExceeded").await?;
    let remediated = condition(&app, "Remediated");
    ensure!(remediated["reason"] == "RollbackSucceeded", "{remediated}");
    ensure!(condition(&app, "Released")["reason"] == "UpgradeFailed", "{app:#}");
    let all = ["3 1.0.0 deployed", "2 1.0.0 failed", "1 1.0.0 superseded"];
    ensure!(history(&app) == all, "{:?}", history(&app));
    ensure!(message(&it).await? == "one");
    let work = it.get(WORK).await.context("the Deployment is there")?;
    let template = &work["spec"]["template"];
    ensure!(template["metadata"]["annotations"][BEHAVIOUR] == "ready", "{work}");

    set(&it, &json!({"message": "three", "behaviour": "ready"})).await?;
    let app = it.ready(RELEASE, "app").await?;
    ensure!(condition(&app, "Stalled").is_null() && message(&it).await? == "three", "{app:#}");
    Ok(())
}

async fn a_failed_install_is_uninstalled(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let remediation = json!({"remediateLastFailure": true});
    let spec = json!({"install": {"timeout": "2s", "remediation": remediation}});
    it.create(&it.helm_release("app", &json!({"behaviour": "fail"}), &spec)).await?;
    let app = told(&it, "Stalled", "RetriesExceeded").await?;
    let remediated = condition(&app, "Remediated");
    ensure!(remediated["reason"] == "UninstallSucceeded", "{remediated}");
    ensure!(it.get(CONFIG).await.is_none() && it.get(WORK).await.is_none(), "something is left");

    set(&it, &json!({"behaviour": "ready"})).await?;
    it.ready(RELEASE, "app").await?;
    ensure!(message(&it).await? == "chart");
    Ok(())
}

async fn a_wait_holds_nobody_and_yields_to_newer_values(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let waiting: Vec<String> = (0..12).map(|n| format!("waiting-{n}")).collect();
    let hang = json!({"behaviour": "hang"});
    for name in &waiting {
        it.create(&it.helm_release(name, &hang, &json!({"timeout": "1h"}))).await?;
    }
    for name in &waiting {
        it.wait(("Deployment", name), "it is there", |_| true).await?;
    }
    install(&it, &json!({}), &json!({})).await?;
    let patch = json!({"spec": {"values": {"behaviour": "ready"}}});
    it.patch((RELEASE, "waiting-0"), &patch).await?;
    let app = it.ready(RELEASE, "waiting-0").await?;
    let newest = history(&app).first().cloned().unwrap_or_default();
    ensure!(newest.ends_with("deployed"), "{:?}", history(&app));
    Ok(())
}

async fn hooks_come_first_and_tests_count(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let values = json!({"before": "hang", "probe": "ready"});
    let spec = json!({"test": {"enable": true}});
    it.create(&it.helm_release("app", &values, &spec)).await?;
    let job = ("Job", "app-before");
    it.wait(job, "the hook runs", |it| it["status"]["active"] == 1).await?;
    ensure!(it.get(CONFIG).await.is_none(), "the release does not wait for its hook");
    for pod in it.world.objects.list("v1", "Pod", &it.namespace).await? {
        let name = pod["metadata"]["name"].as_str().context("a Pod has a name")?;
        it.patch(("Pod", name), &json!({"metadata": {"annotations": {BEHAVIOUR: "ready"}}}))
            .await?;
    }
    let app = it.ready(RELEASE, "app").await?;
    ensure!(condition(&app, "TestSuccess")["status"] == "True", "{app:#}");

    set(&it, &json!({"before": "ready", "probe": "fail"})).await?;
    let app = told(&it, "TestSuccess", "TestFailed").await?;
    ensure!(condition(&app, "Ready")["status"] == "False", "{app:#}");
    Ok(())
}

async fn drift_is_told_or_corrected(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let ignore = json!([{"paths": ["/data/extra"], "target": {"kind": "ConfigMap"}}]);
    let spec = json!({"driftDetection": {"mode": "warn", "ignore": ignore}});
    install(&it, &json!({"message": "one"}), &spec).await?;
    let edit = json!({"data": {"message": "edited", "extra": "edited"}});
    it.patch(CONFIG, &edit).await?;
    it.request(RELEASE, "app").await?;
    it.event(RELEASE, "app", "DriftDetected").await?;
    ensure!(message(&it).await? == "edited", "warning changes nothing");

    it.patch(APP, &json!({"spec": {"driftDetection": {"mode": "enabled"}}})).await?;
    it.event(RELEASE, "app", "DriftCorrected").await?;
    it.ready(RELEASE, "app").await?;
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    ensure!(config["data"]["message"] == "one" && config["data"]["extra"] == "edited", "{config}");

    it.world.objects.delete(("v1", CONFIG.0), (&it.namespace, CONFIG.1)).await?;
    it.request(RELEASE, "app").await?;
    ensure!(message(&it).await? == "one", "what was deleted is made again");
    Ok(())
}

async fn a_deleted_release_leaves_nothing(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    install(&it, &json!({}), &json!({})).await?;
    let record = ("Secret", "sh.helm.release.v1.app.v1");
    ensure!(it.get(record).await.is_some(), "the release has a record");
    it.delete(APP).await?;
    ensure!(it.get(CONFIG).await.is_none(), "the ConfigMap is left");
    ensure!(it.get(record).await.is_none(), "the record is left");
    Ok(())
}

async fn a_release_that_moves_is_kept_on_request(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    install(&it, &json!({}), &json!({})).await?;
    let keep = |value: Value| json!({"metadata": {"annotations": {KEEP: value}}});
    it.patch(APP, &keep(json!("enabled"))).await?;
    it.patch(APP, &json!({"spec": {"releaseName": "other"}})).await?;
    let why = it.failing(RELEASE, "app", "ReleaseMoved").await?;
    ensure!(why.contains("release name") && why.contains(KEEP), "{why}");
    ensure!(it.get(CONFIG).await.is_some(), "the release is uninstalled");

    it.patch(APP, &keep(Value::Null)).await?;
    it.request(RELEASE, "app").await?;
    it.ready(RELEASE, "app").await?;
    ensure!(it.get(CONFIG).await.is_none(), "the release is left");
    ensure!(it.get(("ConfigMap", "other")).await.is_some(), "it is released under its new name");
    Ok(())
}

async fn values_come_from_everywhere(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    it.create(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"},
        "data": {"values.yaml": "message: reference\nextra: reference\n"},
    }))
    .await?;
    it.secret("values", &[("token", "secret")]).await?;
    let from = json!([
        {"kind": "ConfigMap", "name": "values"},
        {"kind": "Secret", "name": "values", "valuesKey": "token", "targetPath": "extra"},
        {"kind": "Secret", "name": "absent", "optional": true},
    ]);
    install(&it, &json!({"message": "inline"}), &json!({"valuesFrom": from})).await?;
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    ensure!(config["data"]["message"] == "inline", "{config}");
    ensure!(config["data"]["extra"] == "secret", "{config}");

    it.patch(("Secret", "values"), &json!({"data": null, "stringData": {"token": "newer"}}))
        .await?;
    it.request(RELEASE, "app").await?;
    let newer = |it: &Value| it["data"]["extra"] == "newer";
    it.wait(CONFIG, "a newer value is released", newer).await?;
    Ok(())
}

async fn what_is_rendered_is_adapted(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let patch = "- {op: replace, path: /data/message, value: patched}";
    let patches = json!([{"target": {"kind": "ConfigMap"}, "patch": patch}]);
    let spec = json!({
        "postRenderers": [{"kustomize": {"patches": patches}}],
        "commonMetadata": {"labels": {"team": "a"}},
    });
    install(&it, &json!({"message": "one"}), &spec).await?;
    let config = it.get(CONFIG).await.context("the ConfigMap is there")?;
    ensure!(config["data"]["message"] == "patched", "{config}");
    let labels = &config["metadata"]["labels"];
    ensure!(labels["team"] == "a", "{config}");
    ensure!(labels["app.kubernetes.io/managed-by"] == "Helm", "{config}");
    ensure!(labels["helm.toolkit.fluxcd.io/name"] == "app", "{config}");
    Ok(())
}

async fn dependencies_come_first(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    let spec = json!({"dependsOn": [{"name": "base"}]});
    it.create(&it.helm_release("app", &json!({}), &spec)).await?;
    it.failing(RELEASE, "app", "DependencyNotReady").await?;
    ensure!(it.get(CONFIG).await.is_none(), "it is released before its dependency");
    it.create(&it.helm_release("base", &json!({}), &json!({}))).await?;
    it.ready(RELEASE, "app").await?;
    Ok(())
}
