//! `ConfigMap`s and Secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::name;
use super::spot::{Errors, Spot};
use crate::schema::FieldError;

/// The most bytes of all values together.
const MOST: usize = 1 << 20;

/// A `ConfigMap`.
pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    let (data, binary) = (Spot::of(object, "data"), Spot::of(object, "binaryData"));
    let mut size = 0;
    for (key, value) in data.entries() {
        judge_key(key, &value, errors);
        if binary.value.get(key).is_some() {
            let why = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid_text(&value.path, key, why));
        }
        size += value.text().len();
    }
    for (key, value) in binary.entries() {
        judge_key(key, &value, errors);
        size += decoded(&value).len();
    }
    if size > MOST {
        // The whole object is meant; so its path is printed.
        errors.push(too_long("[]"));
    }
}

/// A Secret.
pub(super) fn secret(object: &Value, errors: &mut Errors) {
    let data = Spot::of(object, "data");
    let mut size = 0;
    for (key, value) in data.entries() {
        judge_key(key, &value, errors);
        size += decoded(&value).len();
    }
    if size > MOST {
        errors.push(too_long("data"));
    }
    let has = |key: &str| data.value.get(key).is_some();
    let missing = |key: &str| FieldError::required(data.key(key).path, "");
    match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/service-account-token" => {
            let annotations = Spot::of(object, "metadata").at("annotations");
            let name = annotations.key("kubernetes.io/service-account.name");
            name.require("", errors);
        }
        "kubernetes.io/dockercfg" => json_at(&data.key(".dockercfg"), errors),
        "kubernetes.io/dockerconfigjson" => json_at(&data.key(".dockerconfigjson"), errors),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.extend(["username", "password"].map(missing));
        }
        "kubernetes.io/ssh-auth" if decoded(&data.key("ssh-privatekey")).is_empty() => {
            errors.push(missing("ssh-privatekey"));
        }
        "kubernetes.io/tls" => {
            errors.extend(["tls.crt", "tls.key"].into_iter().filter(|key| !has(key)).map(missing));
        }
        _ => {}
    }
}

fn judge_key(key: &str, value: &Spot<'_>, errors: &mut Errors) {
    for why in name::data_key(key) {
        errors.push(FieldError::invalid_text(&value.path, key, why));
    }
}

fn decoded(value: &Spot<'_>) -> Vec<u8> {
    STANDARD.decode(value.text()).unwrap_or_default()
}

fn too_long(field: &str) -> FieldError {
    FieldError::too_long(field, i64::try_from(MOST).unwrap_or(i64::MAX))
}

fn json_at(value: &Spot<'_>, errors: &mut Errors) {
    if !value.is_set() {
        return errors.push(FieldError::required(&value.path, ""));
    }
    if let Some(why) = crate::http::json_problem(&decoded(value)) {
        errors.push(FieldError::invalid_text(&value.path, "<secret contents redacted>", why));
    }
}

/// What is immutable stays.
pub(super) fn changes(object: &Value, old: &Value, errors: &mut Errors) {
    if old.get("type").is_some() && old.get("type") != object.get("type") {
        let value = object.get("type").unwrap_or(&Value::Null);
        errors.push(FieldError::invalid("type", value, "field is immutable"));
    }
    if old["immutable"] != true {
        return;
    }
    let why = "field is immutable when `immutable` is set";
    if object["immutable"] != true {
        errors.push(FieldError::forbidden("immutable", why));
    }
    for field in ["data", "binaryData"] {
        if object.get(field) != old.get(field) {
            errors.push(FieldError::forbidden(field, why));
        }
    }
}
