//! Schemas of built-in kinds, from the table of their types.
//!
//! The table (see `builtin::generate` for its form) has no descriptions, so these schemas have none.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::kind;
use crate::catalog::Resource;

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::read(include_str!("../builtin/types.txt")));

struct Types {
    kinds: HashMap<&'static str, &'static str>,
    lines: HashMap<&'static str, Type>,
}

#[derive(Default)]
struct Type {
    alias: Option<&'static str>,
    fields: Vec<&'static str>,
}

impl Types {
    fn read(table: &'static str) -> Self {
        let mut types = Self { kinds: HashMap::new(), lines: HashMap::new() };
        let mut current = "";
        for line in table.lines() {
            if let Some(entry) = line.strip_prefix('#') {
                if let Some((kind, name)) = entry.rsplit_once(' ') {
                    types.kinds.insert(kind, name);
                }
            } else if let Some(header) = line.strip_prefix('@') {
                let (name, alias) = match header.split_once(" = ") {
                    Some((name, alias)) => (name, Some(alias)),
                    None => (header, None),
                };
                current = name.trim_end_matches(" atomic");
                types.lines.insert(current, Type { alias, fields: Vec::new() });
            } else if let Some(entry) = types.lines.get_mut(current) {
                entry.fields.push(line.trim());
            }
        }
        types
    }
}

/// The name that the table has for a kind.
pub(super) fn type_name(group: &str, version: &str, kind: &str) -> Option<&'static str> {
    TYPES.kinds.get(format!("{group}/{version} {kind}").as_str()).copied()
}

/// The name of a type in Kubernetes' own documents.
pub(super) fn full_name(name: &str) -> String {
    let package = name.rsplit_once('.').map_or("", |(package, _)| package);
    let home = match package.split('.').next().unwrap_or_default() {
        "meta" => "io.k8s.apimachinery.pkg.apis.",
        "runtime" | "util" | "api" | "version" => "io.k8s.apimachinery.pkg.",
        "apiextensions" => "io.k8s.apiextensions-apiserver.pkg.apis.",
        "apiregistration" => "io.k8s.kube-aggregator.pkg.apis.",
        _ => "io.k8s.api.",
    };
    format!("{home}{name}")
}

/// Adds the schema of a built-in resource and all that it refers to.
pub(super) fn add_kind(resource: &Resource, home: &str, schemas: &mut BTreeMap<String, Value>) {
    let Some(name) = type_name(&resource.group, &resource.version, &resource.kind) else { return };
    add(name, home, schemas);
    if let Some(schema) = schemas.get_mut(&full_name(name)) {
        schema["x-kubernetes-group-version-kind"] =
            json!([kind(&resource.group, &resource.version, &resource.kind)]);
    }
}

/// Adds a type and all that it refers to.
pub(super) fn add(name: &str, home: &str, schemas: &mut BTreeMap<String, Value>) {
    let full = full_name(name);
    if schemas.contains_key(&full) {
        return;
    }
    let Some(entry) = TYPES.lines.get(name) else { return };
    // The name is taken first, as types may refer to themselves.
    schemas.insert(full.clone(), Value::Null);
    let mut referred = Vec::new();
    let schema = match entry.alias {
        Some(alias) => type_of(alias, home, &mut referred),
        None => object(&entry.fields, home, &mut referred),
    };
    schemas.insert(full, schema);
    for name in referred {
        add(name, home, schemas);
    }
}

fn object(fields: &[&'static str], home: &str, referred: &mut Vec<&'static str>) -> Value {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut words = field.split(' ');
        let (Some(name), Some(text)) = (words.next(), words.next()) else { continue };
        let name = name.strip_suffix('!').inspect(|n| required.push(*n)).unwrap_or(name);
        let mut schema = type_of(text, home, referred);
        for option in words {
            extend(&mut schema, option, text);
        }
        properties.insert(name.to_owned(), schema);
    }
    let mut schema = json!({"type": "object"});
    if !properties.is_empty() {
        schema["properties"] = Value::Object(properties);
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn extend(schema: &mut Value, option: &str, text: &str) {
    let list = text.starts_with("[]");
    match option.split_once('=').unwrap_or((option, "")) {
        ("atomic", _) if list => schema["x-kubernetes-list-type"] = json!("atomic"),
        ("atomic", _) => schema["x-kubernetes-map-type"] = json!("atomic"),
        ("set", _) => schema["x-kubernetes-list-type"] = json!("set"),
        ("map", keys) => {
            schema["x-kubernetes-list-type"] = json!("map");
            schema["x-kubernetes-list-map-keys"] = json!(keys.split(',').collect::<Vec<_>>());
        }
        ("merge", key) => {
            let retains = schema["x-kubernetes-patch-strategy"] == "retainKeys";
            schema["x-kubernetes-patch-strategy"] =
                json!(if retains { "merge,retainKeys" } else { "merge" });
            if !key.is_empty() {
                schema["x-kubernetes-patch-merge-key"] = json!(key);
            }
        }
        ("retain" | "retainKeys", _) => {
            let merges = schema["x-kubernetes-patch-strategy"] == "merge";
            schema["x-kubernetes-patch-strategy"] =
                json!(if merges { "merge,retainKeys" } else { "retainKeys" });
        }
        _ => {}
    }
}

/// The schema of a type as the table writes it.
fn type_of(text: &'static str, home: &str, referred: &mut Vec<&'static str>) -> Value {
    if let Some(name) = text.strip_prefix('&') {
        referred.push(name);
        let reference = json!({"$ref": format!("{home}{}", full_name(name))});
        return if home == super::DEFINITIONS { reference } else { json!({"allOf": [reference]}) };
    }
    if let Some(item) = text.strip_prefix("[]") {
        return json!({"type": "array", "items": type_of(item, home, referred)});
    }
    if let Some(item) = text.strip_prefix("{}") {
        return json!({"type": "object", "additionalProperties": type_of(item, home, referred)});
    }
    let (letter, format) = text.split_once(':').unwrap_or((text, ""));
    let mut schema = match letter {
        "s" => json!({"type": "string"}),
        "i" => json!({"type": "integer"}),
        "n" => json!({"type": "number"}),
        "b" => json!({"type": "boolean"}),
        "o" => json!({"type": "object"}),
        _ if format == "int-or-string" => {
            json!({"oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        _ => json!({}),
    };
    if !format.is_empty() {
        schema["format"] = json!(format);
    }
    schema
}
