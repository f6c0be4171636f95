//! Workloads: what makes Pods.

use serde_json::Value;

use super::pod;
use super::spot::{Errors, Spot};
use crate::schema::FieldError;
use crate::schema::value::equal;

const STAYS: &str = "field is immutable";
const MISMATCH: &str = "`selector` does not match template `labels`";
const STATEFUL: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                        'template', 'updateStrategy', 'revisionHistoryLimit', \
                        'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/// What is checked of Deployments, `ReplicaSet`s, `StatefulSet`s and `DaemonSet`s.
pub(super) fn replicated(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    match kind {
        "StatefulSet" => stateful(&spec, errors),
        "DaemonSet" => {}
        _ => spec.at("replicas").not_negative(errors),
    }
    if kind == "ReplicaSet" {
        spec.at("minReadySeconds").not_negative(errors);
    }
    selected(kind, &spec, errors);
    match kind {
        "Deployment" => deployment(&spec, errors),
        "DaemonSet" => {
            spec.at("minReadySeconds").not_negative(errors);
            spec.at("updateStrategy").at("type").one_of(&["OnDelete", "RollingUpdate"], errors);
            spec.at("revisionHistoryLimit").not_negative(errors);
        }
        _ => {}
    }
    if let Some(old) = old {
        selector_stays(kind, object, old, errors);
    }
}

/// The selector must select what the template makes, which must be a good Pod.
fn selected(kind: &str, spec: &Spot<'_>, errors: &mut Errors) {
    let selector = spec.at("selector");
    if selector.is_set() {
        selector.selector(errors);
        if selector.at("matchLabels").is_empty() && selector.at("matchExpressions").is_empty() {
            let name = kind.to_lowercase();
            let why = format!("empty selector is invalid for {name}");
            errors.push(FieldError::invalid(&selector.path, selector.value, why));
        }
    } else {
        errors.push(FieldError::required(&selector.path, ""));
    }
    let template = spec.at("template");
    let labels = template.along(&["metadata", "labels"]);
    if !selector.selects(labels.value) {
        labels.wrong(MISMATCH, errors);
    }
    pod::template(&template, errors);
    let policy = template.along(&["spec", "restartPolicy"]);
    if !policy.is_empty() {
        policy.one_of(&["Always"], errors);
    }
    let deadline = template.along(&["spec", "activeDeadlineSeconds"]);
    if deadline.is_set() {
        let what = if kind == "Deployment" { "ReplicaSet" } else { kind };
        deadline.forbid(&format!("activeDeadlineSeconds in {what} is not Supported"), errors);
    }
}

fn deployment(spec: &Spot<'_>, errors: &mut Errors) {
    let strategy = spec.at("strategy");
    strategy.at("type").one_of(&["Recreate", "RollingUpdate"], errors);
    if strategy.at("type").text() == "Recreate" && strategy.at("rollingUpdate").is_set() {
        let why = "may not be specified when strategy `type` is 'Recreate'";
        strategy.at("rollingUpdate").forbid(why, errors);
    }
    let (most, extra) = (
        strategy.along(&["rollingUpdate", "maxUnavailable"]),
        strategy.along(&["rollingUpdate", "maxSurge"]),
    );
    for one in [&most, &extra] {
        share(one, errors);
    }
    let none = |it: &Spot<'_>| *it.value == 0 || it.text() == "0%";
    if none(&most) && none(&extra) {
        most.wrong("may not be 0 when `maxSurge` is 0", errors);
    }
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        spec.at(field).not_negative(errors);
    }
    let deadline = spec.at("progressDeadlineSeconds");
    if deadline.number().is_some_and(|it| it <= spec.at("minReadySeconds").number().unwrap_or(0)) {
        deadline.wrong("must be greater than minReadySeconds", errors);
    }
}

/// A number that is not negative, or a percentage.
pub(super) fn share(spot: &Spot<'_>, errors: &mut Errors) {
    if let Value::String(text) = spot.value {
        let digits = text.strip_suffix('%');
        if !digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|c| c.is_ascii_digit())) {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            spot.wrong(why, errors);
        }
    } else {
        spot.not_negative(errors);
    }
}

fn stateful(spec: &Spot<'_>, errors: &mut Errors) {
    spec.at("podManagementPolicy").one_of(&["OrderedReady", "Parallel"], errors);
    spec.at("updateStrategy").at("type").one_of(&["RollingUpdate", "OnDelete"], errors);
    spec.at("replicas").not_negative(errors);
    spec.at("minReadySeconds").not_negative(errors);
}

/// Selectors cannot be changed.
fn selector_stays(kind: &str, object: &Value, old: &Value, errors: &mut Errors) {
    let (before, now) = (&old["spec"]["selector"], &object["spec"]["selector"]);
    if kind == "StatefulSet" {
        let fixed = ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"];
        if fixed.iter().any(|field| !equal(&old["spec"][*field], &object["spec"][*field])) {
            errors.push(FieldError::forbidden("spec", STATEFUL));
        }
    } else if !equal(before, now) {
        errors.push(FieldError::invalid("spec.selector", now, STAYS));
    }
}

/// Counts in a status must not be negative, nor more than there are.
pub(super) fn deployment_status(object: &Value, errors: &mut Errors) {
    let status = Spot::of(object, "status");
    let counts = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ];
    status.at("observedGeneration").not_negative(errors);
    for field in counts {
        status.at(field).not_negative(errors);
    }
    let number = |field: &str| status.at(field).number().unwrap_or(0);
    for field in &counts[1..4] {
        if number(field) > number("replicas") {
            let zero = Value::from(number(field));
            let why = "cannot be greater than status.replicas";
            errors.push(FieldError::invalid(status.at(field).path, &zero, why));
        }
    }
    if number("availableReplicas") > number("readyReplicas") {
        let why = "cannot be greater than readyReplicas";
        let value = Value::from(number("availableReplicas"));
        errors.push(FieldError::invalid("status.availableReplicas", &value, why));
    }
}

/// A `ReplicationController`.
pub(super) fn controller(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    spec.at("minReadySeconds").not_negative(errors);
    spec.at("selector").require("", errors);
    spec.at("replicas").not_negative(errors);
    let template = spec.at("template");
    if !template.is_set() {
        return errors.push(FieldError::required(template.path, ""));
    }
    let labels = template.along(&["metadata", "labels"]);
    let selector = spec.value["selector"].as_object().cloned().unwrap_or_default();
    if selector.iter().any(|(key, value)| labels.value.get(key) != Some(value)) {
        labels.wrong(MISMATCH, errors);
    }
    pod::template(&template, errors);
    template.along(&["spec", "restartPolicy"]).one_of(&["Always"], errors);
}

/// A Job.
pub(super) fn job(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    job_spec(&spec, errors);
    let selector = spec.at("selector");
    if selector.is_set() {
        selector.selector(errors);
    } else {
        errors.push(FieldError::required(&selector.path, ""));
    }
    let labels = spec.along(&["template", "metadata", "labels"]);
    if !selector.selects(labels.value) {
        labels.wrong(MISMATCH, errors);
    }
    let Some(old) = old else { return };
    for field in ["selector", "completionMode", "podFailurePolicy"] {
        if !equal(&old["spec"][field], &object["spec"][field]) {
            spec.at(field).wrong(STAYS, errors);
        }
    }
    let suspended = object["spec"]["suspend"] == true && old["spec"]["suspend"] == true;
    if !suspended && !equal(&old["spec"]["template"], &object["spec"]["template"]) {
        spec.at("template").wrong(STAYS, errors);
    }
}

fn job_spec(spec: &Spot<'_>, errors: &mut Errors) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        spec.at(field).not_negative(errors);
    }
    spec.at("completionMode").perhaps_one_of(&["NonIndexed", "Indexed"], errors);
    if spec.at("completionMode").text() == "Indexed" && !spec.at("completions").is_set() {
        let path = spec.at("completions").path;
        errors.push(FieldError::required(path, "when completion mode is Indexed"));
    }
    pod::template(&spec.at("template"), errors);
    let policy = spec.along(&["template", "spec", "restartPolicy"]);
    match policy.text() {
        "" | "Always" => {
            errors
                .push(FieldError::required(policy.path, "valid values: \"OnFailure\", \"Never\""));
        }
        _ => policy.one_of(&["OnFailure", "Never"], errors),
    }
}

/// A `CronJob`.
pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let schedule = spec.at("schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required(schedule.path, ""));
    } else if let Some(why) = schedule_problem(schedule.text()) {
        schedule.wrong(why, errors);
    }
    spec.at("startingDeadlineSeconds").not_negative(errors);
    spec.at("concurrencyPolicy").one_of(&["Allow", "Forbid", "Replace"], errors);
    job_spec(&spec.along(&["jobTemplate", "spec"]), errors);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        spec.at(field).not_negative(errors);
    }
}

/// What is wrong with a schedule at first sight; its fields are the concern of who runs it.
fn schedule_problem(schedule: &str) -> Option<String> {
    if schedule.starts_with('@') {
        return None;
    }
    let count = schedule.split_whitespace().count();
    (count != 5).then(|| {
        let fields: Vec<_> = schedule.split_whitespace().collect();
        format!("expected exactly 5 fields, found {count}: [{}]", fields.join(" "))
    })
}
