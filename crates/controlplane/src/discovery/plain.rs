//! The discovery documents of old: one per group and version.

use base64::Engine;
use serde_json::{Value, json};
use sha2::Digest;

use super::{ordered, subresources, verbs};
use crate::catalog::{Index, Resource};

/// The document of `/api`.
pub(super) fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    })
}

/// The document of `/apis`.
pub(super) fn groups(index: &Index) -> Value {
    let groups: Vec<_> = ordered(index).into_iter().filter_map(|g| about(index, g)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// The document of `/apis/GROUP`.
pub(crate) fn group(index: &Index, group: &str) -> Option<Value> {
    let mut document = json!({"kind": "APIGroup", "apiVersion": "v1"});
    for (key, value) in about(index, group).filter(|_| !group.is_empty())?.as_object()? {
        document[key] = value.clone();
    }
    Some(document)
}

fn about(index: &Index, group: &str) -> Option<Value> {
    let versions: Vec<_> = index
        .groups
        .get(group)?
        .iter()
        .map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v}))
        .collect();
    Some(json!({"name": group, "versions": versions, "preferredVersion": versions.first()?}))
}

/// The document of `/apis/GROUP/VERSION` or `/api/v1`.
pub(crate) fn version(index: &Index, group: &str, version: &str) -> Option<Value> {
    if !index.serves(group, version) {
        return None;
    }
    let mut resources = Vec::new();
    for resource in index.of(group, version) {
        resources.push(entry(resource));
        for sub in subresources(resource) {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": sub.kind,
                "verbs": sub.verbs,
            });
            if let Some((group, version)) = sub.of {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            resources.push(entry);
        }
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut document =
        json!({"kind": "APIResourceList", "groupVersion": name, "resources": resources});
    if !group.is_empty() {
        document["apiVersion"] = json!("v1");
    }
    Some(document)
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs(resource),
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    if !resource.is_virtual && !resource.read_only {
        entry["storageVersionHash"] = json!(version_hash(resource));
    }
    entry
}

/// The first eight bytes of the SHA-256 of `group/version/kind` as stored, as kube-apiserver hashes it.
fn version_hash(resource: &Resource) -> String {
    // What kube-apiserver of this release keeps in an older version.
    let older = resource.is(crate::catalog::DEFINITIONS)
        || resource.is("storage.k8s.io/volumeattributesclasses");
    let (group, version) = resource.stored_as.split_once('/').unwrap_or(("", &resource.stored_as));
    let version = if older { "v1beta1" } else { version };
    let digest = sha2::Sha256::digest(format!("{group}/{version}/{}", resource.kind));
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}
