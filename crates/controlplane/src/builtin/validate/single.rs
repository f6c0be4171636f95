//! Kinds of which little is to be checked.

use serde_json::Value;

use super::super::name;
use super::spot::{Errors, Spot};
use super::workload::share;
use crate::schema::FieldError;

/// A `HorizontalPodAutoscaler`.
pub(super) fn autoscaler(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let (least, most) = (spec.at("minReplicas"), spec.at("maxReplicas"));
    if least.number().is_some_and(|it| it < 1) {
        least.wrong("must be greater than or equal to 1", errors);
    }
    let number = most.number().unwrap_or(0);
    let bad = |why: &str| FieldError::invalid(&most.path, &Value::from(number), why);
    if number < 1 {
        errors.push(bad("must be greater than 0"));
    }
    if least.number().is_some_and(|least| number < least) {
        errors.push(bad("must be greater than or equal to `minReplicas`"));
    }
    let target = spec.at("scaleTargetRef");
    target.at("kind").require("", errors);
    target.at("name").require("", errors);
    let version = target.at("apiVersion");
    let core = matches!(target.at("kind").text(), "ReplicationController");
    if !version.text().contains('/') && !core {
        let why = "apiVersion must specify API group";
        errors.push(FieldError::invalid_text(&version.path, version.text(), why));
    }
    for metric in spec.at("metrics").items() {
        let kinds = ["ContainerResource", "External", "Object", "Pods", "Resource"];
        metric.at("type").one_of(&kinds, errors);
    }
}

/// A `PodDisruptionBudget`.
pub(super) fn budget(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let (least, most) = (spec.at("minAvailable"), spec.at("maxUnavailable"));
    if least.is_set() && most.is_set() {
        spec.wrong("minAvailable and maxUnavailable cannot be both set", errors);
    }
    for one in [least, most] {
        share(&one, errors);
        let percent = one.text().strip_suffix('%').and_then(|it| it.parse::<u64>().ok());
        if percent.is_some_and(|it| it > 100) {
            one.wrong("must not be greater than 100%", errors);
        }
    }
    spec.at("selector").selector(errors);
    let policy = spec.at("unhealthyPodEvictionPolicy");
    policy.perhaps_one_of(&["AlwaysAllow", "IfHealthyBudget"], errors);
}

/// An Event, as core has it.
pub(super) fn event(object: &Value, errors: &mut Errors) {
    let about = Spot::of(object, "involvedObject").at("namespace");
    let home = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let timed = object["eventTime"].is_string();
    let fits = match (about.text(), timed) {
        ("", false) => matches!(home, "" | "default"),
        ("", true) => matches!(home, "default" | "kube-system"),
        (_, true) => true,
        (about, false) => about == home,
    };
    if !fits {
        let why = "does not match event.namespace";
        errors.push(FieldError::invalid_text(&about.path, about.text(), why));
    }
    if !timed {
        return;
    }
    for (field, most) in
        [("reportingComponent", 0), ("reportingInstance", 128), ("action", 128), ("reason", 128)]
    {
        let spot = Spot::of(object, field);
        spot.require("", errors);
        if most > 0 && spot.text().len() > most {
            let why = format!("can have at most {most} characters");
            errors.push(FieldError::invalid_text(&spot.path, "", why));
        }
        if most == 0 {
            spot.judge(name::qualified, errors);
        }
    }
    let note = Spot::of(object, "message");
    if note.text().len() > 1024 {
        errors.push(FieldError::invalid_text(&note.path, "", "can have at most 1024 characters"));
    }
}

/// An Event, as events.k8s.io has it.
pub(super) fn new_event(object: &Value, errors: &mut Errors) {
    Spot::of(object, "eventTime").require("", errors);
    let kind = object["type"].as_str().unwrap_or_default();
    if !matches!(kind, "Normal" | "Warning") {
        errors.push(FieldError::invalid_text("type", "", format!("has invalid value: {kind}")));
    }
    for (field, name) in [
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
    ] {
        if object[field].is_string() {
            errors.push(FieldError::invalid_text(name, "", "needs to be unset"));
        }
    }
    if object["deprecatedCount"].as_i64().unwrap_or(0) != 0 {
        errors.push(FieldError::invalid_text("count", "", "needs to be unset"));
    }
}

/// A `FlowSchema`.
pub(super) fn flow_schema(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let order = spec.at("matchingPrecedence");
    match order.number().unwrap_or(0) {
        ..=0 => order.wrong("must be a positive value", errors),
        10_001.. => order.wrong("must not be greater than 10000", errors),
        1 if object["metadata"]["name"] != "exempt" => {
            order.wrong("only the schema named 'exempt' may have matchingPrecedence 1", errors);
        }
        _ => {}
    }
    let level = spec.along(&["priorityLevelConfiguration", "name"]);
    if level.is_empty() {
        let why = "must reference a priority level";
        errors.push(FieldError::required(level.path, why));
    } else {
        level.judge(name::subdomain, errors);
    }
}

/// A Lease.
pub(super) fn lease(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    if spec.at("leaseDurationSeconds").number().is_some_and(|it| it <= 0) {
        spec.at("leaseDurationSeconds").wrong("must be greater than 0", errors);
    }
    spec.at("leaseTransitions").not_negative(errors);
}

/// The status of a Namespace follows from whether it is being deleted.
pub(super) fn namespace_status(object: &Value, errors: &mut Errors) {
    let deleting = object["metadata"]["deletionTimestamp"].is_string();
    let (phase, condition) = if deleting {
        ("Terminating", "`deletionTimestamp` is not empty")
    } else {
        ("Active", "`deletionTimestamp` is empty")
    };
    if object["status"]["phase"] != phase {
        let why = format!("may only be '{phase}' if {condition}");
        let given = object["status"]["phase"].as_str().unwrap_or_default();
        errors.push(FieldError::invalid_text("status.Phase", given, why));
    }
}

/// A `PriorityClass`.
pub(super) fn priority(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let value = Spot::of(object, "value");
    if name.starts_with("system-")
        && !name.starts_with("system-node-")
        && !name.starts_with("system-cluster-")
    {
        let why = format!(
            "priority class names with '{}' prefix are reserved for system use only. error: {name} is not a known system priority class",
            "system-"
        );
        errors.push(FieldError::forbidden("metadata.name", why));
    } else if value.number().is_some_and(|it| it > 1_000_000_000) && !name.starts_with("system-") {
        let why = "maximum allowed value of a user defined priority is 1000000000";
        errors.push(FieldError::forbidden("value", why));
    }
    Spot::of(object, "preemptionPolicy").perhaps_one_of(&["PreemptLowerPriority", "Never"], errors);
    if old.is_some_and(|old| old["value"] != object["value"]) {
        errors.push(FieldError::forbidden("value", "may not be changed in an update."));
    }
}
