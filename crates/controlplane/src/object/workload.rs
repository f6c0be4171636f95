//! What kube-apiserver's own strategies and admission add to new Services, Pods and Jobs.

use rand::Rng;
use serde_json::{Value, json};

use super::text;
use crate::api::Api;

const SERVICES: &str = "/services";
/// The ports that Services may have on nodes.
const NODE_PORTS: std::ops::Range<i64> = 30000..32768;
/// How long a Pod stays on a node that is gone, in seconds.
const TOLERATED: i64 = 300;

/// Gives a new Service its addresses and ports.
pub(super) fn complete_service(api: &Api, service: &mut Value) {
    service["status"] = json!({"loadBalancer": {}});
    let spec = &mut service["spec"];
    let kind = text(spec, "type").unwrap_or("ClusterIP").to_owned();
    if kind == "ExternalName" {
        return;
    }
    let address = text(spec, "clusterIP").map_or_else(|| free_address(api), ToOwned::to_owned);
    spec["clusterIPs"] = json!([address]);
    spec["clusterIP"] = json!(address.clone());
    // Who selects nothing and has no address may be reached by any.
    let selects = spec["selector"].as_object().is_some_and(|it| !it.is_empty());
    let (families, policy) = if address == "None" && !selects {
        (json!(["IPv4", "IPv6"]), "RequireDualStack")
    } else {
        (json!(["IPv4"]), "SingleStack")
    };
    if spec["ipFamilies"].is_null() && spec["ipFamilyPolicy"].is_null() {
        spec["ipFamilies"] = families;
        spec["ipFamilyPolicy"] = json!(policy);
    }
    if spec["ipFamilies"].is_null() {
        spec["ipFamilies"] = json!(["IPv4"]);
    }
    if spec["ipFamilyPolicy"].is_null() {
        spec["ipFamilyPolicy"] = json!("SingleStack");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        let mut used = used_ports(api);
        for port in spec["ports"].as_array_mut().into_iter().flatten() {
            if port["nodePort"].as_i64().unwrap_or(0) == 0
                && let Some(free) = NODE_PORTS.clone().find(|n| !used.contains(n))
            {
                port["nodePort"] = json!(free);
                used.push(free);
            }
        }
    }
}

/// Keeps the addresses of a Service that an update does not name.
pub(super) fn keep_service(old: &Value, service: &mut Value) {
    if service["spec"]["type"] == "ExternalName" {
        return;
    }
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let live = &old["spec"][key];
        if !live.is_null() && service["spec"][key].is_null() {
            service["spec"][key] = live.clone();
        }
    }
}

/// A random address of the usual range that no Service has.
fn free_address(api: &Api) -> String {
    let used: Vec<String> = api
        .store
        .all(SERVICES, "")
        .iter()
        .filter_map(|(_, object)| text(&object.value()["spec"], "clusterIP").map(ToOwned::to_owned))
        .collect();
    let mut random = rand::rng();
    loop {
        let (third, last) = (random.random_range(0..=255), random.random_range(1..=254));
        let address = format!("10.{}.{third}.{last}", random.random_range(96..112));
        if !used.contains(&address) {
            return address;
        }
    }
}

fn used_ports(api: &Api) -> Vec<i64> {
    let services = api.store.all(SERVICES, "");
    let ports = services.iter().flat_map(|(_, object)| {
        let value = object.value();
        let ports = value["spec"]["ports"].as_array().cloned().unwrap_or_default();
        ports.into_iter().filter_map(|port| port["nodePort"].as_i64())
    });
    ports.collect()
}

/// Gives a new Pod its first status, its priority and the tolerations that all have.
pub(super) fn complete_pod(pod: &mut Value) {
    pod["status"] = json!({"phase": "Pending", "qosClass": quality(&pod["spec"])});
    complete_spec(&mut pod["spec"]);
}

/// Gives the wanted state of a Pod its priority and the tolerations that all have.
pub(super) fn complete_spec(spec: &mut Value) {
    // A negative time to end means the shortest.
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|it| it < 0) {
        spec["terminationGracePeriodSeconds"] = json!(1);
    }
    if spec["priority"].is_null() {
        spec["priority"] = json!(0);
    }
    if spec["preemptionPolicy"].is_null() {
        spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    }
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|t| t["key"] == key) {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": TOLERATED,
            }));
        }
    }
    spec["tolerations"] = json!(tolerations);
}

/// The class of service: guaranteed if every container's requests are its limits.
fn quality(spec: &Value) -> &'static str {
    let containers = ["containers", "initContainers"];
    let all: Vec<&Value> =
        containers.iter().flat_map(|key| spec[*key].as_array().into_iter().flatten()).collect();
    let resources = |c: &&Value, of: &str, what: &str| c["resources"][of][what].clone();
    let kinds = ["cpu", "memory"];
    let asks = |c: &&Value| {
        kinds
            .iter()
            .any(|k| !resources(c, "requests", k).is_null() || !resources(c, "limits", k).is_null())
    };
    let guaranteed = |c: &&Value| {
        kinds.iter().all(|k| {
            let (limit, request) = (resources(c, "limits", k), resources(c, "requests", k));
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if !all.iter().any(asks) {
        "BestEffort"
    } else if all.iter().all(guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Lets a new Job select its Pods by its own uid, unless it selects by hand.
pub(super) fn complete_job(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    let bare = job["metadata"]["labels"].is_null();
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels[key] = value.clone();
    }
    if bare {
        let labels = labels.clone();
        job["metadata"]["labels"] = labels;
    }
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
}
