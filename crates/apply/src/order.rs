//! In which order objects are written.

use serde_json::Value;

use crate::Id;
use crate::id::group_version;

/// Kinds that come first, in this order (`ReconcileOrder` of Flux' `pkg/ssa`). The group does not
/// matter.
const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last, in this order.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Splits objects into what must be there before the rest is applied: definitions (CRDs,
/// Namespaces, `ClusterRole`s), classes (any kind that ends in `Class`), everything else. Each stage
/// is in the order in which it is written.
pub fn stages(objects: Vec<Value>) -> [Vec<Value>; 3] {
    let mut stages = [Vec::new(), Vec::new(), Vec::new()];
    for object in objects {
        stages[stage(&object)].push(object);
    }
    for stage in &mut stages {
        stage.sort_by_cached_key(|object| rank(&Id::of(object)));
    }
    stages
}

/// Puts identities into the order in which their objects are written; deletion is the reverse.
pub fn sort(ids: &mut [Id]) {
    ids.sort_by_cached_key(rank);
}

fn stage(object: &Value) -> usize {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (group, version) = group_version(object);
    match (group, kind.to_ascii_lowercase().as_str()) {
        ("apiextensions.k8s.io", "customresourcedefinition")
        | ("rbac.authorization.k8s.io", "clusterrole") => 0,
        ("", "namespace") if version == "v1" => 0,
        _ if kind.ends_with("Class") => 1,
        _ => 2,
    }
}

/// The place of an object: by kind, group, namespace and name.
pub(crate) fn rank(id: &Id) -> (usize, String, String, String, String) {
    let Id { namespace, name, group, kind } = id.clone();
    (of_kind(&kind), group, kind, namespace, name)
}

fn of_kind(kind: &str) -> usize {
    let others = FIRST.len();
    let last = || LAST.iter().position(|last| *last == kind).map(|at| others + 1 + at);
    FIRST.iter().position(|first| *first == kind).or_else(last).unwrap_or(others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
    }

    fn names(objects: &[Value]) -> Vec<String> {
        objects.iter().map(|object| Id::of(object).to_string()).collect()
    }

    #[test]
    fn definitions_and_classes_come_before_what_needs_them() {
        let [first, second, third] = stages(vec![
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "v"),
            object("example.com/v1", "Widget", "w"),
            object("v1", "ConfigMap", "b"),
            object("v1", "ConfigMap", "a"),
            object("apps/v1", "Deployment", "d"),
            object("karpenter.k8s.aws/v1", "EC2NodeClass", "n"),
            object("storage.k8s.io/v1", "StorageClass", "s"),
            object("rbac.authorization.k8s.io/v1", "ClusterRole", "r"),
            object("v1", "Namespace", "x"),
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "c"),
        ]);
        assert_eq!(names(&first), ["CustomResourceDefinition/c", "Namespace/x", "ClusterRole/r"]);
        assert_eq!(names(&second), ["StorageClass/s", "EC2NodeClass/n"]);
        let rest = [
            "ConfigMap/a",
            "ConfigMap/b",
            "Deployment/d",
            "Widget/w",
            "ValidatingWebhookConfiguration/v",
        ];
        assert_eq!(names(&third), rest);
    }

    #[test]
    fn a_foreign_kind_of_a_known_name_is_no_definition_but_ranks_like_it() {
        let [first, _, third] = stages(vec![
            object("v1", "ConfigMap", "a"),
            object("example.com/v1", "Namespace", "x"),
        ]);
        assert!(first.is_empty());
        assert_eq!(names(&third), ["Namespace/x", "ConfigMap/a"]);
    }
}
