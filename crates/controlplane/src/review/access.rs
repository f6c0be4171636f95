//! `SubjectAccessReview` and its relatives.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{invalid, set_status, text, texts};
use crate::access::{Action, aggregate};
use crate::api::Api;
use crate::schema::FieldError;
use crate::status::{Refused, Served};
use crate::user::User;

const GROUP: &str = "authorization.k8s.io";

/// Answers whether somebody may do something; `SelfSubjectAccessReview` asks for the user itself.
pub(super) fn access_review(api: &Api, kind: &str, object: &mut Value, user: &User) -> Served<()> {
    let itself = kind == "SelfSubjectAccessReview";
    let errors = check(kind, object, itself);
    if !errors.is_empty() {
        return Err(invalid(GROUP, &errors));
    }
    let spec = &object["spec"];
    let asked;
    let subject = if itself {
        user
    } else {
        asked = subject(spec);
        &asked
    };
    let decision = api.access.decide(&api.store, subject, &action(spec));
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = json!(decision.reason);
    }
    set_status(object, status);
    Ok(())
}

fn subject(spec: &Value) -> User {
    let extra = spec["extra"].as_object().into_iter().flatten();
    let extra: BTreeMap<_, _> = extra.map(|(key, values)| (key.clone(), texts(values))).collect();
    User { name: text(spec, "user"), uid: text(spec, "uid"), groups: texts(&spec["groups"]), extra }
}

fn action(spec: &Value) -> Action {
    let resource = &spec["resourceAttributes"];
    if resource.is_object() {
        return Action {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            version: text(resource, "version"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
            path: None,
        };
    }
    let path = &spec["nonResourceAttributes"];
    Action { verb: text(path, "verb"), path: Some(text(path, "path")), ..Action::default() }
}

fn check(kind: &str, object: &Value, itself: bool) -> Vec<FieldError> {
    let (spec, mut errors) = (&object["spec"], Vec::new());
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_object() && path.is_object() {
        let why = "cannot be specified in combination with resourceAttributes";
        // Go shows it as its internal type.
        let shown = json!({"Path": text(path, "path"), "Verb": text(path, "verb")});
        errors.push(FieldError::invalid("spec.nonResourceAttributes", &shown, why));
    }
    if !resource.is_object() && !path.is_object() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid("spec.resourceAttributes", &Value::Null, why));
    }
    if !itself && text(spec, "user").is_empty() && texts(&spec["groups"]).is_empty() {
        let why = "at least one of user or group must be specified";
        errors.push(FieldError::invalid("spec.user", &json!(""), why));
    }
    let local = kind == "LocalSubjectAccessReview";
    let metadata = object["metadata"].as_object().into_iter().flatten();
    let mut others =
        metadata.filter(|(key, _)| *key != "managedFields" && !(local && *key == "namespace"));
    if others.next().is_some() {
        let why = if local { "must be empty except for namespace" } else { "must be empty" };
        errors.push(FieldError::invalid("metadata", &object["metadata"], why));
    }
    if local
        && resource.is_object()
        && text(resource, "namespace") != text(&object["metadata"], "namespace")
    {
        let given = json!(text(resource, "namespace"));
        let why = "must match metadata.namespace";
        errors.push(FieldError::invalid("spec.resourceAttributes.namespace", &given, why));
    }
    if local && path.is_object() {
        let why = "disallowed on this kind of request";
        errors.push(FieldError::invalid("spec.nonResourceAttributes", path, why));
    }
    errors
}

/// Answers with all that `user` may do in a namespace.
pub(super) fn rules_review(api: &Api, object: &mut Value, user: &User) -> Served<()> {
    let namespace = text(&object["spec"], "namespace");
    if namespace.is_empty() {
        return Err(Refused::bad_request("no namespace on request"));
    }
    let (rules, errors) = api.access.rules(&api.store, user, &namespace);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in &rules {
        let (resource, path) = rule.shown();
        resources.extend(resource);
        paths.extend(path);
    }
    let mut status = json!({
        "resourceRules": resources, "nonResourceRules": paths, "incomplete": false,
    });
    if !errors.is_empty() {
        status["evaluationError"] = json!(aggregate(errors));
    }
    object["metadata"] = json!({});
    object["spec"] = json!({});
    set_status(object, status);
    Ok(())
}
