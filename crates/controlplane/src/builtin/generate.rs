//! Makes `types.txt` from the `OpenAPI` v3 documents of a Kubernetes release.
//!
//! With `KUBERNETES_OPENAPI` naming the folder `api/openapi-spec/v3` of the release, the test below
//! compares; with `UPDATE_GOLDEN=1` it writes.
//!
//! A line `@Name` starts a type, `@Name atomic` one that is owned as a whole, `@Name = type` one
//! that is no struct. Indented lines are fields: name (`!` if required), type and options. Types
//! are `s` text, `i` integer, `n` number, `b` boolean, `a` anything, `o` free object — with a format
//! behind a colon —, `[]T`, `{}T` and `&Name`. Lines `#group/version Kind Name` name the kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const DOCUMENTS: &[&str] = &[
    "api__v1",
    "apis__admissionregistration.k8s.io__v1",
    "apis__apiextensions.k8s.io__v1",
    "apis__apiregistration.k8s.io__v1",
    "apis__apps__v1",
    "apis__authentication.k8s.io__v1",
    "apis__authorization.k8s.io__v1",
    "apis__autoscaling__v1",
    "apis__autoscaling__v2",
    "apis__batch__v1",
    "apis__certificates.k8s.io__v1",
    "apis__coordination.k8s.io__v1",
    "apis__discovery.k8s.io__v1",
    "apis__events.k8s.io__v1",
    "apis__flowcontrol.apiserver.k8s.io__v1",
    "apis__networking.k8s.io__v1",
    "apis__node.k8s.io__v1",
    "apis__policy__v1",
    "apis__rbac.authorization.k8s.io__v1",
    "apis__resource.k8s.io__v1",
    "apis__scheduling.k8s.io__v1",
    "apis__storage.k8s.io__v1",
];

/// The text of `types.txt`.
fn generate(folder: &Path) -> String {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    for document in DOCUMENTS {
        let path = folder.join(format!("{document}_openapi.json"));
        let text = std::fs::read_to_string(&path).expect("an OpenAPI document");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            schemas.insert(name.clone(), schema.clone());
        }
    }
    let kinds = kinds(&schemas);
    let mut reachable = BTreeSet::new();
    for name in kinds.values() {
        reach(name, &schemas, &mut reachable);
    }
    let keys = key_fields(&schemas);
    let mut out = String::new();
    for (kind, name) in &kinds {
        writeln!(out, "#{kind} {}", short(name)).unwrap();
    }
    for name in &reachable {
        write_type(name, &schemas[name], &keys, &mut out);
    }
    out
}

/// `group/version Kind` → type. Options and lists are no kinds of their own here.
fn kinds(schemas: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let mut kinds = BTreeMap::new();
    for (name, schema) in schemas {
        let Some(gvks) = schema["x-kubernetes-group-version-kind"].as_array() else { continue };
        if gvks.len() != 1 || schema["properties"]["items"].is_object() {
            continue;
        }
        let text = |field: &str| gvks[0][field].as_str().unwrap_or_default().to_owned();
        let (group, version, kind) = (text("group"), text("version"), text("kind"));
        kinds.insert(format!("{group}/{version} {kind}"), name.clone());
    }
    kinds
}

fn reach(name: &str, schemas: &BTreeMap<String, Value>, seen: &mut BTreeSet<String>) {
    if seen.insert(name.to_owned()) {
        for referred in references(&schemas[name]) {
            reach(&referred, schemas, seen);
        }
    }
}

fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => match map.get("$ref").and_then(Value::as_str) {
            Some(target) => vec![target.rsplit('/').next().unwrap_or_default().to_owned()],
            None => map.values().flat_map(references).collect(),
        },
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// (type, field) of all key fields of lists; only their empty defaults matter.
fn key_fields(schemas: &BTreeMap<String, Value>) -> BTreeSet<(String, String)> {
    let mut keys = BTreeSet::new();
    for property in schemas.values().filter_map(|s| s["properties"].as_object()).flatten() {
        let list = property.1;
        for target in references(&list["items"]) {
            for key in list["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                keys.insert((target.clone(), key.as_str().unwrap_or_default().to_owned()));
            }
            if let Some(key) = list["x-kubernetes-patch-merge-key"].as_str() {
                keys.insert((target, key.to_owned()));
            }
        }
    }
    keys
}

fn short(name: &str) -> String {
    let name = name.strip_prefix("io.k8s.").unwrap_or(name);
    let name = name.strip_prefix("api.").unwrap_or(name);
    name.replace("apimachinery.pkg.apis.meta.", "meta.")
        .replace("apiextensions-apiserver.pkg.apis.", "")
        .replace("kube-aggregator.pkg.apis.", "")
        .replace("apimachinery.pkg.", "")
}

fn write_type(name: &str, schema: &Value, keys: &BTreeSet<(String, String)>, out: &mut String) {
    let Some(properties) = schema["properties"].as_object() else {
        writeln!(out, "@{} = {}", short(name), type_text(schema)).unwrap();
        return;
    };
    let atomic = schema["x-kubernetes-map-type"] == "atomic";
    writeln!(out, "@{}{}", short(name), if atomic { " atomic" } else { "" }).unwrap();
    let required = schema["required"].as_array();
    let sorted: BTreeMap<&String, &Value> = properties.iter().collect();
    for (field, property) in sorted {
        let mark = required.is_some_and(|r| r.iter().any(|name| name == field));
        let is_key = keys.contains(&(name.to_owned(), field.clone()));
        write!(out, " {field}{} {}", if mark { "!" } else { "" }, type_text(property)).unwrap();
        for option in options(property, is_key) {
            write!(out, " {option}").unwrap();
        }
        out.push('\n');
    }
}

fn type_text(schema: &Value) -> String {
    if let Some(target) = references(&schema["allOf"]).first() {
        return format!("&{}", short(target));
    }
    if schema["$ref"].is_string() {
        return format!("&{}", short(&references(schema)[0]));
    }
    let letter = match schema["type"].as_str() {
        Some("string") => "s",
        Some("integer") => "i",
        Some("number") => "n",
        Some("boolean") => "b",
        Some("array") => return format!("[]{}", type_text(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            return format!("{{}}{}", type_text(&schema["additionalProperties"]));
        }
        Some("object") => "o",
        _ => "a",
    };
    match schema["format"].as_str() {
        Some(format) => format!("{letter}:{format}"),
        None => letter.to_owned(),
    }
}

fn options(schema: &Value, is_key: bool) -> Vec<String> {
    let mut options = Vec::new();
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => options.push("set".to_owned()),
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().expect("keys");
            let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
            options.push(format!("map={}", keys.join(",")));
        }
        Some("atomic") => options.push("atomic".to_owned()),
        _ => {}
    }
    if schema["x-kubernetes-map-type"] == "atomic" {
        options.push("atomic".to_owned());
    }
    let strategy = schema["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
    if strategy.split(',').any(|s| s == "merge") {
        let key = schema["x-kubernetes-patch-merge-key"].as_str();
        options.push(key.map_or("merge".to_owned(), |key| format!("merge={key}")));
    }
    if strategy.split(',').any(|s| s == "retainKeys") {
        options.push("retain".to_owned());
    }
    let default = &schema["default"];
    let empty = *default == *"" || *default == 0 || *default == false;
    if !default.is_null() && !default.is_object() && (is_key || !empty) {
        options.push(format!("default={default}"));
    }
    options
}

#[test]
fn the_table_is_what_the_release_says() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/builtin/types.txt");
    let Some(folder) = std::env::var_os("KUBERNETES_OPENAPI") else {
        // Without the release at hand at least nothing may dangle.
        super::table::get().check();
        return;
    };
    let made = generate(Path::new(&folder));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&target, &made).unwrap();
    }
    assert!(made == std::fs::read_to_string(&target).unwrap(), "types.txt is out of date");
}
