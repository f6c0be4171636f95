//! Bringing objects into the form in which the API server gives them back.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::builtin;
use crate::id::group_version;

/// Normalizes an object before it is applied.
///
/// Fields that a built-in type does not have are dropped, `stringData` of Secrets goes to `data`,
/// ports get their default protocol (without it, server-side apply cannot tell them apart:
/// structured-merge-diff#130); `status` is dropped but for CRDs, and `metadata.creationTimestamp`
/// everywhere. Objects that are not of the form of their type stay as they are, so that the API
/// server says what is wrong.
pub fn normalize(object: &mut Value) {
    if is_role(object) {
        return;
    }
    if let Some(typed) = builtin::typed(object) {
        *object = typed;
        default_protocols(object);
        encode_string_data(object);
    }
    let is_crd = group_version(object).0 == "apiextensions.k8s.io"
        && object["kind"] == "CustomResourceDefinition";
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
    }
    if let Some(fields) = object.as_object_mut().filter(|_| !is_crd) {
        fields.remove("status");
    }
}

fn is_role(object: &Value) -> bool {
    object["apiVersion"] == "rbac.authorization.k8s.io/v1"
        && (object["kind"] == "Role" || object["kind"] == "ClusterRole")
}

fn default_protocols(object: &mut Value) {
    let containers = match object["kind"].as_str() {
        Some("Service") => return default_ports(object.pointer_mut("/spec/ports")),
        Some("Pod") => "/spec/containers",
        Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job") => {
            "/spec/template/spec/containers"
        }
        Some("CronJob") => "/spec/jobTemplate/spec/template/spec/containers",
        _ => return,
    };
    let containers = object.pointer_mut(containers).and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        default_ports(container.get_mut("ports"));
    }
}

fn default_ports(ports: Option<&mut Value>) {
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
        if port["protocol"].as_str().unwrap_or_default().is_empty() {
            port["protocol"] = "TCP".into();
        }
    }
}

fn encode_string_data(object: &mut Value) {
    if object["kind"] != "Secret" {
        return;
    }
    let Some(fields) = object.as_object_mut() else { return };
    let Some(Value::Object(plain)) = fields.remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    for (key, value) in plain {
        data[key] = BASE64_STANDARD.encode(value.as_str().unwrap_or_default()).into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normal(mut object: Value) -> Value {
        normalize(&mut object);
        object
    }

    #[test]
    fn fields_no_type_has_are_dropped() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                         "data": {"k": "v"}, "sepc": {}});
        let want = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                          "data": {"k": "v"}});
        assert_eq!(normal(map), want);
        let custom = json!({"apiVersion": "e.com/v1", "kind": "X", "metadata": {}, "sepc": {}});
        assert_eq!(normal(custom.clone()), custom);
    }

    #[test]
    fn what_is_not_of_its_form_stays() {
        let odd = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                         "data": {"k": 1}, "extra": 1});
        assert_eq!(normal(odd.clone()), odd);
    }

    #[test]
    fn string_data_wins_over_data() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
                            "data": {"k": "MQ==", "l": "Mg=="}, "stringData": {"k": "3"}});
        assert_eq!(normal(secret)["data"], json!({"k": "Mw==", "l": "Mg=="}));
    }

    #[test]
    fn ports_get_a_protocol() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
                             "spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}});
        let ports = normal(service)["spec"]["ports"].clone();
        let of = |at: usize| ports[at]["protocol"].clone();
        assert_eq!((of(0), of(1)), (json!("TCP"), json!("UDP")));
    }

    #[test]
    fn status_goes_but_not_that_of_definitions() {
        let object = |api: &str, kind: &str| {
            json!({"apiVersion": api, "kind": kind, "metadata": {"creationTimestamp": null},
                   "status": {"a": 1}})
        };
        let crd = normal(object("apiextensions.k8s.io/v1", "CustomResourceDefinition"));
        assert_eq!(crd["status"], json!({"a": 1}));
        let custom = normal(object("e.com/v1", "X"));
        assert_eq!(custom, json!({"apiVersion": "e.com/v1", "kind": "X", "metadata": {}}));
    }
}
