//! What makes a schema structural: every value has one known shape, and validations under `allOf`,
//! `anyOf`, `oneOf` and `not` only restrict it.

use serde_json::{Map, Value};

use super::check::{array, flag, int_or_string, join, text};
use super::error::FieldError;

/// Complaints about what is not structural.
pub(super) fn check(raw: &Value, place: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    invariants(raw, Level::Root, place, &mut errors);
    branches(raw, |nested, name| {
        complete(nested, Some(raw), place, &join(place, &name), &mut errors);
    });
    errors
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

fn invariants(raw: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let Some(map) = raw.as_object() else { return };
    types(map, level, path, errors);
    if let Some(items) = map.get("items") {
        invariants(items, Level::Item, &join(path, "items"), errors);
    } else if text(map, "type") == "array" {
        errors.push(FieldError::required(join(path, "items"), "must be specified"));
    }
    let properties = map.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        invariants(property, Level::Field, &join(path, &format!("properties[{name}]")), errors);
    }
    if let Some(additional) = map.get("additionalProperties") {
        let field = join(path, "additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(&field, "must not be used at the root"));
        }
        if flag(map, "x-kubernetes-embedded-resource") {
            let detail = "must not be used if x-kubernetes-embedded-resource is set";
            errors.push(FieldError::forbidden(&field, detail));
        }
        invariants(additional, Level::Field, &field, errors);
    }
    exclusive_extensions(map, path, errors);
    if level == Level::Root || flag(map, "x-kubernetes-embedded-resource") {
        metadata(map, level, path, errors);
    }
    nested_value_validations(map, path, errors);
}

fn types(map: &Map<String, Value>, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(map, "type");
    let field = join(path, "type");
    let embedded = flag(map, "x-kubernetes-embedded-resource");
    let free = flag(map, "x-kubernetes-int-or-string")
        || flag(map, "x-kubernetes-preserve-unknown-fields");
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            FieldError::required(&field, detail)
        } else {
            FieldError::invalid_text(&field, kind, detail)
        });
    } else if kind.is_empty() && !free {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(&field, detail));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid_text(&field, kind, "must be object at the root"));
    }
    let no_properties = map.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty);
    if embedded && no_properties && !flag(map, "x-kubernetes-preserve-unknown-fields") {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(join(path, "properties"), detail));
    }
}

fn exclusive_extensions(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    if !flag(map, "x-kubernetes-int-or-string") {
        return;
    }
    for name in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if flag(map, name) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(join(path, name), &Value::Bool(true), detail));
        }
    }
}

fn metadata(map: &Map<String, Value>, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
    for name in ["kind", "apiVersion"] {
        let Some(property) = properties.get(name).and_then(Value::as_object) else { continue };
        if text(property, "type") != "string" {
            let field = join(path, &format!("properties[{name}].type"));
            errors.push(FieldError::invalid_text(field, text(property, "type"), "must be string"));
        }
    }
    let Some(metadata) = properties.get("metadata").and_then(Value::as_object) else { return };
    let field = join(path, "properties[metadata]");
    if text(metadata, "type") != "object" {
        let detail = "must be object";
        errors.push(FieldError::invalid_text(join(&field, "type"), text(metadata, "type"), detail));
    }
    let names_only = metadata
        .get("properties")
        .and_then(Value::as_object)
        .is_none_or(|p| p.keys().all(|name| matches!(name.as_str(), "name" | "generateName")));
    let said =
        |name: &String| !matches!(name.as_str(), "type" | "properties" | "default" | "description");
    if level == Level::Root && (!names_only || metadata.keys().any(said)) {
        let detail = "must not specify anything other than name and generateName, but metadata \
                      is implicitly specified";
        errors.push(FieldError::forbidden(&field, detail));
    }
}

/// Checks the nested schemas of a structural node.
fn nested_value_validations(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let raw = Value::Object(map.clone());
    let pattern = int_or_string();
    branches(&raw, |nested, name| {
        let is_any_of = name.starts_with("anyOf") && map.get("anyOf") == Some(&pattern);
        let is_all_of = name == "allOf[0]" && nested.get("anyOf") == Some(&pattern);
        if !is_any_of {
            restricted(nested, is_all_of, &join(path, &name), errors);
        }
    });
}

/// Calls `visit` with each nested schema and its name.
fn branches<'a>(raw: &'a Value, mut visit: impl FnMut(&'a Value, String)) {
    let Some(map) = raw.as_object() else { return };
    for name in ["allOf", "anyOf", "oneOf"] {
        for (index, nested) in array(map, name).iter().enumerate() {
            visit(nested, format!("{name}[{index}]"));
        }
    }
    if let Some(not) = map.get("not") {
        visit(not, "not".to_owned());
    }
}

/// A nested schema must not say what kind of value there is.
fn restricted(raw: &Value, skip_any_of: bool, path: &str, errors: &mut Vec<FieldError>) {
    let Some(map) = raw.as_object() else { return };
    branches(raw, |nested, name| {
        if !(skip_any_of && name.starts_with("anyOf")) {
            restricted(nested, false, &join(path, &name), errors);
        }
    });
    if let Some(items) = map.get("items") {
        restricted(items, false, &join(path, "items"), errors);
    }
    let properties = map.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        restricted(property, false, &join(path, &format!("properties[{name}]")), errors);
    }
    let mut forbid = |name: &str, detail: &str| {
        errors.push(FieldError::forbidden(join(path, name), format!("{detail} to be structural")));
    };
    for name in ["type", "title", "description"] {
        if !text(map, name).is_empty() {
            forbid(name, "must be empty");
        }
    }
    if map.get("additionalProperties").is_some_and(|a| *a != Value::Bool(false)) {
        forbid("additionalProperties", "must be undefined");
    }
    for name in ["default", "x-kubernetes-list-type", "x-kubernetes-map-type"] {
        if map.contains_key(name) {
            forbid(name, "must be undefined");
        }
    }
    for name in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if flag(map, name) {
            forbid(name, "must be false");
        }
    }
    for name in ["x-kubernetes-list-map-keys", "x-kubernetes-validations"] {
        if !array(map, name).is_empty() {
            forbid(name, "must be empty");
        }
    }
    if properties.is_some_and(|p| p.contains_key("metadata")) {
        let field = join(path, "properties[metadata]");
        errors.push(FieldError::forbidden(field, "must not be specified in a nested context"));
    }
}

/// Every field a nested schema speaks of must be part of the structure.
fn complete(
    nested: &Value,
    structure: Option<&Value>,
    structure_path: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let Some(map) = nested.as_object() else { return };
    let Some(structure) = structure else {
        let detail = format!("because it is defined in {path}");
        errors.push(FieldError::required(structure_path, detail));
        return;
    };
    branches(nested, |inner, name| {
        complete(inner, Some(structure), structure_path, &join(path, &name), errors);
    });
    if let Some(items) = map.get("items") {
        let (s_path, v_path) = (join(structure_path, "items"), join(path, "items"));
        complete(items, structure.get("items"), &s_path, &v_path, errors);
    }
    let properties = map.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let step = format!("properties[{name}]");
        let known = structure.get("properties").and_then(|p| p.get(name));
        complete(property, known, &join(structure_path, &step), &join(path, &step), errors);
    }
}
