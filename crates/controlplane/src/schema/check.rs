//! Whether a schema may be the schema of a CustomResourceDefinition.

use serde_json::{Map, Value, json};

use super::error::FieldError;
use super::node::Node;
use super::{completeness, pattern, rule_path};

/// How deep schemas may be nested.
const MAX_DEPTH: usize = 100;
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Complaints about the schema found at `place`.
pub(crate) fn check(raw: &Value, place: &str) -> Vec<FieldError> {
    if depth(raw) > MAX_DEPTH {
        let detail = format!("must not be nested deeper than {MAX_DEPTH} levels");
        return vec![FieldError::forbidden(place, detail)];
    }
    let mut checker = Checker { errors: Vec::new() };
    checker.visit(raw, place, &Surroundings { root: true, ..Surroundings::default() });
    let mut errors = checker.errors;
    let mut structural = completeness::check(raw, place);
    structural.sort_by_key(ToString::to_string);
    errors.extend(structural);
    errors
}

fn depth(raw: &Value) -> usize {
    match raw {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[derive(Clone, Default)]
struct Surroundings {
    root: bool,
    inside_meta: bool,
    /// Why defaults are forbidden here.
    no_defaults: Option<String>,
}

struct Checker {
    errors: Vec<FieldError>,
}

impl Checker {
    fn visit(&mut self, raw: &Value, path: &str, around: &Surroundings) {
        let Some(map) = raw.as_object() else {
            let detail = "must be a schema object";
            self.errors.push(FieldError::invalid(path, raw, detail));
            return;
        };
        self.unsupported(map, path, around);
        self.extensions(map, path);
        self.rules(raw, map, path);
        let inner = Surroundings { root: false, ..around.clone() };
        self.additional(map, path, &inner);
        self.properties(map, path, around);
        for name in ["allOf", "anyOf", "oneOf"] {
            for (index, nested) in array(map, name).iter().enumerate() {
                self.visit(nested, &join(path, &format!("{name}[{index}]")), &inner);
            }
        }
        for name in ["not", "items"] {
            if let Some(nested) = map.get(name).filter(|nested| !nested.is_array()) {
                self.visit(nested, &join(path, name), &inner);
            }
        }
    }

    fn forbid(&mut self, path: &str, name: &str, detail: &str) {
        self.errors.push(FieldError::forbidden(join(path, name), detail));
    }

    fn unsupported(&mut self, map: &Map<String, Value>, path: &str, around: &Surroundings) {
        let kind = text(map, "type");
        if !kind.is_empty() && !TYPES.contains(&kind) {
            let field = join(path, "type");
            self.errors.push(FieldError::not_supported(field, &Value::from(kind), &TYPES));
        }
        if kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            self.forbid(path, "type", detail);
        }
        if let (Some(_), Some(why)) = (map.get("default"), &around.no_defaults) {
            self.forbid(path, "default", &format!("must not be set {why}"));
        }
        for name in
            ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"]
        {
            if map.contains_key(name) {
                self.forbid(path, name, &format!("{name} is not supported"));
            }
        }
        if map.get("items").is_some_and(Value::is_array) {
            self.forbid(path, "items", "items must be a schema object and not an array");
        }
        if around.inside_meta && flag(map, "x-kubernetes-embedded-resource") {
            let detail = "must not be used inside of resource meta";
            self.forbid(path, "x-kubernetes-embedded-resource", detail);
        }
        if flag(map, "uniqueItems") {
            let detail =
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.forbid(path, "uniqueItems", detail);
        }
        let source = text(map, "pattern");
        if !source.is_empty()
            && let Err(why) = pattern::compile(source)
        {
            let detail = format!("must be a valid regular expression, but isn't: {why}");
            self.errors.push(FieldError::invalid_text(join(path, "pattern"), source, detail));
        }
    }

    fn additional(&mut self, map: &Map<String, Value>, path: &str, inner: &Surroundings) {
        let Some(additional) = map.get("additionalProperties") else { return };
        let has_properties =
            map.get("properties").and_then(Value::as_object).is_some_and(|p| !p.is_empty());
        if has_properties && *additional != Value::Bool(true) {
            let detail = "additionalProperties and properties are mutual exclusive";
            self.forbid(path, "additionalProperties", detail);
        }
        if additional.is_boolean() {
            return;
        }
        let mut inner = inner.clone();
        if inner.inside_meta {
            let why = "inside additionalProperties applying to object metadata";
            inner.no_defaults = Some(why.to_owned());
        }
        self.visit(additional, &join(path, "additionalProperties"), &inner);
    }

    fn properties(&mut self, map: &Map<String, Value>, path: &str, around: &Surroundings) {
        let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
        let resource = around.root || flag(map, "x-kubernetes-embedded-resource");
        for (name, property) in properties {
            let mut inner = Surroundings { root: false, ..around.clone() };
            if resource && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                inner.inside_meta = true;
                if around.root {
                    inner.no_defaults = Some(format!("in top-level {name}"));
                }
            }
            self.visit(property, &join(path, &format!("properties[{name}]")), &inner);
        }
    }

    fn extensions(&mut self, map: &Map<String, Value>, path: &str) {
        let preserve = "x-kubernetes-preserve-unknown-fields";
        if map.get(preserve) == Some(&Value::Bool(false)) {
            let detail = "must be true or undefined";
            self.errors.push(FieldError::invalid(
                join(path, preserve),
                &Value::Bool(false),
                detail,
            ));
        }
        self.typed_extension(map, path, "x-kubernetes-map-type", "object");
        self.typed_extension(map, path, "x-kubernetes-list-type", "array");
        self.supported(map, path, "x-kubernetes-map-type", &["atomic", "granular"]);
        self.supported(map, path, "x-kubernetes-list-type", &["atomic", "set", "map"]);
        let list_type = text(map, "x-kubernetes-list-type");
        if list_type == "set" {
            self.set_items(map, path);
        }
        let keys = array(map, "x-kubernetes-list-map-keys");
        if !keys.is_empty() && list_type != "map" {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
            let field = join(path, "x-kubernetes-list-type");
            self.errors.push(if list_type.is_empty() {
                FieldError::required(field, detail)
            } else {
                FieldError::invalid_text(field, list_type, detail)
            });
        }
        if list_type == "map" {
            self.map_list(map, keys, path);
        }
    }

    fn typed_extension(
        &mut self,
        map: &Map<String, Value>,
        path: &str,
        extension: &str,
        wanted: &str,
    ) {
        let kind = text(map, "type");
        if map.contains_key(extension) && kind != wanted {
            let detail = format!("must be {wanted} if {extension} is specified");
            let field = join(path, "type");
            self.errors.push(if kind.is_empty() {
                FieldError::required(field, detail)
            } else {
                FieldError::invalid_text(field, kind, detail)
            });
        }
    }

    fn supported(&mut self, map: &Map<String, Value>, path: &str, name: &str, values: &[&str]) {
        if let Some(value) = map.get(name)
            && !value.as_str().is_some_and(|text| values.contains(&text))
        {
            self.errors.push(FieldError::not_supported(join(path, name), value, values));
        }
    }

    fn set_items(&mut self, map: &Map<String, Value>, path: &str) {
        let Some(items) = map.get("items").and_then(Value::as_object) else { return };
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let list_type = text(items, "x-kubernetes-list-type");
        let map_type = text(items, "x-kubernetes-map-type");
        let place = join(path, "items");
        match text(items, "type") {
            "array" if !list_type.is_empty() && list_type != "atomic" => {
                let field = join(&place, "x-kubernetes-list-type");
                self.errors.push(FieldError::invalid_text(field, list_type, detail));
            }
            "object" if map_type != "atomic" => {
                let field = join(&place, "x-kubernetes-map-type");
                let shown = items.get("x-kubernetes-list-type").unwrap_or(&Value::Null);
                self.errors.push(FieldError::invalid(field, shown, detail));
            }
            _ => {}
        }
    }

    fn map_list(&mut self, map: &Map<String, Value>, keys: &[Value], path: &str) {
        let keys_field = join(path, "x-kubernetes-list-map-keys");
        if keys.is_empty() {
            let detail = "must not be empty if x-kubernetes-list-type is map";
            self.errors.push(FieldError::required(&keys_field, detail));
        }
        let Some(items) = map.get("items") else {
            let detail = "must have a schema if x-kubernetes-list-type is map";
            self.errors.push(FieldError::required(join(path, "items"), detail));
            return;
        };
        let items = items.as_object().cloned().unwrap_or_default();
        let place = join(path, "items");
        if text(&items, "type") != "object" {
            let detail = "must be object if parent array's x-kubernetes-list-type is map";
            let field = join(&place, "type");
            self.errors.push(FieldError::invalid_text(field, text(&items, "type"), detail));
            return;
        }
        let required: Vec<&str> =
            array(&items, "required").iter().filter_map(Value::as_str).collect();
        for (index, key) in keys.iter().filter_map(Value::as_str).enumerate() {
            let property =
                items.get("properties").and_then(|p| p.get(key)).and_then(Value::as_object);
            let shown = Value::from(keys.to_vec());
            let Some(property) = property else {
                let detail = "entries must all be names of item properties";
                self.errors.push(FieldError::invalid(&keys_field, &shown, detail));
                continue;
            };
            let place = join(&place, &format!("properties[{key}]"));
            self.map_key(property, required.contains(&key), &place);
            if keys[..index].iter().any(|other| other == key) {
                let detail = "must not contain duplicate entries";
                self.errors.push(FieldError::invalid(&keys_field, &shown, detail));
            }
        }
    }

    fn map_key(&mut self, property: &Map<String, Value>, required: bool, place: &str) {
        if matches!(text(property, "type"), "array" | "object") {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            self.errors.push(FieldError::invalid_text(join(place, "type"), "object", detail));
        }
        if flag(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            self.errors.push(FieldError::forbidden(join(place, "nullable"), detail));
        }
        if !required && !property.contains_key("default") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a \
                          default or be a required property";
            self.errors.push(FieldError::required(join(place, "default"), detail));
        }
    }

    fn rules(&mut self, raw: &Value, map: &Map<String, Value>, path: &str) {
        for (index, rule) in array(map, "x-kubernetes-validations").iter().enumerate() {
            let place = join(path, &format!("x-kubernetes-validations[{index}]"));
            let Some(rule) = rule.as_object() else {
                self.errors.push(FieldError::invalid(&place, rule, "must be an object"));
                continue;
            };
            self.rule_texts(rule, &place);
            if let Some(reason) = rule.get("reason").filter(|r| !r.is_null())
                && !reason.as_str().is_some_and(|r| REASONS.contains(&r))
            {
                let field = join(&place, "reason");
                self.errors.push(FieldError::not_supported(field, reason, &REASONS));
            }
            let field_path = text(rule, "fieldPath");
            if !field_path.is_empty()
                && rule_path::normalised(field_path.trim(), &Node::parse(raw)).is_none()
            {
                let field = join(&place, "fieldPath");
                self.errors.push(FieldError::invalid_text(
                    field,
                    field_path,
                    "must be a valid path",
                ));
            }
        }
    }

    fn rule_texts(&mut self, rule: &Map<String, Value>, place: &str) {
        let (source, message) = (text(rule, "rule"), text(rule, "message"));
        let message_field = join(place, "message");
        if source.trim().is_empty() {
            self.errors.push(FieldError::required(join(place, "rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            let detail = "must be non-empty if specified";
            self.errors.push(FieldError::invalid_text(message_field, message, detail));
        } else if message.trim().contains('\n') {
            let detail = "must not contain line breaks";
            self.errors.push(FieldError::invalid_text(message_field, message, detail));
        } else if source.trim().contains('\n') && message.is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            self.errors.push(FieldError::required(message_field, detail));
        }
        let expression = text(rule, "messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            self.errors.push(FieldError::required(join(place, "messageExpression"), detail));
        }
    }
}

/// Puts a step behind a path.
pub(super) fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

pub(super) fn text<'a>(map: &'a Map<String, Value>, name: &str) -> &'a str {
    map.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn array<'a>(map: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    map.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn flag(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The schema `anyOf` that says again what `x-kubernetes-int-or-string` says.
pub(super) fn int_or_string() -> Value {
    json!([{"type": "integer"}, {"type": "string"}])
}
