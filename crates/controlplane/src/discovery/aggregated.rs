//! Aggregated discovery: everything in one document.

use serde_json::{Value, json};

use super::{ordered, subresources, verbs};
use crate::catalog::{Index, Resource};

/// The media type of `apidiscovery.k8s.io/v2`.
pub(super) const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The document of `/api` or `/apis`.
pub(super) fn document(index: &Index, core: bool) -> Value {
    let none = String::new();
    let groups = if core { vec![&none] } else { ordered(index) };
    let items: Vec<_> = groups
        .into_iter()
        .filter_map(|group| Some((group, index.groups.get(group)?)))
        .map(|(group, versions)| {
            let versions: Vec<_> = versions.iter().map(|v| of_version(index, group, v)).collect();
            let mut metadata = json!({});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn of_version(index: &Index, group: &str, version: &str) -> Value {
    let resources: Vec<_> = index.of(group, version).map(|r| entry(r)).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind(&resource.group, &resource.version, &resource.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let subresources: Vec<_> = subresources(resource)
        .iter()
        .map(|sub| {
            let (group, version) = sub.of.unwrap_or((&resource.group, &resource.version));
            json!({
                "subresource": sub.name,
                "responseKind": kind(group, version, &sub.kind),
                "verbs": sub.verbs,
            })
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = json!(subresources);
    }
    entry
}

fn kind(group: &str, version: &str, kind: &str) -> Value {
    // kube-apiserver leaves out the version of core.
    let version = if group.is_empty() { "" } else { version };
    json!({"group": group, "version": version, "kind": kind})
}
