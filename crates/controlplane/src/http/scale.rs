//! The scale subresource: a workload seen as a number of replicas.

use http::HeaderMap;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body;
use super::patch::refused;
use super::render::View;
use crate::api::Api;
use crate::catalog::{Resource, Scale};
use crate::object::{self, Change, Target, Write};
use crate::patch;
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};

/// Shows the scale of an object.
pub(super) fn get(api: &Api, target: &Target, view: &View) -> Served<Answer> {
    let object = api
        .store
        .get(&target.resource.store, &target.path())
        .ok_or_else(|| Refused::not_found(target.about()))?;
    let value = object::in_version(&target.resource, &object);
    if let (Some(paths), Some(_)) = (&target.resource.scale, target.resource.custom())
        && get_at(&value, &paths.spec).is_null()
    {
        return Err(Refused::internal(&format!(
            "the spec replicas field {:?} does not exist",
            paths.spec
        )));
    }
    let scale = scale_of(&target.resource, &value);
    Ok(Answer::value(&view.scale(&scale).unwrap_or(scale)))
}

struct Rescale<'a> {
    target: &'a Target,
    wish: Wish,
}

enum Wish {
    Replace(Value),
    Merge(Value),
    Steps(Value),
}

impl Change for Rescale<'_> {
    fn wanted(&self, live: &Value) -> Served<Value> {
        let resource = &self.target.resource;
        let mut scale = scale_of(resource, live);
        match &self.wish {
            Wish::Replace(body) => scale = body.clone(),
            Wish::Merge(patch) => {
                scale = patch::merge(&scale, patch).map_err(|e| refused(&e))?;
            }
            Wish::Steps(patch) => {
                scale = patch::json(&scale, patch).map_err(|e| refused(&e))?;
            }
        }
        let name = scale["metadata"]["name"].as_str().unwrap_or_default();
        if !name.is_empty() && name != self.target.name {
            let url = &self.target.name;
            return Err(Refused::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({url})"
            )));
        }
        let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        if replicas < 0 {
            let why = "must be greater than or equal to 0";
            let error = FieldError::invalid("spec.replicas", &json!(replicas), why);
            let name = self.target.name.as_str();
            return Err(Refused::invalid(
                About { group: "autoscaling", what: "Scale", name },
                &[error],
            ));
        }
        let mut wanted = live.clone();
        if let Some(revision) =
            scale["metadata"]["resourceVersion"].as_str().filter(|r| !r.is_empty())
        {
            wanted["metadata"]["resourceVersion"] = json!(revision);
        }
        if let Some(paths) = &resource.scale {
            set(&mut wanted, &paths.spec, json!(replicas));
        }
        Ok(wanted)
    }

    fn is_patch(&self) -> bool {
        true
    }
}

/// PUT or PATCH of the scale of an object.
pub(super) async fn change(
    api: &Api,
    target: &Target,
    write: &Write,
    (headers, bytes, patch): (&HeaderMap, &[u8], bool),
) -> Served<Answer> {
    let wish = if patch {
        let decoded = body::json(bytes)?.value;
        match body::media_type(headers) {
            "application/json-patch+json" => Wish::Steps(decoded),
            // A Scale has no lists, so a strategic merge is a plain one.
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                Wish::Merge(decoded)
            }
            _ => {
                return Err(Refused::unsupported_patch());
            }
        }
    } else {
        let scale = body::decode(headers, bytes, "Scale")?.value;
        let kind = scale["kind"].as_str().filter(|it| !matches!(*it, "" | "Scale"));
        if let Some(kind) = kind {
            let version = scale["apiVersion"].as_str().unwrap_or("v1");
            return Err(Refused::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a Scale: converting ({version}.{kind}) to (autoscaling.Scale): unknown conversion"
            )));
        }
        Wish::Replace(scale)
    };
    let outcome = api.update(target, &Rescale { target, wish }, write).await?;
    let value = object::in_version(&target.resource, &outcome.object);
    Ok(Answer::value(&scale_of(&target.resource, &value)))
}

fn scale_of(resource: &Resource, object: &Value) -> Value {
    let Some(paths) = &resource.scale else { return Value::Null };
    let metadata = &object["metadata"];
    let mut shown = json!({});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.get(key) {
            shown[key] = value.clone();
        }
    }
    let mut spec = json!({});
    if let Some(replicas) = get_at(object, &paths.spec).as_i64().filter(|n| *n != 0) {
        spec["replicas"] = json!(replicas);
    }
    let mut status = json!({"replicas": get_at(object, &paths.status).as_i64().unwrap_or(0)});
    if let Some(selector) = selector(paths, object) {
        status["selector"] = json!(selector);
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": spec,
        "status": status,
    })
}

fn selector(paths: &Scale, object: &Value) -> Option<String> {
    if let Some(path) = &paths.selector {
        return get_at(object, path).as_str().map(ToOwned::to_owned);
    }
    let selector = &object["spec"]["selector"];
    let labels = selector.get("matchLabels").unwrap_or(selector).as_object()?;
    let mut terms: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    terms.sort();
    Some(terms.join(","))
}

fn get_at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.trim_start_matches('.').split('.').fold(object, |value, key| &value[key])
}

fn set(object: &mut Value, path: &str, to: Value) {
    let mut at = object;
    for key in path.trim_start_matches('.').split('.') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[key];
    }
    *at = to;
}
