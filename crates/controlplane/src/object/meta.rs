//! `metadata`: where it says the object is, what may change, and what is well-formed.

use serde_json::{Value, json};

use super::{Target, create, metadata, text};
use crate::catalog::{Origin, Resource};
use crate::schema::FieldError;
use crate::status::{Refused, Served};

const IMMUTABLE: [&str; 6] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];
/// The most bytes of all annotations together.
const ANNOTATION_BYTES: i64 = 256 << 10;
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Makes name and namespace of the request and of a new object agree.
pub(super) fn locate(target: &mut Target, object: &mut Value) -> Served<()> {
    let namespaced = target.resource.namespaced;
    let wanted = target.namespace.clone();
    let about = target.clone();
    let metadata = metadata(object)?;
    match metadata.get("namespace").and_then(Value::as_str).unwrap_or_default() {
        "" if namespaced => {
            metadata.insert("namespace".to_owned(), json!(wanted));
        }
        "" => {
            metadata.shift_remove("namespace");
        }
        given if given == wanted => {}
        _ => {
            return Err(Refused::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let generate = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
    if target.name.is_empty() {
        if name.is_empty() && generate.is_empty() {
            return Err(create::nameless(about.about_kind()));
        }
        target.name = name;
    } else if name.is_empty() {
        metadata.insert("name".to_owned(), json!(target.name));
    } else if name != target.name {
        return Err(name_mismatch(&name, &target.name));
    }
    Ok(())
}

/// The refusal of a body that names another object than the URL does.
pub(super) fn name_mismatch(object: &str, url: &str) -> Box<Refused> {
    Refused::bad_request(format!(
        "the name of the object ({object}) does not match the name on the URL ({url})"
    ))
}

/// Checks the metadata of an object about to be stored.
pub(super) fn validate(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let metadata = &object["metadata"];
    let mut errors = Vec::new();
    if let Some(start) = text(metadata, "generateName")
        && text(metadata, "name").is_none()
    {
        check_name(resource, start.trim_end_matches('-'), "metadata.generateName", &mut errors);
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    check_name(resource, name, "metadata.name", &mut errors);
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        check_key("metadata.labels", key, &mut errors);
        check_label_value(value, &mut errors);
    }
    let mut bytes = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        check_key("metadata.annotations", &key.to_lowercase(), &mut errors);
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if i64::try_from(bytes).is_ok_and(|bytes| bytes > ANNOTATION_BYTES) {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATION_BYTES));
    }
    check_owners(metadata, &mut errors);
    check_finalizers(resource, metadata, &mut errors);
    errors
}

/// Checks what must not change between two states of an object.
pub(super) fn validate_update(old: &Value, new: &Value) -> Vec<FieldError> {
    let (old, new) = (&old["metadata"], &new["metadata"]);
    let mut errors: Vec<_> = IMMUTABLE
        .iter()
        .filter(|key| old[**key] != new[**key])
        .map(|key| FieldError::invalid(format!("metadata.{key}"), &new[*key], "field is immutable"))
        .collect();
    if old["deletionTimestamp"].is_string() {
        let before = finalizers(old);
        let added: Vec<_> = finalizers(new).into_iter().filter(|f| !before.contains(f)).collect();
        if !added.is_empty() {
            let list: Vec<_> = added.iter().map(|f| format!("{f:?}")).collect();
            errors.push(FieldError::forbidden(
                "metadata.finalizers",
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    list.join(", ")
                ),
            ));
        }
    }
    errors
}

/// `metadata.finalizers`.
pub(super) fn finalizers(metadata: &Value) -> Vec<&str> {
    metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn check_name(resource: &Resource, name: &str, field: &str, errors: &mut Vec<FieldError>) {
    let bad = |why: &str| FieldError::invalid(field, &json!(name), why);
    if resource.group == "rbac.authorization.k8s.io" || &*resource.store == "/events" {
        if name == "." || name == ".." {
            errors.push(bad(&format!("may not be '{name}'")));
        }
        for part in ["/", "%"] {
            if name.contains(part) {
                errors.push(bad(&format!("may not contain '{part}'")));
            }
        }
        return;
    }
    let (limit, rule, holds) = match &*resource.store {
        "/namespaces" => (63, LABEL, is_label(name)),
        "/services" => {
            (63, LABEL_1035, is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()))
        }
        _ => (253, SUBDOMAIN, is_subdomain(name)),
    };
    if name.len() > limit {
        errors.push(bad(&format!("must be no more than {limit} bytes")));
    }
    if !holds {
        errors.push(bad(rule));
    }
}

fn is_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

pub(super) fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_qualified(part: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && edge(part.bytes().next())
        && edge(part.bytes().last())
}

/// What is first wrong with the key of a label, if anything is.
pub(crate) fn qualified_name_problem(key: &str) -> Option<String> {
    let mut errors = Vec::new();
    check_key("", key, &mut errors);
    errors.into_iter().next().map(|error| error.detail)
}

/// What is wrong with the value of a label, if anything is.
pub(crate) fn value_problem(value: &str) -> Option<String> {
    let mut errors = Vec::new();
    check_label_value(&json!(value), &mut errors);
    errors.into_iter().next().map(|error| error.detail)
}

fn check_key(field: &str, key: &str, errors: &mut Vec<FieldError>) {
    let mut bad = |why: &str| errors.push(FieldError::invalid(field, &json!(key), why));
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.contains('/') {
        bad(
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        );
        return;
    }
    match prefix {
        Some("") => bad("prefix part must be non-empty"),
        Some(prefix) if prefix.len() > 253 => bad("prefix part must be no more than 253 bytes"),
        Some(prefix) if !is_subdomain(prefix) => bad(&format!("prefix part {SUBDOMAIN}")),
        _ => {}
    }
    if name.is_empty() {
        bad("name part must be non-empty");
    } else if name.len() > 63 {
        bad("name part must be no more than 63 bytes");
    }
    if !is_qualified(name) {
        bad(QUALIFIED);
    }
}

fn check_label_value(value: &Value, errors: &mut Vec<FieldError>) {
    let text = value.as_str().unwrap_or_default();
    if text.len() > 63 {
        errors.push(FieldError::invalid("metadata.labels", value, "must be no more than 63 bytes"));
    }
    if !text.is_empty() && !is_qualified(text) {
        errors.push(FieldError::invalid("metadata.labels", value, LABEL_VALUE));
    }
}

fn check_owners(metadata: &Value, errors: &mut Vec<FieldError>) {
    let mut controllers = Vec::new();
    for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, key).is_none() {
                let field = format!("metadata.ownerReferences.{key}");
                let value = owner.get(key).cloned().unwrap_or_else(|| json!(""));
                let why = if key == "apiVersion" {
                    "version must not be empty"
                } else {
                    "must not be empty"
                };
                errors.push(FieldError::invalid(&field, &value, why));
            }
        }
        if owner["controller"] == true {
            controllers.push(text(owner, "kind").unwrap_or_default().to_owned());
        }
    }
    if controllers.len() > 1 {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            controllers[0], controllers[1]
        );
        errors.push(FieldError::invalid(
            "metadata.ownerReferences",
            &metadata["ownerReferences"],
            &why,
        ));
    }
}

/// Built-in kinds take qualified names only; for custom ones kube-apiserver merely warns.
fn check_finalizers(resource: &Resource, metadata: &Value, errors: &mut Vec<FieldError>) {
    let is_builtin = matches!(resource.origin, Origin::BuiltIn);
    let all = finalizers(metadata);
    for (position, finalizer) in all.iter().enumerate() {
        let before = errors.len();
        check_key("metadata.finalizers", finalizer, errors);
        let standard = matches!(*finalizer, "orphan" | "foregroundDeletion" | "kubernetes");
        if is_builtin && errors.len() == before && !standard && !finalizer.contains('/') {
            let field = format!("metadata.finalizers[{position}]");
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(field, &json!(finalizer), why));
        }
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        errors.push(FieldError::invalid(
            "metadata.finalizers",
            &metadata["finalizers"],
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
}
