//! Rules of built-in kinds.

use serde_json::{Map, Value};

use super::table;
use crate::schema::FieldError;
use crate::schema::error::Path;
use crate::schema::value::equal;

/// Fields that the API description calls required but the server does not ask for.
const NOT_ASKED: &[&str] = &["rules", "lastTransitionTime", "involvedObject", "status", "metadata"];

/// Complaints about an object.
pub(super) fn validate(
    group: &str,
    kind: &str,
    object: &Value,
    old: Option<&Value>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let version = api_version.rsplit('/').next().unwrap_or_default();
    if let Some(index) = table::get().kind(group, version, kind) {
        for (name, child) in object.as_object().into_iter().flatten() {
            if let ("spec", Some(word)) = (name.as_str(), table::get().word(index, name)) {
                required(child, word, &Path::ROOT.child(name), &mut errors);
            }
        }
    }
    match (group, kind) {
        ("", "ConfigMap" | "Secret") => data(object, old, &mut errors),
        ("", "Service") => service(object, &mut errors),
        ("", "Pod") => pod(object, old, &mut errors),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => {
            workload(kind, object, old, &mut errors);
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            binding(object, old, &mut errors);
        }
        _ => {}
    }
    errors
}

/// Required fields that are missing, below `spec`.
fn required(value: &Value, word: &str, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let table = table::get();
    if let Some(element) = word.strip_prefix("[]") {
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            required(item, element, &path.index(n), errors);
        }
    } else if let Some(element) = word.strip_prefix("{}") {
        for (key, item) in value.as_object().into_iter().flatten() {
            required(item, element, &path.key(key), errors);
        }
    } else if let Some(index) = table.referred(word) {
        let Value::Object(map) = value else { return };
        for name in table.required(index).filter(|name| !NOT_ASKED.contains(name)) {
            let missing = map.get(name).is_none_or(|v| v.is_null() || *v == *"");
            if missing && table.word(index, name) != Some("b") {
                errors.push(FieldError::required(path.child(name), ""));
            }
        }
        if table.name(index) == "core.v1.Container" && text(map, "image").is_empty() {
            errors.push(FieldError::required(path.child("image"), ""));
        }
        for (name, child) in map {
            if let Some(word) = table.word(index, name) {
                required(child, word, &path.child(name), errors);
            }
        }
    }
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> &'a str {
    map.get(name).and_then(Value::as_str).unwrap_or_default()
}

const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' \
                   (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
                   '[-._a-zA-Z0-9]+')";
const MAX_DATA: usize = 1 << 20;

/// Keys, size and immutability of `ConfigMap`s and `Secret`s.
fn data(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        let root = Path::ROOT.child(field);
        for (key, value) in object.get(field).and_then(Value::as_object).into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            let place = root.key(key);
            if key.len() > 253 {
                errors.push(FieldError::invalid_text(
                    place,
                    key,
                    "must be no more than 253 characters",
                ));
            } else if key.is_empty()
                || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            {
                errors.push(FieldError::invalid_text(place, key, KEY));
            } else if matches!(key.as_str(), "." | "..") {
                let detail = format!("must not be '{key}'");
                errors.push(FieldError::invalid_text(place, key, detail));
            }
        }
    }
    // What is measured is the decoded size; the limit is for what is certainly too much.
    if size / 4 * 3 > MAX_DATA {
        errors.push(FieldError::too_long("data", i64::try_from(MAX_DATA).unwrap_or(i64::MAX)));
    }
    let Some(old) = old else { return };
    if old.get("immutable") == Some(&Value::Bool(true)) {
        let detail = "field is immutable when `immutable` is set";
        if object.get("immutable") != Some(&Value::Bool(true)) {
            errors.push(FieldError::forbidden("immutable", detail));
        }
        for field in ["data", "binaryData"] {
            if object.get(field) != old.get(field) {
                errors.push(FieldError::forbidden(field, detail));
            }
        }
    }
    if old.get("type").is_some() && old.get("type") != object.get("type") {
        let value = object.get("type").unwrap_or(&Value::Null);
        errors.push(FieldError::invalid("type", value, "field is immutable"));
    }
}

fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let ports = object.pointer("/spec/ports").and_then(Value::as_array);
    let external = object.pointer("/spec/type").is_some_and(|kind| kind == "ExternalName");
    let headless = object.pointer("/spec/clusterIP").is_some_and(|ip| ip == "None");
    if !external && !headless && ports.is_none_or(Vec::is_empty) {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (n, port) in ports.into_iter().flatten().enumerate() {
        for name in ["port", "targetPort"] {
            let number = port.get(name).cloned().unwrap_or(Value::Null);
            if number.as_i64().is_some_and(|number| !(1..=65535).contains(&number)) {
                let field = format!("spec.ports[{n}].{name}");
                let detail = "must be between 1 and 65535, inclusive";
                errors.push(FieldError::invalid(field, &number, detail));
            }
        }
        if ports.is_some_and(|ports| ports.len() > 1)
            && port.get("name").and_then(Value::as_str).is_none_or(str::is_empty)
        {
            errors.push(FieldError::required(format!("spec.ports[{n}].name"), ""));
        }
    }
}

fn pod(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let containers = object.pointer("/spec/containers").and_then(Value::as_array);
    if containers.is_some_and(Vec::is_empty) {
        errors.push(FieldError::required("spec.containers", ""));
    }
    let node = |object: &Value| object.pointer("/spec/nodeName").cloned();
    if let Some(old) = old
        && let (Some(before), now) = (node(old), node(object))
        && now.as_ref() != Some(&before)
    {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
                      `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                      `spec.tolerations` (only additions to existing tolerations),\
                      `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                      previously negative)";
        errors.push(FieldError::forbidden("spec", detail));
    }
}

/// Selectors must select the template, and stay.
fn workload(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let selector = object.pointer("/spec/selector").unwrap_or(&Value::Null);
    let labels = object.pointer("/spec/template/metadata/labels").unwrap_or(&Value::Null);
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let matches = wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    if selector.is_object() && !matches {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, detail));
    }
    if object
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        errors.push(FieldError::required("spec.template.spec.containers", ""));
    }
    let Some(old) = old else { return };
    let before = old.pointer("/spec/selector").unwrap_or(&Value::Null);
    if equal(before, selector) {
        return;
    }
    if kind == "StatefulSet" {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                      'template', 'updateStrategy', 'revisionHistoryLimit', \
                      'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.push(FieldError::forbidden("spec", detail));
    } else {
        errors.push(FieldError::invalid("spec.selector", selector, "field is immutable"));
    }
}

/// A binding keeps its role.
fn binding(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let role = object.get("roleRef").unwrap_or(&Value::Null);
    match role.get("kind").and_then(Value::as_str) {
        Some("Role" | "ClusterRole") => {}
        other => {
            let kind = Value::from(other.unwrap_or_default());
            let kinds = ["ClusterRole", "Role"];
            errors.push(FieldError::not_supported("roleRef.kind", &kind, &kinds));
        }
    }
    if role.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    for (n, subject) in
        object.get("subjects").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        if subject.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            errors.push(FieldError::required(format!("subjects[{n}].name"), ""));
        }
    }
    if let Some(before) = old.and_then(|old| old.get("roleRef"))
        && before != role
    {
        errors.push(FieldError::invalid("roleRef", role, "cannot change roleRef"));
    }
}
