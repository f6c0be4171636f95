//! What each HelmRelease among the objects installs, where their chart is in the repository.

use std::collections::BTreeMap;

use helm::{
    chart::{Chart, File},
    render::{self, Options},
    values::Values,
};
use serde_json::Value;

use super::{Builds, Object, files::Files};

/// Adds the contents of the releases that change. Those of other sources are named.
pub(super) fn contents(
    (before, old): (&Files, &Vec<Value>),
    (after, new): (&Files, &Vec<Value>),
    source: &(String, String),
    builds: &mut Builds,
) {
    let (old_releases, new_releases) = (releases(old), releases(new));
    let names =
        old_releases.keys().chain(new_releases.keys().filter(|it| !old_releases.contains_key(*it)));
    for name in names {
        let (was, is) = (old_releases.get(name).copied(), new_releases.get(name).copied());
        let chart = is.or(was).and_then(|it| chart_of(it, source).ok());
        if was == is && !chart.is_some_and(|folder| after.touches(&folder)) {
            continue;
        }
        let by = format!("HelmRelease/{name}");
        let of = |it: Option<&Value>, files| {
            it.map_or(Ok(Vec::new()), |it| installed(it, files, source))
        };
        match (of(was, before), of(is, after)) {
            (Ok(old), Ok(new)) => {
                let object = |value: Value| Object { by: by.clone(), value };
                builds.before.extend(old.into_iter().map(object));
                builds.after.extend(new.into_iter().map(object));
            }
            (old, new) => {
                let why = old.err().or(new.err()).unwrap_or_default();
                builds.notes.insert(format!("{by}: what it installs is not shown: {why}"));
            }
        }
    }
}

/// The releases among objects, by namespace and name.
fn releases(objects: &[Value]) -> BTreeMap<String, &Value> {
    let is_release = |it: &&Value| {
        let version = it["apiVersion"].as_str().unwrap_or_default();
        it["kind"] == "HelmRelease" && version.starts_with("helm.toolkit.fluxcd.io/")
    };
    let name = |it: &Value| {
        let text = |key: &str| it["metadata"][key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", text("namespace"), text("name"))
    };
    objects.iter().filter(is_release).map(|it| (name(it), it)).collect()
}

/// The folder of the chart, if it is in the repository that is built.
fn chart_of(it: &Value, (namespace, name): &(String, String)) -> Result<String, String> {
    let spec = &it["spec"]["chart"]["spec"];
    let from = if spec.is_null() { &it["spec"]["chartRef"] } else { &spec["sourceRef"] };
    let own = it["metadata"]["namespace"].as_str().unwrap_or_default();
    let from_namespace = from["namespace"].as_str().unwrap_or(own);
    let kind = from["kind"].as_str().unwrap_or_default();
    if kind != "GitRepository" || from["name"] != **name || from_namespace != namespace {
        let from = from["name"].as_str().unwrap_or_default();
        return Err(format!("its chart comes from {kind} {from_namespace}/{from}"));
    }
    Ok(pipeline::path::clean(spec["chart"].as_str().unwrap_or_default()))
}

/// What a release installs.
fn installed(it: &Value, files: &Files, source: &(String, String)) -> Result<Vec<Value>, String> {
    let folder = chart_of(it, source)?;
    if it["spec"]["valuesFrom"].as_array().is_some_and(|all| !all.is_empty()) {
        return Err("it takes values from Secrets or ConfigMaps".to_owned());
    }
    let all = files.below(&folder).into_iter().map(|(name, data)| File::new(name, data)).collect();
    let mut chart = Chart::from_folder(all).map_err(|why| why.to_string())?;
    let named = it["spec"]["chart"]["spec"]["valuesFiles"].as_array().into_iter().flatten();
    let mut defaults: Option<Values> = None;
    for path in named.filter_map(Value::as_str) {
        let path = pipeline::path::clean(path);
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", &path));
        let text = files.below(folder).remove(name.trim_end_matches('/'));
        let text = text.ok_or_else(|| format!("there is no values file {path}"))?;
        let values = helm::values::parse(&text).map_err(|why| why.to_string())?;
        helm::values::merge(defaults.get_or_insert_default(), &values);
    }
    if let Some(defaults) = defaults {
        chart.values = defaults;
    }
    let missing = helm::requirement::missing(&chart);
    if let Some(missing) = missing.first() {
        return Err(format!("chart {} is not in its folder", missing.name));
    }
    let values = helm::values::from_json(it["spec"]["values"].clone());
    let rendered =
        render::render(chart, &values, &options(it)).map_err(|why| why.error.to_string())?;
    let object = |text: &str| {
        let value = yaml::parse(text).map_err(|why| why.to_string())?;
        let json = value.to_json().map_err(|why| why.to_string())?;
        serde_json::from_str::<Value>(&json).map_err(|why| why.to_string())
    };
    let namespace = options(it).release.namespace;
    let mut objects = Vec::new();
    for manifest in &rendered.manifests {
        let mut value = object(&manifest.content)?;
        if value["metadata"]["namespace"].is_null() && value["metadata"].is_object() {
            value["metadata"]["namespace"] = namespace.clone().into();
        }
        objects.push(value);
    }
    Ok(objects)
}

fn options(it: &Value) -> Options {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (spec, metadata) = (&it["spec"], &it["metadata"]);
    let own = text(&metadata["namespace"]).unwrap_or_default();
    let target = text(&spec["targetNamespace"]);
    let name = text(&metadata["name"]).unwrap_or_default();
    let usual = target.as_ref().map_or_else(|| name.clone(), |target| format!("{target}-{name}"));
    let name = text(&spec["releaseName"]).unwrap_or(usual);
    Options::new(&name, &target.unwrap_or(own))
}
