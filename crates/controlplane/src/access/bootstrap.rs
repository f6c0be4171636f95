//! The roles and bindings that every API server has.
//!
//! `bootstrap.jsonl` is what kube-apiserver 1.34 makes in an empty cluster, an object a line.

use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::rule::{Rule, lacking};
use crate::Error;
use crate::api::Api;
use crate::catalog::Index;
use crate::object::{Target, Write};
use crate::store;

const OBJECTS: &str = include_str!("bootstrap.jsonl");
const GROUP: &str = "rbac.authorization.k8s.io";
/// Whether a start brings an object up to date.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// Makes what is missing, and gives what is there the rules, subjects and labels it lacks, as every
/// start of kube-apiserver does.
pub(crate) fn ensure(api: &Api) -> Result<(), Error> {
    let failed = |why: String| Error::Start(format!("default roles: {why}"));
    let index = api.catalog.index();
    let write = Write { manager: "kube-apiserver".to_owned(), ..Write::default() };
    let mut missing = Vec::new();
    for line in OBJECTS.lines() {
        let object: Value = serde_json::from_str(line).map_err(|e| failed(e.to_string()))?;
        let target = target(&index, &object)
            .ok_or_else(|| failed("their resources are not served".to_owned()))?;
        match api.store.get(&target.resource.store, &target.path()) {
            None => missing.push((target, object)),
            Some(live) if is_current(&live.value(), &object) => {}
            Some(_) => api
                .amend(&target, |live| complete(live, &object))
                .map_err(|refused| failed(refused.body().to_string()))?,
        }
    }
    // All at once, so that they are written to disk together.
    let made =
        missing.into_iter().map(async |(target, object)| api.create(&target, object, &write).await);
    for made in store::wait(join_all(made)) {
        made.map_err(|refused| failed(refused.body().to_string()))?;
    }
    Ok(())
}

fn target(index: &Index, object: &Value) -> Option<Target> {
    let plural = format!("{}s", object["kind"].as_str()?.to_lowercase());
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    let resource = index.find(GROUP, "v1", &plural)?.clone();
    Some(Target {
        resource,
        namespace: text("namespace"),
        name: text("name"),
        subresource: String::new(),
    })
}

fn is_current(live: &Value, wanted: &Value) -> bool {
    let mut completed = live.clone();
    complete(&mut completed, wanted);
    completed == *live
}

/// Adds what `live` lacks of `wanted`, unless its owner does not want that.
fn complete(live: &mut Value, wanted: &Value) {
    if live["metadata"]["annotations"][AUTO_UPDATE] == "false" {
        return;
    }
    for key in ["labels", "annotations"] {
        let Some(members) = wanted["metadata"][key].as_object() else { continue };
        if !live["metadata"][key].is_object() {
            live["metadata"][key] = Value::Object(Map::new());
        }
        for (name, value) in members {
            if live["metadata"][key][name].is_null() {
                live["metadata"][key][name] = value.clone();
            }
        }
    }
    let lacking_rules = lacking(&Rule::all(live), &Rule::all(wanted));
    append(live, "rules", lacking_rules.iter().map(Rule::value));
    let subjects = wanted["subjects"].as_array().into_iter().flatten();
    let lacking_subjects: Vec<_> =
        subjects.filter(|s| !contains(&live["subjects"], s)).cloned().collect();
    append(live, "subjects", lacking_subjects);
    if wanted["aggregationRule"].is_object() && live["aggregationRule"].is_null() {
        live["aggregationRule"] = wanted["aggregationRule"].clone();
    }
}

fn contains(list: &Value, item: &Value) -> bool {
    list.as_array().is_some_and(|items| items.contains(item))
}

fn append(object: &mut Value, key: &str, items: impl IntoIterator<Item = Value>) {
    let items: Vec<Value> = items.into_iter().collect();
    if items.is_empty() {
        return;
    }
    let mut all = object[key].as_array().cloned().unwrap_or_default();
    all.extend(items);
    object[key] = json!(all);
}
