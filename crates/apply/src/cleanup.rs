//! Taking over what other tools left in the metadata of an object.

use serde_json::{Map, Value, json};

use crate::metadata::texts;

/// Annotations of `kubectl apply` and of Flux before server-side apply.
const ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
const LABELS: [&str; 1] = ["fluxcd.io/sync-gc-mark"];

/// Which managers lose their fields to the owner: names that begin with `name`, for an operation.
#[derive(Debug, Clone)]
struct Manager<'a> {
    name: &'a str,
    operation: &'static str,
}

/// The JSON patch that takes an object over for the field manager `field`, or nothing if there is
/// nothing to take. `overridden` are further managers that lose their fields.
pub(crate) fn patch(live: &Value, field: &str, overridden: &[String]) -> Option<Value> {
    let mut operations = removals(live);
    if let Some(managers) = taken_over(live, field, &managers(field, overridden)) {
        let path = "/metadata/managedFields";
        operations.push(json!({"op": "replace", "path": path, "value": managers}));
    }
    (!operations.is_empty()).then_some(Value::Array(operations))
}

fn managers<'a>(field: &'a str, overridden: &'a [String]) -> Vec<Manager<'a>> {
    let own = [
        Manager { name: "kubectl", operation: "Apply" },
        Manager { name: "kubectl", operation: "Update" },
        Manager { name: "before-first-apply", operation: "Update" },
        Manager { name: field, operation: "Update" },
    ];
    let both = |name: &'a String| ["Apply", "Update"].map(|operation| Manager { name, operation });
    own.into_iter().chain(overridden.iter().flat_map(both)).collect()
}

fn removals(live: &Value) -> Vec<Value> {
    let of = |field: &str, keys: &[&str]| -> Vec<Value> {
        let present = texts(live, field);
        let found = keys.iter().filter(|key| present.contains_key(**key));
        let path = |key: &str| format!("/metadata/{field}/{}", key.replace('/', "~1"));
        found.map(|key| json!({"op": "remove", "path": path(key)})).collect()
    };
    [of("annotations", &ANNOTATIONS), of("labels", &LABELS)].concat()
}

/// The managed fields after the owner's entry took in those of `managers`. Entries of
/// subresources stay. Without an entry of the owner the first match becomes it.
fn taken_over(live: &Value, field: &str, managers: &[Manager<'_>]) -> Option<Vec<Value>> {
    let entries = live["metadata"]["managedFields"].as_array()?;
    let is_own = |entry: &Value| entry["manager"] == field && entry["operation"] == "Apply";
    let is_own = |entry: &Value| is_own(entry) && entry.get("subresource").is_none();
    let mut own = entries.iter().find(|entry| is_own(entry)).cloned();
    let (mut rest, mut edited) = (Vec::new(), false);
    for entry in entries.iter().filter(|entry| !is_own(entry)) {
        if !managers.iter().any(|manager| manager.matches(entry)) {
            rest.push(entry.clone());
            continue;
        }
        edited = true;
        match &mut own {
            Some(own) => unite(&mut own["fieldsV1"], &entry["fieldsV1"], 0),
            None => own = Some(renamed(entry, field)),
        }
    }
    rest.extend(own);
    edited.then_some(rest)
}

impl Manager<'_> {
    fn matches(&self, entry: &Value) -> bool {
        let manager = entry["manager"].as_str().unwrap_or_default();
        entry["operation"] == self.operation
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
            && manager.starts_with(self.name)
    }
}

fn renamed(entry: &Value, field: &str) -> Value {
    let mut entry = entry.clone();
    entry["manager"] = field.into();
    entry["operation"] = "Apply".into();
    entry
}

/// How deep managed fields nest at most; the API server does not take deeper objects.
const DEPTH: usize = 1000;

/// Adds the fields of one set to another; a set of fields is a trie of objects.
fn unite(into: &mut Value, more: &Value, depth: usize) {
    let Some(more) = more.as_object().filter(|_| depth < DEPTH) else { return };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in more {
        match into.get_mut(key) {
            Some(present) => unite(present, value, depth + 1),
            None => into[key] = value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(entries: &Value) -> Value {
        json!({"metadata": {"managedFields": entries}})
    }

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    #[test]
    fn fields_of_kubectl_join_those_of_the_owner() {
        let object = live(&json!([
            entry("kubectl-edit", "Update", &json!({"f:data": {"f:a": {}}})),
            entry("owner", "Apply", &json!({"f:data": {".": {}, "f:b": {}}})),
            entry("hpa", "Update", &json!({"f:spec": {}})),
        ]));
        let got = patch(&object, "owner", &[]).unwrap();
        let want = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [
            entry("hpa", "Update", &json!({"f:spec": {}})),
            entry("owner", "Apply", &json!({"f:data": {".": {}, "f:b": {}, "f:a": {}}})),
        ]}]);
        assert_eq!(got, want);
    }

    #[test]
    fn without_an_own_entry_the_first_match_becomes_it() {
        let fields = json!({"f:data": {}});
        let object = live(&json!([entry("kubectl", "Apply", &fields)]));
        let got = patch(&object, "owner", &[]).unwrap();
        assert_eq!(got[0]["value"], json!([entry("owner", "Apply", &fields)]));
    }

    #[test]
    fn overridden_managers_lose_their_fields_and_subresources_stay() {
        let mut status = entry("helm", "Update", &json!({"f:status": {}}));
        status["subresource"] = "status".into();
        let object = live(&json!([entry("helm", "Update", &json!({"f:spec": {}})), status]));
        assert_eq!(patch(&object, "owner", &[]), None);
        let got = patch(&object, "owner", &["helm".to_owned()]).unwrap();
        assert_eq!(got[0]["value"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn annotations_of_other_tools_go() {
        let object = json!({"metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}}});
        let path = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        let want = json!([{"op": "remove", "path": path}]);
        assert_eq!(patch(&object, "owner", &[]), Some(want));
    }
}
