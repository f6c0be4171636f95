//! Patches as Helm 3 sends them.

use helm::patch::{Field, Fields, merge, strategic, three_way_merge};
use serde_json::json;

/// The fields of a Pod's containers.
struct Pod;

impl Fields for Pod {
    fn field(&self, path: &[&str]) -> Field {
        let by = |key: &str| Field {
            merge: true,
            merge_key: Some(key.to_owned()),
            retain_keys: key == "name" && path.ends_with(&["volumes"]),
        };
        match path {
            ["spec", "containers" | "volumes"] | [.., "env"] => by("name"),
            [.., "ports"] => by("containerPort"),
            ["metadata", "finalizers"] => Field { merge: true, ..Field::default() },
            ["spec", "strategy"] => Field { retain_keys: true, ..Field::default() },
            _ => Field::default(),
        }
    }
}

#[test]
fn custom_resources_are_merged_from_old_to_new() {
    let (old, new) = (json!({"a": 1, "b": [1]}), json!({"a": 1.0, "b": [2]}));
    assert_eq!(merge(&old, &new), json!({"b": [2]}));
    let live = json!({"a": 7, "b": [2], "c": "of others"});
    assert_eq!(three_way_merge(&old, &new, &live), json!({"a": 1.0}));
    let gone = json!({"b": [2]});
    assert_eq!(three_way_merge(&old, &gone, &live), json!({"a": null}));
}

#[test]
fn lists_of_built_in_kinds_are_merged_by_key() {
    let old = json!({"spec": {"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]},
        {"name": "b", "image": "b:1"},
    ]}});
    let new = json!({"spec": {"containers": [{"name": "a", "image": "a:2"}]}});
    let live = json!({"spec": {"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "tty": false},
        {"name": "b", "image": "b:1"},
        {"name": "injected", "image": "c"},
    ]}});
    assert_eq!(
        strategic(&old, &new, &live, &Pod),
        json!({"spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [
                {"name": "a", "image": "a:2", "env": null},
                {"$patch": "delete", "name": "b"},
            ],
        }})
    );
    assert_eq!(strategic(&new, &new, &new, &Pod), json!({}));
}

#[test]
fn scalars_and_changes_of_others() {
    let old = json!({"metadata": {"finalizers": ["a", "b"]}, "spec": {"replicas": 1}});
    let new = json!({"metadata": {"finalizers": ["a"]}, "spec": {"replicas": 1}});
    let live =
        json!({"metadata": {"finalizers": ["a", "b", "c"], "uid": "x"}, "spec": {"replicas": 5}});
    assert_eq!(
        strategic(&old, &new, &live, &Pod),
        json!({
            "metadata": {
                "$setElementOrder/finalizers": ["a"],
                "$deleteFromPrimitiveList/finalizers": ["b"],
            },
            "spec": {"replicas": 1},
        })
    );
    let old = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"x": 1}}}});
    let new = json!({"spec": {"strategy": {"type": "Recreate"}}});
    assert_eq!(
        strategic(&old, &new, &old, &Pod),
        json!({"spec": {"strategy": {
            "type": "Recreate", "rollingUpdate": null, "$retainKeys": ["type"],
        }}})
    );
}
