//! Containers of Pods.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{name, quantity};
use super::spot::{Errors, Spot};
use crate::schema::FieldError;

/// The actions of which a probe has one.
const HANDLERS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// All containers of a Pod, which may mount these volumes.
pub(super) fn all(spec: &Spot<'_>, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let containers = spec.at("containers");
    containers.require("", errors);
    let mut names = BTreeSet::new();
    for list in [containers, spec.at("initContainers")] {
        for one in list.items() {
            container(&one, volumes, errors);
            let name = one.at("name");
            if !names.insert(name.text()) {
                errors.push(FieldError::duplicate(name.path, name.value));
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                self::probe(&one.at(probe), probe == "readinessProbe", errors);
            }
        }
    }
}

fn container(one: &Spot<'_>, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    one.at("name").require_name(name::label, errors);
    one.at("image").require("", errors);
    let policy = one.at("terminationMessagePolicy");
    if policy.is_empty() {
        errors.push(FieldError::required(policy.path, ""));
    } else {
        policy.one_of(&["File", "FallbackToLogsOnError"], errors);
    }
    ports(&one.at("ports"), errors);
    variables(one, errors);
    mounts(&one.at("volumeMounts"), volumes, errors);
    let policy = one.at("imagePullPolicy");
    if policy.is_empty() {
        errors.push(FieldError::required(policy.path, ""));
    } else {
        policy.one_of(&["Always", "IfNotPresent", "Never"], errors);
    }
    resources(&one.at("resources"), errors);
}

fn ports(ports: &Spot<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for port in ports.items() {
        let name = port.at("name");
        if !name.is_empty() {
            let before = errors.len();
            name.judge(name::port_name, errors);
            if errors.len() == before && !names.insert(name.text()) {
                errors.push(FieldError::duplicate(name.path, name.value));
            }
        }
        let inside = port.at("containerPort");
        if inside.number().unwrap_or(0) == 0 {
            errors.push(FieldError::required(inside.path, ""));
        } else {
            inside.port(errors);
        }
        if port.at("hostPort").number().unwrap_or(0) != 0 {
            port.at("hostPort").port(errors);
        }
        port.at("protocol").one_of(&["SCTP", "TCP", "UDP"], errors);
    }
}

fn variables(one: &Spot<'_>, errors: &mut Errors) {
    for variable in one.at("env").items() {
        let name = variable.at("name");
        if name.is_empty() {
            errors.push(FieldError::required(name.path, ""));
        } else if name.text().chars().any(|c| !(' '..='~').contains(&c) || c == '=') {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            name.wrong(format!("{why} (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[ -<>-~]+')"), errors);
        }
        let from = variable.at("valueFrom");
        if !from.is_set() {
            continue;
        }
        let sources =
            from.value.as_object().map_or(0, |it| it.values().filter(|v| !v.is_null()).count());
        if sources == 0 {
            let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
            errors.push(FieldError::invalid_text(from.path.clone(), "", why));
        }
        if !variable.at("value").is_empty() && sources > 0 {
            errors.push(FieldError::invalid_text(
                from.path.clone(),
                "",
                "may not be specified when `value` is not empty",
            ));
        } else if sources > 1 {
            errors.push(FieldError::invalid_text(
                from.path.clone(),
                "",
                "may not have more than one field specified at a time",
            ));
        }
        for reference in ["configMapKeyRef", "secretKeyRef"] {
            let reference = from.at(reference);
            if reference.is_set() {
                reference.at("name").require("", errors);
                reference.at("key").require_name(name::data_key, errors);
            }
        }
    }
}

fn mounts(mounts: &Spot<'_>, volumes: &BTreeSet<&str>, errors: &mut Errors) {
    let mut places = BTreeSet::new();
    for mount in mounts.items() {
        let (name, place) = (mount.at("name"), mount.at("mountPath"));
        name.require("", errors);
        if !volumes.contains(name.text()) {
            errors.push(FieldError::not_found(&name.path, name.value));
        }
        place.require("", errors);
        if !places.insert(place.text()) {
            place.wrong("must be unique", errors);
        }
    }
}

fn probe(probe: &Spot<'_>, readiness: bool, errors: &mut Errors) {
    if !probe.is_set() {
        return;
    }
    let mut actions = HANDLERS.iter().map(|it| probe.at(it)).filter(Spot::is_set);
    match actions.next() {
        None => errors.push(FieldError::required(&probe.path, "must specify a handler type")),
        Some(action) if action.value.get("scheme").is_some() => {
            action.at("path").require("", errors);
            target(&action.at("port"), errors);
            action.at("scheme").one_of(&["HTTP", "HTTPS"], errors);
        }
        Some(action) if probe.at("exec").is_set() => action.at("command").require("", errors),
        Some(action) => target(&action.at("port"), errors),
    }
    for second in actions {
        second.forbid("may not specify more than 1 handler type", errors);
    }
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        probe.at(field).not_negative(errors);
    }
    if !readiness && probe.at("successThreshold").number().is_some_and(|it| it != 1) {
        probe.at("successThreshold").wrong("must be 1", errors);
    }
}

/// A port by number or name.
pub(super) fn target(port: &Spot<'_>, errors: &mut Errors) {
    match port.value {
        Value::Number(_) => port.port(errors),
        Value::String(_) => port.judge(name::port_name, errors),
        _ => {}
    }
}

/// Amounts that are wanted and allowed.
fn resources(resources: &Spot<'_>, errors: &mut Errors) {
    for (_, limit) in resources.at("limits").entries() {
        amount(&limit, errors);
    }
    for (name, request) in resources.at("requests").entries() {
        amount(&request, errors);
        let limit = resources.at("limits").key(name);
        if let (Some(wanted), Some(allowed)) =
            (quantity::amount(request.text()), quantity::amount(limit.text()))
            && wanted > allowed
        {
            let why = format!("must be less than or equal to {name} limit of {}", limit.text());
            request.wrong(why, errors);
        }
    }
}

/// An amount must not be less than 0.
pub(super) fn amount(amount: &Spot<'_>, errors: &mut Errors) {
    if quantity::amount(amount.text()).is_some_and(|it| it < 0) {
        amount.wrong("must be greater than or equal to 0", errors);
    }
}
