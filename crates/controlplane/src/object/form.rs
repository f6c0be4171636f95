//! The form of objects: versions, defaults, unknown fields, managed fields and validation.

use serde_json::{Map, Value, json};

use super::{Target, Validation, Write, autoscaler, kind};
use crate::builtin;
use crate::catalog::Resource;
use crate::fields;
use crate::protobuf;
use crate::schema::{FieldError, Schema};
use crate::status::{About, Refused, Served};
use crate::store::Object;

/// A stored object in the version of `resource`.
pub(crate) fn in_version(resource: &Resource, object: &Object) -> Value {
    let mut value = object.value();
    convert(resource, &mut value, object.revision);
    value
}

/// Rewrites a value stored at `revision` to the version of `resource`.
fn convert(resource: &Resource, value: &mut Value, revision: u64) {
    let api_version = resource.api_version();
    let other = value["apiVersion"] != api_version.as_str();
    value["apiVersion"] = json!(api_version);
    let older = resource.custom().is_some_and(|custom| revision < custom.since);
    if let Some(schema) = schema(resource).filter(|_| other || older) {
        // It was written under another schema; kube-apiserver reads it by that of the request, but
        // fills in only the defaults of the version that it is stored in.
        schema.prune(value);
        if !other {
            schema.default(value);
        }
    }
    if resource.group == "events.k8s.io" {
        kind::event_from_core(value);
    }
    if is_old_autoscaler(resource) {
        autoscaler::to_v1(value);
    }
    if resource.group == "events.k8s.io" || is_old_autoscaler(resource) {
        protobuf::complete(value);
    }
}

fn is_old_autoscaler(resource: &Resource) -> bool {
    resource.group == "autoscaling" && resource.version == "v1"
}

/// Rewrites an object of the version of `resource` to the one that is stored.
pub(super) fn store(resource: &Resource, value: &mut Value) {
    // kube-apiserver fills in defaults whenever it reads: also those of a status that a request
    // for the object itself cannot carry.
    if let Some(schema) = schema(resource) {
        schema.default(value);
    }
    if let Some(stored) = resource.custom().and_then(|custom| custom.stored_schema.as_deref()) {
        stored.prune(value);
        stored.default(value);
    }
    if resource.group == "events.k8s.io" {
        kind::event_to_core(value);
    }
    value["apiVersion"] = json!(resource.stored_as);
    if is_old_autoscaler(resource) {
        autoscaler::to_v2(value);
        builtin::default(&resource.group, &resource.kind, value);
    }
    if resource.custom().is_none() {
        protobuf::forget_empty(value);
    }
}

/// Takes in a wanted state: checks its type, drops what is unknown, fills in defaults. Gives what
/// the client is to be warned of.
pub(super) fn decode(
    target: &Target,
    object: &mut Value,
    write: &Write,
    patched: bool,
) -> Served<Vec<String>> {
    let resource = &target.resource;
    check_type(resource, object)?;
    drop_empty(object);
    let mut problems = write.body_problems.clone();
    let unknown = match schema(resource) {
        Some(schema) => {
            let unknown = schema.prune(object);
            schema.default(object);
            unknown
        }
        None if resource.custom().is_none() => {
            let unknown = decode_built_in(resource, object, patched)?;
            kind::default(target, object);
            unknown
        }
        None => Vec::new(),
    };
    problems.extend(unknown.iter().map(|path| format!("unknown field {path:?}")));
    match write.validation {
        Validation::Strict if !problems.is_empty() => {
            Err(strict(resource, object, &problems, patched))
        }
        // Who is only warned is not told who found it.
        Validation::Warn => {
            let plain = |it: String| {
                it.strip_prefix("yaml: unmarshal errors:")
                    .map_or(it.clone(), |rest| rest.trim().to_owned())
            };
            Ok(problems.into_iter().map(plain).collect())
        }
        Validation::Strict | Validation::Ignore => Ok(Vec::new()),
    }
}

fn decode_built_in(resource: &Resource, object: &mut Value, patched: bool) -> Served<Vec<String>> {
    let (group, version, kind) = (&resource.group, &resource.version, &resource.kind);
    if let Some(error) = builtin::decoding_error(group, version, kind, object) {
        if patched {
            return Err(bad_patch(object, error));
        }
        return Err(Refused::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {error}"
        )));
    }
    let unknown = builtin::prune(group, version, kind, object);
    builtin::default(group, kind, object);
    Ok(unknown)
}

fn strict(resource: &Resource, object: &Value, problems: &[String], patched: bool) -> Box<Refused> {
    let why = format!("strict decoding error: {}", problems.join(", "));
    if patched {
        return bad_patch(object, why);
    }
    let kind = &resource.kind;
    Refused::bad_request(format!(
        "{kind} in version {:?} cannot be handled as a {kind}: {why}",
        resource.version
    ))
}

fn schema(resource: &Resource) -> Option<&Schema> {
    resource.custom().and_then(|custom| custom.schema.as_deref())
}

/// The refusal of a patch whose result cannot be read.
fn bad_patch(object: &Value, why: String) -> Box<Refused> {
    let error = FieldError::invalid_text("patch", &object.to_string(), why);
    Refused::invalid(About { group: "", what: "", name: "" }, &[error])
}

fn check_type(resource: &Resource, object: &mut Value) -> Served<()> {
    let Some(members) = object.as_object_mut() else {
        return Err(Refused::bad_request("the body of the request is not an object"));
    };
    let want = resource.api_version();
    let custom = resource.custom().is_some();
    if !custom {
        check_built_in(resource, members, &want)?;
    }
    for (key, wanted) in [("apiVersion", want.as_str()), ("kind", resource.kind.as_str())] {
        match members.get(key).and_then(Value::as_str).filter(|v| !v.is_empty()) {
            Some(given) if given == wanted => {}
            Some(given) if key == "apiVersion" => {
                return Err(Refused::bad_request(format!(
                    "the API version in the data ({given}) does not match the expected API version ({want})"
                )));
            }
            Some(given) => return Err(unconvertible(resource, &resource.version, given)),
            None if custom => {
                return Err(Refused::bad_request(format!("Object '{}' is missing", title(key))));
            }
            None => {
                members.insert(key.to_owned(), json!(wanted));
            }
        }
    }
    Ok(())
}

/// Refuses a built-in object of another kind: one that is known, or one that is not.
fn check_built_in(resource: &Resource, members: &Map<String, Value>, want: &str) -> Served<()> {
    let given = |key: &str| members.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    let api_version = given("apiVersion").unwrap_or(want);
    let given_kind = given("kind").unwrap_or(&resource.kind);
    if api_version == want && given_kind == resource.kind {
        return Ok(());
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if builtin::type_of(group, version, given_kind).is_some() {
        return Err(unconvertible(resource, version, given_kind));
    }
    let kind = &resource.kind;
    Err(Refused::bad_request(format!(
        "{given_kind} in version {version:?} cannot be handled as a {kind}: no kind {given_kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:110\""
    )))
}

/// The refusal of an object of another kind.
fn unconvertible(resource: &Resource, version: &str, given: &str) -> Box<Refused> {
    let wanted = &resource.kind;
    Refused::bad_request(format!(
        "{given} in version {version:?} cannot be handled as a {wanted}: converting ({version}.{given}) to ({}.{wanted}): unknown conversion",
        resource.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core"),
    ))
}

fn title(key: &str) -> &str {
    if key == "kind" { "Kind" } else { "apiVersion" }
}

/// Records who owns the fields of a new object.
pub(super) fn track_creation(target: &Target, object: &mut Value, write: &Write) {
    // Go's empty object has more in it than none: what is there already is not owned by who fills it.
    let empty = protobuf::empty(&target.resource.api_version(), &target.resource.kind);
    track(target, empty.as_ref(), object, write);
}

/// Records who changed which fields.
pub(super) fn track_update(target: &Target, old: &Value, object: &mut Value, write: &Write) {
    track(target, Some(old), object, write);
}

fn track(target: &Target, old: Option<&Value>, object: &mut Value, write: &Write) {
    let resets = resets(target, object);
    let resets: Vec<_> = resets.iter().map(String::as_str).collect();
    let how = fields::Update {
        manager: &write.manager,
        api_version: &target.resource.api_version(),
        subresource: &target.subresource,
        reset: &resets,
        now: jiff::Timestamp::now(),
    };
    fields::update(old, object, &target.resource.fields, &how);
}

/// The paths that a request cannot change: status by way of the object, the rest by way of status.
pub(crate) fn resets(target: &Target, object: &Value) -> Vec<String> {
    if target.subresource == "status" {
        let others = object.as_object().into_iter().flat_map(|members| members.keys());
        return others
            .filter(|key| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
            .cloned()
            .chain(guarded(target).iter().map(|it| (*it).to_owned()))
            .collect();
    }
    if target.resource.status { vec!["status".to_owned()] } else { Vec::new() }
}

/// What the client of an accepted write is to be warned of.
pub(super) fn warnings(target: &Target, object: &Value) -> Vec<String> {
    let resource = &target.resource;
    match (resource.custom(), target.subresource.as_str()) {
        (None, "") => builtin::warnings(&resource.group, &resource.kind, object),
        _ => Vec::new(),
    }
}

/// What of `metadata` cannot be changed by way of the status.
fn guarded(target: &Target) -> &'static [&'static str] {
    match (target.resource.custom(), &*target.resource.store) {
        (None, "apps/deployments") => &["metadata.labels"],
        (None, "/pods") => &["metadata.deletionTimestamp", "metadata.ownerReferences"],
        _ => &[],
    }
}

/// Checks an object by its schema or the rules of its built-in kind.
pub(super) fn validate(target: &Target, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let resource = &target.resource;
    match (schema(resource), resource.custom()) {
        (Some(schema), _) => schema.validate(new, old),
        (None, Some(_)) => Vec::new(),
        (None, None) => {
            let of = target.subresource.as_str();
            builtin::validate(&resource.group, &resource.kind, new, old, of)
        }
    }
}

/// Leaves out the members of `metadata` that are empty, as Go does when it writes them.
fn drop_empty(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, member| match member {
            // An empty list of managers is a wish to forget them.
            Value::Array(_) if name == "managedFields" => true,
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        });
    }
}
