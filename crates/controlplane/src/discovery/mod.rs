//! What the server tells about itself: versions, groups, resources.

mod aggregated;
mod plain;

use serde_json::{Value, json};

use crate::catalog::Index;
use crate::catalog::Resource;

pub(crate) use plain::{group, version};

/// The Kubernetes release whose API this is.
pub(crate) const RELEASE: (&str, &str, &str) = ("1", "34", "v1.34.2");

/// The document of `/version`.
pub(crate) fn release() -> Value {
    json!({
        "major": RELEASE.0,
        "minor": RELEASE.1,
        "gitVersion": RELEASE.2,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    })
}

/// The document of `/api` or `/apis`, aggregated if the client wants it in that version.
pub(crate) fn groups(
    index: &Index,
    core: bool,
    aggregated: Option<&str>,
) -> (Value, Option<&'static str>) {
    match aggregated {
        Some("v2") => (aggregated::document(index, core, "v2"), Some(aggregated::V2)),
        Some(_) => (aggregated::document(index, core, "v2beta1"), Some(aggregated::V2BETA1)),
        None if core => (plain::core_versions(), None),
        None => (plain::groups(index), None),
    }
}

/// What can be done with a resource.
fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.is_virtual {
        return &["create"];
    }
    if resource.read_only {
        return &["get", "list"];
    }
    if resource.custom().is_some() {
        return &[
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "create",
            "update",
            "watch",
        ];
    }
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
}

/// The subresources of a resource: name, kind (with its group and version if other), verbs.
fn subresources(resource: &Resource) -> Vec<Subresource> {
    let mut all = Vec::new();
    let built_in = resource.custom().is_none();
    if built_in && resource.scale.is_some() {
        let scale = Some(("autoscaling", "v1"));
        all.push(Subresource::new("scale", scale, "Scale", &["get", "patch", "update"]));
    }
    if resource.status {
        all.push(Subresource::new("status", None, &resource.kind, &["get", "patch", "update"]));
    }
    if !built_in && resource.scale.is_some() {
        let scale = Some(("autoscaling", "v1"));
        all.push(Subresource::new("scale", scale, "Scale", &["get", "patch", "update"]));
    }
    if resource.is(crate::catalog::NAMESPACES) {
        all.push(Subresource::new("finalize", None, &resource.kind, &["update"]));
    }
    if resource.is("/pods") {
        all.push(Subresource::new("binding", None, "Binding", &["create"]));
        let policy = Some(("policy", "v1"));
        all.push(Subresource::new("eviction", policy, "Eviction", &["create"]));
        all.sort_by_key(|sub| sub.name);
    }
    if resource.is("/serviceaccounts") {
        let token = Some(("authentication.k8s.io", "v1"));
        all.push(Subresource::new("token", token, "TokenRequest", &["create"]));
    }
    all
}

struct Subresource {
    name: &'static str,
    of: Option<(&'static str, &'static str)>,
    kind: String,
    verbs: &'static [&'static str],
}

impl Subresource {
    fn new(
        name: &'static str,
        of: Option<(&'static str, &'static str)>,
        kind: &str,
        verbs: &'static [&'static str],
    ) -> Self {
        Self { name, of, kind: kind.to_owned(), verbs }
    }
}
