//! How the objects of two builds differ.

use std::collections::{BTreeMap, BTreeSet};

use api::promotion::{ObjectChange, RenderedObject};
use serde_json::{Map, Value};

use super::Object;

/// How many fields of an object are told.
const FIELDS: usize = 24;
/// How long a value may be that is told.
const VALUE: usize = 160;
/// How deep objects are compared.
const DEPTH: usize = 64;

/// The objects that differ, by what makes them and by name.
pub(super) fn compare(before: &[Object], after: &[Object]) -> Vec<RenderedObject> {
    let (old, new) = (by_name(before), by_name(after));
    let names: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let (change, fields) = match (old.get(name), new.get(name)) {
            (None, Some(_)) => (ObjectChange::Added, Vec::new()),
            (Some(_), None) => (ObjectChange::Removed, Vec::new()),
            (Some(old), Some(new)) if old != new => (ObjectChange::Changed, fields(old, new)),
            _ => continue,
        };
        let (by, object) = name.clone();
        found.push(RenderedObject { change, object, by, fields });
    }
    found
}

fn by_name(objects: &[Object]) -> BTreeMap<(String, String), &Value> {
    let name = |it: &Object| (it.by.clone(), name_of(&it.value));
    objects.iter().map(|it| (name(it), &it.value)).collect()
}

fn name_of(it: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&it["kind"]), text(&it["metadata"]["name"]));
    match it["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// The fields that differ, one a line.
fn fields(old: &Value, new: &Value) -> Vec<String> {
    let (mut old, mut new) = (old.clone(), new.clone());
    mask(&mut old, &mut new);
    let mut found = Vec::new();
    walk("", (&old, &new), 0, &mut found);
    if found.len() > FIELDS {
        let more = found.len() - FIELDS;
        found.truncate(FIELDS);
        found.push(format!("and {more} more"));
    }
    found
}

/// Puts marks in place of the values of Secrets: whether they differ is told, not what they are.
fn mask(old: &mut Value, new: &mut Value) {
    if old["kind"] != "Secret" && new["kind"] != "Secret" {
        return;
    }
    for place in ["/data", "/stringData", "/metadata/annotations"] {
        let values = |it: &Value| it.pointer(place).and_then(Value::as_object).cloned();
        let (was, is) = (values(old).unwrap_or_default(), values(new).unwrap_or_default());
        hide(old, place, &is, "*** (before)");
        hide(new, place, &was, "*** (after)");
    }
}

fn hide(it: &mut Value, place: &str, other: &Map<String, Value>, mark: &str) {
    let values = it.pointer_mut(place).and_then(Value::as_object_mut);
    for (key, value) in values.into_iter().flatten() {
        let same = other.get(key).is_none_or(|other| other == value);
        *value = if same { "***" } else { mark }.into();
    }
}

fn walk(path: &str, (old, new): (&Value, &Value), depth: usize, found: &mut Vec<String>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if depth < DEPTH => {
            maps(path, (old, new), depth, found);
        }
        (Value::Array(old), Value::Array(new)) if depth < DEPTH => {
            match named(old).zip(named(new)) {
                Some((old, new)) => maps(path, (&old, &new), depth, found),
                None if old.len() == new.len() => {
                    for (at, both) in old.iter().zip(new).enumerate() {
                        walk(&format!("{path}.{at}"), both, depth + 1, found);
                    }
                }
                None => found.push(changed(path, &old.clone().into(), &new.clone().into())),
            }
        }
        _ => found.push(changed(path, old, new)),
    }
}

fn maps(
    path: &str,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    depth: usize,
    found: &mut Vec<String>,
) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => walk(&path, (old, new), depth + 1, found),
            (Some(old), None) => found.push(format!("- {path}: {}", short(old))),
            (None, Some(new)) => found.push(format!("+ {path}: {}", short(new))),
            (None, None) => {}
        }
    }
}

/// A list whose entries all have names of their own, as a map.
fn named(list: &[Value]) -> Option<Map<String, Value>> {
    let entry = |it: &Value| Some((it.get("name")?.as_str()?.to_owned(), it.clone()));
    let map: Map<String, Value> = list.iter().map(entry).collect::<Option<_>>()?;
    (map.len() == list.len()).then_some(map)
}

fn changed(path: &str, old: &Value, new: &Value) -> String {
    format!("{path}: {} -> {}", short(old), short(new))
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.contains('\n') => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE {
        return text;
    }
    text.chars().take(VALUE).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object { by: "Kustomization/x/y".to_owned(), value }
    }

    #[test]
    fn fields_are_told_by_their_path() {
        let deployment = |image: &str, replicas: u8| {
            json!({"kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}, "spec": {
                "replicas": replicas,
                "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
            }})
        };
        let map = |name: &str| object(json!({"kind": "ConfigMap", "metadata": {"name": name}}));
        let before = [object(deployment("app:1", 2)), map("old")];
        let after = [object(deployment("app:2", 2)), map("new")];
        let got = compare(&before, &after);
        let told = |at: usize| (got[at].change, got[at].object.as_str());
        assert_eq!(told(0), (ObjectChange::Added, "ConfigMap/new"));
        assert_eq!(told(1), (ObjectChange::Removed, "ConfigMap/old"));
        assert_eq!(told(2), (ObjectChange::Changed, "Deployment/n/a"));
        assert_eq!(got[2].fields, ["spec.template.spec.containers.main.image: app:1 -> app:2"]);
        assert!(compare(&before, &before).is_empty());
    }

    #[test]
    fn values_of_secrets_are_never_told() {
        let secret = |data: Value| {
            object(json!({"kind": "Secret", "metadata": {"name": "s"}, "data": data,
                          "stringData": {"s": "hunter2"}}))
        };
        let before = [secret(json!({"same": "aHVudGVy", "other": "b2xk", "gone": "Z29uZQ=="}))];
        let after = [secret(json!({"same": "aHVudGVy", "other": "bmV3", "more": "bW9yZQ=="}))];
        let got = compare(&before, &after);
        let want =
            ["- data.gone: ***", "+ data.more: ***", "data.other: *** (before) -> *** (after)"];
        assert_eq!(got[0].fields, want);
    }

    #[test]
    fn a_long_report_is_cut() {
        let map = |mark: &str| {
            let data: Map<String, Value> =
                (0..100).map(|at| (format!("k{at}"), mark.repeat(500).into())).collect();
            object(json!({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}))
        };
        let got = compare(&[map("a")], &[map("b")]);
        assert_eq!(got[0].fields.len(), FIELDS + 1);
        assert_eq!(got[0].fields[FIELDS], "and 76 more");
        assert!(got[0].fields[0].chars().count() < 2 * VALUE + 30);
    }
}
