//! Rules of built-in kinds: what kube-apiserver's validations say, in their order and words.

mod container;
mod data;
mod network;
mod pod;
mod rbac;
mod single;
mod spot;
mod volume;
mod workload;

use serde_json::Value;

use self::spot::{Errors, Spot};
use super::{name, table};
use crate::schema::FieldError;
use crate::schema::error::Path;

/// Fields that the API description calls required but the server does not ask for.
const NOT_ASKED: &[&str] = &["rules", "lastTransitionTime", "involvedObject", "status", "metadata"];

/// Complaints about an object; of a status only, if it is that which is written.
pub(super) fn validate(
    group: &str,
    kind: &str,
    object: &Value,
    old: Option<&Value>,
    subresource: &str,
) -> Errors {
    let mut errors = Errors::new();
    let e = &mut errors;
    if subresource == "status" {
        match (group, kind) {
            ("", "Namespace") => single::namespace_status(object, e),
            ("apps", "Deployment") => workload::deployment_status(object, e),
            _ => {}
        }
        return errors;
    }
    match group {
        "" => core(kind, object, old, e),
        "apps" => match kind {
            "ControllerRevision" => revision(object, old, e),
            _ => workload::replicated(kind, object, old, e),
        },
        "batch" if kind == "Job" => workload::job(object, old, e),
        "batch" => workload::cron_job(object, e),
        "autoscaling" => single::autoscaler(object, e),
        "policy" => single::budget(object, e),
        "events.k8s.io" => single::new_event(object, e),
        _ => others(group, kind, object, old, e),
    }
    errors
}

fn core(kind: &str, object: &Value, old: Option<&Value>, e: &mut Errors) {
    match kind {
        "ConfigMap" => data::config_map(object, e),
        "Secret" => data::secret(object, e),
        "Service" => network::service(object, e),
        "Pod" => pod::pod(object, old, e),
        "PodTemplate" => pod::template(&Spot::of(object, "template"), e),
        "ReplicationController" => workload::controller(object, e),
        "PersistentVolumeClaim" => volume::claim(object, old, e),
        "PersistentVolume" => volume::volume(object, e),
        "Event" => single::event(object, e),
        "LimitRange" => {}
        _ => required_below_spec("", kind, object, e),
    }
    if let (Some(old), "ConfigMap" | "Secret") = (old, kind) {
        data::changes(object, old, e);
    }
}

fn others(group: &str, kind: &str, object: &Value, old: Option<&Value>, e: &mut Errors) {
    match kind {
        "Role" | "ClusterRole" => rbac::role(kind, object, e),
        "RoleBinding" | "ClusterRoleBinding" => rbac::binding(kind, object, old, e),
        "Ingress" => network::ingress(object, e),
        "IngressClass" => network::ingress_class(object, old, e),
        "NetworkPolicy" => network::policy(object, e),
        "EndpointSlice" => network::slice(object, old, e),
        "StorageClass" => volume::class(object, old, e),
        "CSIStorageCapacity" => volume::capacity(object, e),
        "PriorityLevelConfiguration" => {
            Spot::of(object, "spec").at("type").one_of(&["Exempt", "Limited"], e);
        }
        "FlowSchema" => single::flow_schema(object, e),
        "Lease" => single::lease(object, e),
        "PriorityClass" => single::priority(object, old, e),
        "RuntimeClass" => Spot::of(object, "handler").judge(name::label, e),
        _ => required_below_spec(group, kind, object, e),
    }
}

/// A `ControllerRevision`.
fn revision(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let data = Spot::of(object, "data");
    data.require("data is mandatory", errors);
    if old.is_some_and(|old| old["data"] != object["data"]) {
        data.wrong("field is immutable", errors);
    }
}

/// What the API description calls required must be there.
fn required_below_spec(group: &str, kind: &str, object: &Value, errors: &mut Errors) {
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let Some(index) = table::get().kind(group, version, kind) else { return };
    if let (Some(spec), Some(word)) = (object.get("spec"), table::get().word(index, "spec")) {
        required(spec, word, &Path::ROOT.child("spec"), errors);
    }
}

/// Required fields that are missing, below `spec`.
fn required(value: &Value, word: &str, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let table = table::get();
    if let Some(element) = word.strip_prefix("[]") {
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            required(item, element, &path.index(n), errors);
        }
    } else if let Some(element) = word.strip_prefix("{}") {
        for (key, item) in value.as_object().into_iter().flatten() {
            required(item, element, &path.key(key), errors);
        }
    } else if let Some(index) = table.referred(word) {
        let Value::Object(map) = value else { return };
        for name in table.required(index).filter(|name| !NOT_ASKED.contains(name)) {
            let missing = map.get(name).is_none_or(|v| v.is_null() || *v == *"");
            if missing && table.word(index, name) != Some("b") {
                errors.push(FieldError::required(path.child(name), ""));
            }
        }
        for (name, child) in map {
            if let Some(word) = table.word(index, name) {
                required(child, word, &path.child(name), errors);
            }
        }
    }
}
