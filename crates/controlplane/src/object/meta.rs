//! `metadata`: where it says the object is, what may change, and what is well-formed.

use serde_json::{Value, json};

use super::{Target, metadata, text};
use crate::builtin::name;
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

/// Takes away what only the server says of a new object.
pub(super) fn wipe(object: &mut Value) -> Served<()> {
    let metadata = metadata(object)?;
    for key in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "creationTimestamp"]
    {
        metadata.shift_remove(key);
    }
    Ok(())
}

/// Makes name and namespace of the request and of a new object agree.
pub(super) fn locate(target: &mut Target, object: &mut Value) -> Served<()> {
    let namespaced = target.resource.namespaced;
    let wanted = target.namespace.clone();
    let metadata = metadata(object)?;
    match metadata.get("namespace").and_then(Value::as_str).unwrap_or_default() {
        "" if namespaced => {
            metadata.insert("namespace".to_owned(), json!(wanted));
        }
        // kube-apiserver leaves out the namespace of what has none, whatever it is.
        _ if !namespaced => {
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
    if target.name.is_empty() {
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
    let start = text(metadata, "generateName");
    if let Some(start) = start {
        // What ends in a dash is to be judged as the start of a name.
        let name = match start.strip_suffix('-').and_then(|it| it.strip_suffix(|_: char| true)) {
            Some(rest) => format!("{rest}a"),
            None => start.to_owned(),
        };
        check_name(resource, &name, ("metadata.generateName", start), &mut errors);
    }
    match metadata["name"].as_str().unwrap_or_default() {
        "" if start.is_none() => {
            let why = "name or generateName is required";
            errors.push(FieldError::required("metadata.name", why));
        }
        name => check_name(resource, name, ("metadata.name", name), &mut errors),
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        check_key("metadata.labels", key, &mut errors);
        check_label_value(value, &mut errors);
    }
    let mut bytes = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        for why in name::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid_text("metadata.annotations", key, why));
        }
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

fn check_name(
    resource: &Resource,
    name: &str,
    (field, shown): (&str, &str),
    errors: &mut Vec<FieldError>,
) {
    let rbac = resource.group == "rbac.authorization.k8s.io";
    let wrong = match &*resource.store {
        _ if rbac => path_segment(name),
        "/events" => path_segment(name),
        "/namespaces" => name::label(name),
        "/services" => name::label_1035(name),
        _ => name::subdomain(name),
    };
    errors.extend(wrong.into_iter().map(|why| FieldError::invalid_text(field, shown, why)));
}

/// What is wrong with a name that may be anything that can stand in a path.
fn path_segment(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name == "." || name == ".." {
        wrong.push(format!("may not be '{name}'"));
    }
    wrong.extend(
        ["/", "%"]
            .iter()
            .filter(|it| name.contains(**it))
            .map(|it| format!("may not contain '{it}'")),
    );
    wrong
}

/// What is first wrong with the key of a label, if anything is.
pub(crate) fn qualified_name_problem(key: &str) -> Option<String> {
    name::qualified(key).into_iter().next()
}

/// What is wrong with the value of a label, if anything is.
pub(crate) fn value_problem(value: &str) -> Option<String> {
    name::label_value(value).into_iter().next()
}

fn check_key(field: &str, key: &str, errors: &mut Vec<FieldError>) {
    errors.extend(
        name::qualified(key).into_iter().map(|why| FieldError::invalid_text(field, key, why)),
    );
}

fn check_label_value(value: &Value, errors: &mut Vec<FieldError>) {
    let text = value.as_str().unwrap_or_default();
    for why in name::label_value(text) {
        errors.push(FieldError::invalid("metadata.labels", value, why));
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
            let word = |key: &str| text(owner, key).unwrap_or_default().to_owned();
            controllers.push(format!("{}/{}", word("kind"), word("name")));
        }
    }
    if controllers.len() > 1 {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
            controllers[0], controllers[1]
        );
        let mut error = FieldError::invalid("metadata.ownerReferences", &json!(0), &why);
        error.bad_value = owners_as_go(&metadata["ownerReferences"]);
        errors.push(error);
    }
}

/// The owners as Go writes them, whose structs have an order.
fn owners_as_go(owners: &Value) -> String {
    let order = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let one = |owner: &Value| -> Value {
        let members =
            order.iter().filter_map(|key| Some(((*key).to_owned(), owner.get(key)?.clone())));
        Value::Object(members.collect())
    };
    let all: Vec<Value> = owners.as_array().into_iter().flatten().map(one).collect();
    json!(all).to_string()
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
