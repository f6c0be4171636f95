//! What is in the cells of built-in kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use super::builtin::Cell::{self, Count, Flag, Made, Number, Since, Text, TextOr, Time};

impl Cell {
    /// The cell of one object.
    pub(super) fn show(&self, object: &Value, now: Timestamp) -> Value {
        let at = |pointer: &str| object.pointer(pointer).unwrap_or(&Value::Null);
        match self {
            Text(pointer) => json!(text(at(pointer))),
            TextOr(pointer, otherwise) => match text(at(pointer)) {
                "" => json!(otherwise),
                text => json!(text),
            },
            Number(pointer) => json!(at(pointer).as_i64().unwrap_or(0)),
            Flag(pointer, otherwise) => json!(at(pointer).as_bool().unwrap_or(*otherwise)),
            Count(pointer) => json!(len(at(pointer))),
            Since(pointer) => json!(since(at(pointer), now)),
            Time(pointer) => at(pointer).clone(),
            Made(make) => make(object, now),
        }
    }
}

/// A text, empty if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The time since a timestamp.
pub(super) fn since(then: &Value, now: Timestamp) -> String {
    then.as_str().map_or_else(|| "<unknown>".to_owned(), |then| age::age(then, now))
}

/// `a=b,c=d`, or `<none>`.
pub(super) fn pairs(map: &Value) -> Value {
    let mut pairs: Vec<_> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    pairs.sort();
    json!(if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") })
}

/// The items of a list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn is_empty(value: &Value) -> bool {
    len(value) == 0
}

fn len(value: &Value) -> usize {
    value
        .as_array()
        .map(Vec::len)
        .or_else(|| value.as_object().map(serde_json::Map::len))
        .unwrap_or(0)
}

pub(super) fn scalar(value: &Value, otherwise: &str) -> String {
    match value {
        Value::Null => otherwise.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn data(object: &Value, _: Timestamp) -> Value {
    json!(len(&object["data"]) + len(&object["binaryData"]))
}

pub(super) fn ratio(object: &Value, ready: &str) -> Value {
    let ready = object.pointer(ready).and_then(Value::as_i64).unwrap_or(0);
    json!(format!("{ready}/{}", object["spec"]["replicas"].as_i64().unwrap_or(1)))
}

pub(super) fn phase(object: &Value, _: Timestamp) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    object["status"]["phase"].clone()
}

pub(super) fn access_modes(modes: &Value) -> Value {
    let short = |mode: &Value| match text(mode) {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let modes: Vec<_> = items(modes).iter().map(short).collect();
    json!(modes.join(","))
}

pub(super) fn claim(object: &Value, _: Timestamp) -> Value {
    let claim = &object["spec"]["claimRef"];
    json!(if claim.is_null() {
        String::new()
    } else {
        format!("{}/{}", text(&claim["namespace"]), text(&claim["name"]))
    })
}

pub(super) fn first_seen(event: &Value, now: Timestamp) -> Value {
    let first = &event["firstTimestamp"];
    json!(since(if first.is_null() { &event["eventTime"] } else { first }, now))
}

pub(super) fn last_seen(event: &Value, now: Timestamp) -> Value {
    let series = &event["series"]["lastObservedTime"];
    let last = &event["lastTimestamp"];
    match (series.is_null(), last.is_null()) {
        (false, _) => json!(since(series, now)),
        (true, false) => json!(since(last, now)),
        (true, true) => first_seen(event, now),
    }
}

pub(super) fn count(event: &Value, _: Timestamp) -> Value {
    let series = event["series"]["count"].as_i64();
    json!(series.or(event["count"].as_i64().filter(|n| *n != 0)).unwrap_or(1))
}

pub(super) fn involved(event: &Value, _: Timestamp) -> Value {
    let object = &event["involvedObject"];
    let kind = text(&object["kind"]).to_lowercase();
    json!(match text(&object["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    })
}

pub(super) fn source(event: &Value, _: Timestamp) -> Value {
    let first = |a: &Value, b: &Value| {
        if text(a).is_empty() { text(b).to_owned() } else { text(a).to_owned() }
    };
    let component = first(&event["source"]["component"], &event["reportingComponent"]);
    let instance = first(&event["source"]["host"], &event["reportingInstance"]);
    json!(if instance.is_empty() { component } else { format!("{component}, {instance}") })
}

pub(super) fn addresses(ingress: &Value) -> String {
    let shown: Vec<_> = items(ingress)
        .iter()
        .map(|i| if text(&i["ip"]).is_empty() { text(&i["hostname"]) } else { text(&i["ip"]) })
        .collect();
    shown.join(",")
}

pub(super) fn external_ip(service: &Value, _: Timestamp) -> Value {
    let spec = &service["spec"];
    let external: Vec<_> = items(&spec["externalIPs"]).iter().map(text).collect();
    json!(match text(&spec["type"]) {
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        "LoadBalancer" => {
            let mut all = addresses(&service["status"]["loadBalancer"]["ingress"]);
            if !external.is_empty() {
                all = [all, external.join(",")]
                    .into_iter()
                    .filter(|a| !a.is_empty())
                    .collect::<Vec<_>>()
                    .join(",");
            }
            if all.is_empty() { "<pending>".to_owned() } else { all }
        }
        _ if external.is_empty() => "<none>".to_owned(),
        _ => external.join(","),
    })
}

pub(super) fn ports(service: &Value, _: Timestamp) -> Value {
    let ports: Vec<_> = items(&service["spec"]["ports"])
        .iter()
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_i64() {
                Some(node) if node > 0 => format!("{}:{node}/{protocol}", port["port"]),
                _ => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    json!(if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") })
}

pub(super) fn endpoints(object: &Value, _: Timestamp) -> Value {
    let mut all = Vec::new();
    for subset in items(&object["subsets"]) {
        for address in items(&subset["addresses"]) {
            for port in items(&subset["ports"]) {
                all.push(format!("{}:{}", text(&address["ip"]), port["port"]));
            }
        }
    }
    json!(short_list(&all))
}

/// The first three, and how many more.
fn short_list(all: &[String]) -> String {
    match all.len() {
        0 => "<none>".to_owned(),
        1..=3 => all.join(","),
        n => format!("{} + {} more...", all[..3].join(","), n - 3),
    }
}

pub(super) fn slice_ports(slice: &Value, _: Timestamp) -> Value {
    let ports: Vec<_> = items(&slice["ports"]).iter().map(|p| scalar(&p["port"], "*")).collect();
    json!(if ports.is_empty() { "<unset>".to_owned() } else { short_list(&ports) })
}

pub(super) fn slice_endpoints(slice: &Value, _: Timestamp) -> Value {
    let all: Vec<_> = items(&slice["endpoints"])
        .iter()
        .flat_map(|e| items(&e["addresses"]))
        .map(|a| text(a).to_owned())
        .collect();
    json!(if all.is_empty() { "<unset>".to_owned() } else { short_list(&all) })
}

pub(super) fn node_status(node: &Value, _: Timestamp) -> Value {
    let ready = items(&node["status"]["conditions"]).iter().find(|c| c["type"] == "Ready");
    let mut status = match ready {
        Some(c) if c["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    json!(status)
}

pub(super) fn node_roles(node: &Value, _: Timestamp) -> Value {
    let mut roles: Vec<_> = node["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role),
            _ if key == "kubernetes.io/role" => value.as_str(),
            _ => None,
        })
        .collect();
    roles.sort_unstable();
    json!(if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") })
}

pub(super) fn node_address(node: &Value, kind: &str) -> Value {
    let address = items(&node["status"]["addresses"]).iter().find(|a| a["type"] == kind);
    json!(address.map_or("<none>", |a| text(&a["address"])))
}

pub(super) fn quota(object: &Value, limits: bool) -> Value {
    let empty = serde_json::Map::new();
    let hard = object["status"]["hard"].as_object().unwrap_or(&empty);
    let mut parts: Vec<_> = hard
        .iter()
        .filter(|(key, _)| key.starts_with("limits.") == limits)
        .map(|(key, value)| {
            format!("{key}: {}/{}", scalar(&object["status"]["used"][key], "0"), scalar(value, "0"))
        })
        .collect();
    parts.sort();
    json!(parts.join(", "))
}

pub(super) fn controller(object: &Value, _: Timestamp) -> Value {
    let owner =
        items(&object["metadata"]["ownerReferences"]).iter().find(|o| o["controller"] == true);
    json!(owner.map_or("<none>".to_owned(), |o| {
        let group =
            text(&o["apiVersion"]).split_once('/').map_or(String::new(), |(g, _)| format!(".{g}"));
        format!("{}{group}/{}", text(&o["kind"]).to_lowercase(), text(&o["name"]))
    }))
}

pub(super) fn scale_target(object: &Value, _: Timestamp) -> Value {
    let target = &object["spec"]["scaleTargetRef"];
    json!(format!("{}/{}", text(&target["kind"]), text(&target["name"])))
}

pub(super) fn last_schedule(object: &Value, now: Timestamp) -> Value {
    let last = &object["status"]["lastScheduleTime"];
    json!(if last.is_null() { "<none>".to_owned() } else { since(last, now) })
}

pub(super) fn hosts(ingress: &Value, _: Timestamp) -> Value {
    let hosts: Vec<_> = items(&ingress["spec"]["rules"])
        .iter()
        .map(|r| text(&r["host"]).to_owned())
        .filter(|h| !h.is_empty())
        .collect();
    json!(if hosts.is_empty() { "*".to_owned() } else { short_list(&hosts) })
}

pub(super) fn parameters(class: &Value, _: Timestamp) -> Value {
    let parameters = &class["spec"]["parameters"];
    json!(if parameters.is_null() {
        "<none>".to_owned()
    } else {
        let group = text(&parameters["apiGroup"]);
        let kind = text(&parameters["kind"]);
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        format!("{kind}/{}", text(&parameters["name"]))
    })
}

pub(super) fn param_kind(policy: &Value, _: Timestamp) -> Value {
    let kind = &policy["spec"]["paramKind"];
    json!(if kind.is_null() {
        "<unset>".to_owned()
    } else {
        format!("{}/{}", text(&kind["apiVersion"]), text(&kind["kind"]))
    })
}

pub(super) fn subjects(binding: &Value, kind: &str) -> Value {
    let names: Vec<_> = items(&binding["subjects"])
        .iter()
        .filter(|s| s["kind"] == kind)
        .map(|s| match text(&s["namespace"]) {
            namespace if kind == "ServiceAccount" => format!("{namespace}/{}", text(&s["name"])),
            _ => text(&s["name"]).to_owned(),
        })
        .collect();
    json!(names.join(", "))
}
