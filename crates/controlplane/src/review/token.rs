//! `TokenRequest`: tokens for `ServiceAccounts`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{text, texts};
use crate::account::{self, AUDIENCE, Bound, Wish};
use crate::api::Api;
use crate::catalog::token_request;
use crate::object::{Target, Write, take_review};
use crate::schema::{FieldError, go};
use crate::status::{About, Refused, Served};
use crate::store::Object;

const GROUP: &str = "authentication.k8s.io";
/// The shortest and the usual life of a token, in seconds.
const LEAST_LIFE: i64 = 600;
const USUAL_LIFE: i64 = 3600;
/// The longest life that may be asked for, in seconds.
const MOST_LIFE: i64 = 1 << 32;

/// Makes a token for the ServiceAccount `target`; also gives what the client is to be warned of.
pub(crate) fn token(
    api: &Api,
    target: &Target,
    mut request: Value,
    write: &Write,
) -> Served<(Value, Vec<String>)> {
    let place = Target { resource: token_request(), ..target.clone() };
    default(&mut request)?;
    let named = check_name(target, &request);
    let warnings = take_review(&place, &mut request, write)?;
    named?;
    let account = find(api, "/serviceaccounts", &target.path(), target.about())?;
    check_uid(target, &request, &account)?;
    let now = Timestamp::now();
    complete(&mut request, target, &account, now);
    let life = check_life(&request)?;
    let bound = bound(api, target, &request)?;
    let audiences = texts(&request["spec"]["audiences"]);
    let wish = Wish {
        namespace: &target.namespace,
        name: &target.name,
        uid: &account.meta.uid,
        bound: &bound,
        audiences: &audiences,
        now,
        life,
    };
    let token = account::issue(&api.key, &wish)
        .ok_or_else(|| Refused::internal("failed to generate token"))?;
    let ends = now + SignedDuration::from_secs(life);
    request["status"] = json!({
        "token": token,
        "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    Ok((request, warnings))
}

/// Fills in how long a token holds.
fn default(request: &mut Value) -> Served<()> {
    let members = request
        .as_object_mut()
        .ok_or_else(|| Refused::bad_request("the body of the request is not an object"))?;
    let spec = members.entry("spec").or_insert_with(|| Value::Object(Map::new()));
    if let Some(spec) = spec.as_object_mut()
        && spec.get("expirationSeconds").is_none_or(Value::is_null)
    {
        spec.insert("expirationSeconds".to_owned(), json!(USUAL_LIFE));
    }
    Ok(())
}

fn invalid(name: &str, error: FieldError) -> Box<Refused> {
    Refused::invalid(About { group: GROUP, what: "TokenRequest", name }, &[error])
}

/// A body that names an account must name that of the URL.
fn check_name(target: &Target, request: &Value) -> Served<()> {
    let name = text(&request["metadata"], "name");
    if name.is_empty() || name == target.name {
        return Ok(());
    }
    let why = "must match the service account name if specified";
    Err(invalid(&target.name, FieldError::invalid("metadata.name", &json!(name), why)))
}

fn check_uid(target: &Target, request: &Value, account: &Object) -> Served<()> {
    let uid = text(&request["metadata"], "uid");
    if uid.is_empty() || *uid == *account.meta.uid {
        return Ok(());
    }
    let about = About { group: GROUP, what: "TokenRequest", name: &target.name };
    let live = &account.meta.uid;
    Err(Refused::conflict(
        about,
        &format!(
            "the UID in the token request ({uid}) does not match the UID of the service account ({live})"
        ),
    ))
}

fn complete(request: &mut Value, target: &Target, account: &Object, now: Timestamp) {
    let metadata = request["metadata"].as_object().cloned().unwrap_or_default();
    let mut shown = Map::new();
    shown.insert("name".to_owned(), json!(target.name));
    shown.insert("namespace".to_owned(), json!(target.namespace));
    shown.insert("uid".to_owned(), json!(account.meta.uid));
    let created = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    shown.insert("creationTimestamp".to_owned(), json!(created));
    for (key, value) in metadata {
        shown.entry(key).or_insert(value);
    }
    request["metadata"] = Value::Object(shown);
    let spec = &mut request["spec"];
    if texts(&spec["audiences"]).is_empty() {
        spec["audiences"] = json!([AUDIENCE]);
    }
    if !spec["boundObjectRef"].is_object() {
        spec["boundObjectRef"] = Value::Null;
    }
    // Go's empty request has the member already, so that nobody owns that it is there.
    let owned = "/metadata/managedFields/0/fieldsV1/f:spec/f:boundObjectRef";
    if let Some(owned) = request.pointer_mut(owned).and_then(Value::as_object_mut) {
        owned.shift_remove(".");
    }
}

fn check_life(request: &Value) -> Served<i64> {
    let life = request["spec"]["expirationSeconds"].as_i64().unwrap_or(USUAL_LIFE);
    let why = if life < LEAST_LIFE {
        "may not specify a duration less than 10 minutes"
    } else if life > MOST_LIFE {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(life);
    };
    Err(invalid("", FieldError::invalid("spec.expirationSeconds", &json!(life), why)))
}

/// The objects that the token is to be bound to: at most one, and the node of a pod.
fn bound(api: &Api, target: &Target, request: &Value) -> Served<Vec<Bound>> {
    let reference = &request["spec"]["boundObjectRef"];
    if !reference.is_object() {
        return Ok(Vec::new());
    }
    let (api_version, kind) = (text(reference, "apiVersion"), text(reference, "kind"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let (kind, plural) = match (group, kind.as_str()) {
        ("", "Pod") => ("pod", "pods"),
        ("", "Secret") => ("secret", "secrets"),
        ("", "Node") => ("node", "nodes"),
        _ => {
            return Err(Refused::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let name = text(reference, "name");
    let path = if kind == "node" { name.clone() } else { format!("{}/{name}", target.namespace) };
    let about = About { group: "", what: plural, name: &name };
    let live = find(api, &format!("/{plural}"), &path, about)?;
    let mut all = Vec::new();
    if kind == "pod" {
        all.extend(node_of(api, target, &live.value())?);
    }
    let uid = text(reference, "uid");
    if !uid.is_empty() && *uid != *live.meta.uid {
        let about = About { group: "", what: &text(reference, "kind"), name: &name };
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Refused::conflict(about, &why));
    }
    all.insert(0, Bound { kind, uid: live.meta.uid.to_string(), name });
    Ok(all)
}

/// The node of a pod that runs as the ServiceAccount.
fn node_of(api: &Api, target: &Target, pod: &Value) -> Served<Option<Bound>> {
    if text(&pod["spec"], "serviceAccountName") != target.name {
        return Err(Refused::bad_request(format!(
            "cannot bind token for serviceaccount {} to pod running with different serviceaccount name.",
            go::quote(&target.name)
        )));
    }
    let name = text(&pod["spec"], "nodeName");
    let uid = api.store.get("/nodes", &name).map(|n| n.meta.uid.to_string()).unwrap_or_default();
    Ok((!name.is_empty()).then_some(Bound { kind: "node", name, uid }))
}

fn find(api: &Api, resource: &str, path: &str, about: About<'_>) -> Served<Arc<Object>> {
    api.store.get(resource, path).ok_or_else(|| Refused::not_found(about))
}
