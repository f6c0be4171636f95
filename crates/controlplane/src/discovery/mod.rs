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

/// The document of `/api` or `/apis`, aggregated if the client wants it.
pub(crate) fn groups(index: &Index, core: bool, aggregated: bool) -> (Value, Option<&'static str>) {
    match aggregated {
        true => (aggregated::document(index, core), Some(aggregated::V2)),
        false if core => (plain::core_versions(), None),
        false => (plain::groups(index), None),
    }
}

/// The groups in the order of their priority; others come after.
const ORDER: [&str; 20] = [
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// All groups but core, the most important first.
fn ordered(index: &Index) -> Vec<&String> {
    let mut groups: Vec<_> = index.groups.keys().filter(|group| !group.is_empty()).collect();
    let place = |group: &str| ORDER.iter().position(|it| *it == group).unwrap_or(ORDER.len());
    groups.sort_by_key(|group| place(group));
    groups
}

/// What can be done with a resource.
fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.is_virtual {
        return &["create"];
    }
    if resource.read_only {
        return &["get", "list"];
    }
    if resource.is(crate::catalog::NAMESPACES) {
        return &["create", "delete", "get", "list", "patch", "update", "watch"];
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
        all.insert(0, Subresource::new("finalize", None, &resource.kind, &["update"]));
    }
    if resource.is("/pods") {
        all.push(Subresource::new("binding", None, "Binding", &["create"]));
        let policy = Some(("policy", "v1"));
        all.push(Subresource::new("eviction", policy, "Eviction", &["create"]));
        all.sort_by_key(|sub| sub.name);
    }
    if resource.is("certificates.k8s.io/certificatesigningrequests") {
        let verbs = &["get", "patch", "update"];
        all.push(Subresource::new("approval", None, &resource.kind, verbs));
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
