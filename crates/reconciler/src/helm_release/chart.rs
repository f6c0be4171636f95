//! The HelmChart that a release has made for itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::helm::{HelmRelease, OWNER_NAME, OWNER_NAMESPACE};
use api::reason;
use api::source::HelmChart;
use apply::{Action, Cluster};
use controller::Event;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::run::Run;
use super::source::denied;
use super::spec::own_namespace;
use super::{GROUP, Options};

/// Why there is no HelmChart.
#[derive(Debug)]
pub(super) enum Unmade {
    /// It may not be there.
    Denied(String),
    /// It could not be made, changed or deleted.
    Failed(String),
}

/// Namespace and name of the HelmChart that the spec asks for.
pub(super) fn place(it: &HelmRelease) -> Option<(String, String)> {
    let own = own_namespace(it);
    let chart = it.spec.chart.as_ref()?;
    let named = chart.spec.source_ref.namespace.clone().filter(|given| !given.is_empty());
    let name = format!("{own}-{}", it.name_any());
    Some((named.unwrap_or(own), name))
}

/// Where the HelmChart is written, and what is known of it.
pub(super) struct Sync<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) options: &'a Options,
    /// The HelmChart as it was seen last.
    pub(super) known: Option<Arc<HelmChart>>,
    /// The HelmChart as it was applied last by this process.
    pub(super) applied: &'a mut Option<Value>,
}

/// Makes the HelmChart, brings it up to date, or deletes one that is no longer asked for. The API
/// server is not asked about one that is seen to be as it was applied.
///
/// # Errors
/// [`Unmade`], also because it would be in a namespace where it may not be.
pub(super) async fn sync(run: &mut Run<'_>, with: Sync<'_>) -> Result<(), Unmade> {
    let Sync { cluster, options, known: seen, applied } = with;
    let wanted = place(run.it);
    let known = run.status.helm_chart.clone().filter(|it| !it.is_empty());
    let shown = wanted.as_ref().map(|(namespace, name)| format!("{namespace}/{name}"));
    if known.is_some() && known != shown {
        delete(run, cluster.client(), options).await?;
    }
    let (Some((namespace, name)), Some(shown)) = (wanted, shown) else { return Ok(()) };
    if options.no_cross_namespace_refs && namespace != own_namespace(run.it) {
        return Err(Unmade::Denied(denied("HelmChart", &namespace, &name)));
    }
    let object = object(run.it, &namespace, &name);
    let is_same = |seen: Arc<HelmChart>| applied.as_ref() == Some(&object) && holds(&seen, &object);
    if seen.is_some_and(is_same) {
        run.status.helm_chart = Some(shown);
        return Ok(());
    }
    *applied = None;
    let wanted_object = object.clone();
    let failed = |why: String| format!("failed to run server-side apply: {why}");
    let options = apply::Options {
        group: GROUP.to_owned(),
        force: false,
        concurrency: 1,
        override_managers: Vec::new(),
    };
    let written = match cluster.compare(vec![object], &options).await {
        Ok(comparison) => cluster.write(comparison).await,
        Err(why) => return Err(told(run, failed(why.to_string()))),
    };
    if let Some(why) = written.error {
        return Err(told(run, failed(why.to_string())));
    }
    for change in written.changes {
        let (verb, reason) = match change.action {
            Action::Created => ("Created", reason::HELM_CHART_CREATED),
            Action::Configured => ("Configured", reason::HELM_CHART_CONFIGURED),
            Action::Unchanged | Action::Deleted | Action::Skipped => continue,
        };
        let source = run.it.spec.chart.as_ref().map(|chart| &chart.spec.source_ref);
        let (kind, name) = source.map(|it| (&*it.kind, &*it.name)).unwrap_or_default();
        let id = change.entry.id;
        let message = format!("{verb} {id} with SourceRef '{kind}/{}/{name}'", id.namespace);
        run.tell(Event::trace(reason, message));
    }
    *applied = Some(wanted_object);
    run.status.helm_chart = Some(shown);
    Ok(())
}

/// Whether a HelmChart has everything that is wanted of it.
fn holds(seen: &HelmChart, wanted: &Value) -> bool {
    fn covers(have: &Value, want: &Value) -> bool {
        match (have, want) {
            (Value::Object(have), Value::Object(want)) => {
                want.iter().all(|(key, want)| have.get(key).is_some_and(|have| covers(have, want)))
            }
            (have, want) => have == want,
        }
    }
    let is_leaving = seen.metadata.deletion_timestamp.is_some();
    let seen = json!({"metadata": seen.metadata, "spec": seen.spec});
    !is_leaving && ["metadata", "spec"].iter().all(|part| covers(&seen[part], &wanted[part]))
}

fn told(run: &mut Run<'_>, why: String) -> Unmade {
    run.tell(Event::trace(reason::HELM_CHART_SYNC_ERROR, why.clone()));
    Unmade::Failed(why)
}

/// Deletes the HelmChart that the status tells of.
///
/// # Errors
/// [`Unmade`] if that is not allowed or fails.
pub(super) async fn delete(
    run: &mut Run<'_>,
    client: &Client,
    options: &Options,
) -> Result<(), Unmade> {
    let Some(known) = run.status.helm_chart.clone() else { return Ok(()) };
    let (namespace, name) = known.split_once('/').unwrap_or_default();
    if options.no_cross_namespace_refs && namespace != own_namespace(run.it) {
        return Err(Unmade::Denied(denied("HelmChart", namespace, name)));
    }
    let charts = Api::<HelmChart>::namespaced(client.clone(), namespace);
    match charts.delete(name, &kube::api::DeleteParams::default()).await {
        Ok(_) => {
            let message = format!("deleted HelmChart '{known}'");
            run.tell(Event::trace(reason::HELM_CHART_DELETED, message));
        }
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(kube::Error::Api(status)) => {
            let why = &status.message;
            return Err(Unmade::Failed(format!("failed to delete HelmChart '{known}': {why}")));
        }
        Err(why) => {
            return Err(Unmade::Failed(format!("failed to delete HelmChart '{known}': {why}")));
        }
    }
    run.status.helm_chart = None;
    Ok(())
}

/// The HelmChart that the spec asks for.
fn object(it: &HelmRelease, namespace: &str, name: &str) -> Value {
    let template = it.spec.chart.clone().unwrap_or_default();
    let (metadata, spec) = (template.metadata.unwrap_or_default(), template.spec);
    let owner = BTreeMap::from([
        (OWNER_NAME.to_owned(), it.name_any()),
        (OWNER_NAMESPACE.to_owned(), own_namespace(it)),
    ]);
    let mut labels = metadata.labels.unwrap_or_default();
    labels.extend(owner);
    let source = spec.source_ref;
    let mut wanted = json!({
        "chart": spec.chart,
        "sourceRef": {"kind": source.kind, "name": source.name},
        "interval": spec.interval.unwrap_or_else(|| it.spec.interval.clone()),
    });
    for (field, value) in [
        ("version", json!(spec.version)),
        ("reconcileStrategy", json!(spec.reconcile_strategy)),
        ("valuesFiles", json!(spec.values_files.filter(|files| !files.is_empty()))),
        ("ignoreMissingValuesFiles", json!(spec.ignore_missing_values_files.filter(|it| *it))),
        ("verify", json!(spec.verify)),
    ] {
        if !value.is_null() {
            wanted[field] = value;
        }
    }
    let mut object = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": wanted,
    });
    if let Some(annotations) = metadata.annotations {
        object["metadata"]["annotations"] = json!(annotations);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_that_was_touched_does_not_hold() {
        let release: HelmRelease = serde_json::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "app", "namespace": "apps"},
            "spec": {"interval": "1h", "chart": {"spec": {
                "chart": "./chart", "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            }}},
        }))
        .unwrap();
        let wanted = object(&release, "apps", "apps-app");
        let seen = |path: &str, value: Value| -> HelmChart {
            let mut seen = wanted.clone();
            seen["metadata"]["uid"] = json!("1");
            seen["spec"]["reconcileStrategy"] = json!("ChartVersion");
            if let Some(field) = seen.pointer_mut(path) {
                *field = value;
            }
            serde_json::from_value(seen).unwrap()
        };
        assert!(holds(&seen("/none", Value::Null), &wanted));
        assert!(!holds(&seen("/spec/chart", json!("./other")), &wanted));
        assert!(!holds(&seen("/metadata/labels", json!({})), &wanted));
        let mut leaving = seen("/none", Value::Null);
        leaving.metadata.deletion_timestamp = Some(api::meta::time(jiff::Timestamp::UNIX_EPOCH));
        assert!(!holds(&leaving, &wanted));
    }
}
