//! Pods and their templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{name, quantity};
use super::container;
use super::spot::{Errors, Spot};
use crate::schema::FieldError;
use crate::schema::value::equal;

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                     `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                     `spec.tolerations` (only additions to existing tolerations),\
                     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                     previously negative)";

/// A Pod.
pub(super) fn pod(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    annotations(&Spot::of(object, "metadata").at("annotations"), errors);
    spec(&Spot::of(object, "spec"), errors);
    if let Some(old) = old {
        changes(object, old, errors);
    }
}

/// What Pods are made from; it stands at `template`.
pub(super) fn template(template: &Spot<'_>, errors: &mut Errors) {
    let metadata = template.at("metadata");
    let labels = Spot { path: template.at("labels").path, ..metadata.at("labels") };
    labels.labels(errors);
    let marks = Spot { path: template.at("annotations").path, ..metadata.at("annotations") };
    for (key, _) in marks.entries() {
        for why in name::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid_text(&marks.path, key, why));
        }
    }
    spec(&template.at("spec"), errors);
}

fn annotations(annotations: &Spot<'_>, errors: &mut Errors) {
    let profile = annotations.at(SECCOMP);
    let known = ["runtime/default", "docker/default", "unconfined"];
    if profile.is_set()
        && !known.contains(&profile.text())
        && !profile.text().starts_with("localhost/")
    {
        profile.wrong("must be a valid seccomp profile", errors);
    }
}

/// The wanted state of a Pod.
pub(super) fn spec(spec: &Spot<'_>, errors: &mut Errors) {
    let volumes = volumes(&spec.at("volumes"), errors);
    container::all(spec, &volumes, errors);
    let restart = spec.at("restartPolicy");
    if restart.is_empty() {
        errors.push(FieldError::required(restart.path, ""));
    } else {
        restart.one_of(&["Always", "OnFailure", "Never"], errors);
    }
    let dns = spec.at("dnsPolicy");
    if dns.is_empty() {
        errors.push(FieldError::required(dns.path, ""));
    } else {
        dns.one_of(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    }
    spec.at("nodeSelector").labels(errors);
    for secret in spec.at("imagePullSecrets").items() {
        secret.at("name").require("", errors);
    }
    names(spec, errors);
    tolerations(&spec.at("tolerations"), errors);
}

fn names(spec: &Spot<'_>, errors: &mut Errors) {
    let given = |field: &str| Some(spec.at(field)).filter(|it| !it.text().is_empty());
    for field in ["serviceAccountName", "nodeName"] {
        if let Some(name) = given(field) {
            name.judge(name::subdomain, errors);
        }
    }
    let deadline = spec.at("activeDeadlineSeconds");
    if deadline.number().is_some_and(|it| !(1..=i64::from(i32::MAX)).contains(&it)) {
        deadline.wrong("must be between 1 and 2147483647, inclusive", errors);
    }
    for field in ["hostname", "subdomain"] {
        if let Some(name) = given(field) {
            name.judge(name::label, errors);
        }
    }
    for field in ["priorityClassName", "runtimeClassName"] {
        if let Some(name) = given(field) {
            name.judge(name::subdomain, errors);
        }
    }
}

fn tolerations(tolerations: &Spot<'_>, errors: &mut Errors) {
    for one in tolerations.items() {
        let (key, operator) = (one.at("key"), one.at("operator"));
        if !key.text().is_empty() {
            key.judge(name::qualified, errors);
        } else if operator.text() != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            operator.wrong(why, errors);
        }
        let effect = one.at("effect");
        if one.at("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            effect.wrong("effect must be 'NoExecute' when `tolerationSeconds` is set", errors);
        }
        match operator.text() {
            "" | "Equal" => one.at("value").judge(name::label_value, errors),
            "Exists" if !one.at("value").text().is_empty() => {
                errors.push(FieldError::invalid(
                    operator.path,
                    one.value,
                    "value must be empty when `operator` is 'Exists'",
                ));
            }
            "Exists" => {}
            _ => operator.one_of(&["Equal", "Exists"], errors),
        }
        if !effect.is_empty() {
            effect.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
        }
    }
}

/// Checks volumes; gives the names of those that are well-formed.
fn volumes<'a>(volumes: &Spot<'a>, errors: &mut Errors) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for volume in volumes.items() {
        let mut wrong = Errors::new();
        source(&volume, &mut wrong);
        let name = volume.at("name");
        name.require_name(name::label, &mut wrong);
        if names.contains(name.text()) {
            wrong.push(FieldError::duplicate(&name.path, name.value));
        }
        if wrong.is_empty() {
            names.insert(name.text());
        }
        errors.extend(wrong);
    }
    names
}

fn source(volume: &Spot<'_>, errors: &mut Errors) {
    let mut sources = volume
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| *key != "name" && !value.is_null());
    let first = sources.next();
    for (second, _) in sources {
        volume.at(second).forbid("may not specify more than 1 volume type", errors);
    }
    let Some((kind, _)) = first else {
        return errors.push(FieldError::required(&volume.path, "must specify a volume type"));
    };
    let it = volume.at(kind);
    match kind.as_str() {
        "configMap" => it.at("name").require("", errors),
        "secret" => it.at("secretName").require("", errors),
        "persistentVolumeClaim" => it.at("claimName").require("", errors),
        "hostPath" => it.at("path").require("", errors),
        "nfs" => {
            it.at("server").require("", errors);
            it.at("path").require("", errors);
        }
        "csi" => it.at("driver").require("", errors),
        "emptyDir" => {
            let limit = it.at("sizeLimit");
            if quantity::amount(limit.text()).is_some_and(|amount| amount < 0) {
                limit.wrong("SizeLimit field must be a valid resource quantity", errors);
            }
        }
        _ => {}
    }
}

/// Of what a Pod is wanted to be, next to nothing can be changed.
fn changes(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, before) = (&object["spec"], &old["spec"]);
    for list in ["containers", "initContainers"] {
        let count = |spec: &Value| spec[list].as_array().map_or(0, Vec::len);
        if count(new) != count(before) {
            let why = "pod updates may not add or remove containers";
            return errors.push(FieldError::forbidden(format!("spec.{list}"), why));
        }
    }
    if equal(&fixed(new), &fixed(before)) {
        return;
    }
    errors.push(FieldError::forbidden("spec", FIXED));
}

/// A wanted state without what may be changed of it.
fn fixed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    if let Some(members) = spec.as_object_mut() {
        for free in [
            "activeDeadlineSeconds",
            "tolerations",
            "schedulingGates",
            "terminationGracePeriodSeconds",
        ] {
            members.shift_remove(free);
        }
        members.retain(|_, member| !member.is_null());
    }
    spec
}
