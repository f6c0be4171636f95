//! What clients are warned of though it is accepted, in the words of kube-apiserver.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quantity;
use crate::schema::go;

/// Labels of nodes that have newer names: since when, and which.
const OLD_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
];
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

/// What to warn of when an object of a kind is written.
pub(super) fn warnings(group: &str, kind: &str, object: &Value) -> Vec<String> {
    let mut told = Vec::new();
    match (group, kind) {
        ("", "Pod") => pod(&object["spec"], "spec", &mut told),
        ("", "PodTemplate") => pod(&object["template"]["spec"], "template.spec", &mut told),
        ("", "PersistentVolumeClaim") => {
            fractions(&object["spec"]["resources"], "spec.resources", &["storage"], &mut told);
        }
        ("networking.k8s.io", "Ingress")
            if object["metadata"]["annotations"][INGRESS_CLASS].is_string() =>
        {
            told.push(format!(
                "annotation {INGRESS_CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
            ));
        }
        ("batch", "CronJob") => {
            let template = &object["spec"]["jobTemplate"]["spec"]["template"]["spec"];
            pod(template, "spec.jobTemplate.spec.template.spec", &mut told);
        }
        ("apps" | "batch", _) | ("", "ReplicationController") => {
            pod(&object["spec"]["template"]["spec"], "spec.template.spec", &mut told);
        }
        _ => {}
    }
    told
}

fn pod(spec: &Value, path: &str, told: &mut Vec<String>) {
    for (old, since, new) in OLD_LABELS {
        if spec["nodeSelector"].get(old).is_some() {
            told.push(format!(
                "{path}.nodeSelector[{old}]: deprecated since {since}; use {new:?} instead"
            ));
        }
    }
    for list in ["initContainers", "containers"] {
        for (n, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            self::container(container, &format!("{path}.{list}[{n}]"), told);
        }
    }
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|it| it < 0) {
        told.push(format!(
            "{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
}

fn container(container: &Value, path: &str, told: &mut Vec<String>) {
    fractions(
        &container["resources"],
        &format!("{path}.resources"),
        &["memory", "ephemeral-storage"],
        told,
    );
    let mut names = BTreeMap::new();
    for (n, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        let name = variable["name"].as_str().unwrap_or_default();
        if names.insert(name, n).is_some() {
            told.push(format!(
                "{path}.env[{n}]: hides previous definition of {}, which may be dropped when using apply",
                go::quote(name)
            ));
        }
    }
    let mut ports = BTreeMap::new();
    for (n, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        let key = (port["containerPort"].to_string(), port["protocol"].to_string());
        match ports.get(&key) {
            Some(first) => told.push(format!(
                "{path}.ports[{n}]: duplicate port definition with {path}.ports[{first}]"
            )),
            None => drop(ports.insert(key, n)),
        }
    }
}

/// Bytes cannot be split.
fn fractions(resources: &Value, path: &str, of: &[&str], told: &mut Vec<String>) {
    for part in ["limits", "requests"] {
        for name in of {
            let given = resources[part][*name].as_str().unwrap_or_default();
            if quantity::amount(given).is_some_and(|it| it % 1_000_000_000 != 0) {
                told.push(format!(
                    "{path}.{part}[{name}]: fractional byte value {given:?} is invalid, must be an integer"
                ));
            }
        }
    }
}
