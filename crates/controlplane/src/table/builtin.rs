//! The columns of built-in kinds, as the printers of kube-apiserver have them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use super::workload;
use crate::catalog::{AGE_COLUMN, NAME_COLUMN};

/// What a cell is made of.
pub(super) enum Cell {
    /// The text at a JSON pointer.
    Text(&'static str),
    /// The text at a JSON pointer, or this if there is none.
    TextOr(&'static str, &'static str),
    /// The number at a JSON pointer, 0 if there is none.
    Number(&'static str),
    /// Whatever is at a JSON pointer, or this flag.
    Flag(&'static str, bool),
    /// How many items the list or map at a JSON pointer has.
    Count(&'static str),
    /// The time since the timestamp at a JSON pointer.
    Since(&'static str),
    /// The timestamp at a JSON pointer as it is.
    Time(&'static str),
    /// Something else.
    Made(fn(&Value, Timestamp) -> Value),
}

/// A header, its type, its priority, and what is below it.
pub(super) struct Column(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) i64,
    pub(super) Cell,
);

use Cell::{Count, Flag, Made, Number, Since, Text, TextOr, Time};

const NAME: Column = Column("Name", "string", 0, Text("/metadata/name"));
const AGE: Column = Column("Age", "string", 0, Since("/metadata/creationTimestamp"));
const CREATED: Column = Column("Created At", "date", 0, Time("/metadata/creationTimestamp"));
const CONTAINERS: Column = Column("Containers", "string", 1, Made(workload::containers));
const IMAGES: Column = Column("Images", "string", 1, Made(workload::images));
const SELECTOR: Column = Column("Selector", "string", 1, Made(workload::selector));

/// The columns of a resource by where it is stored.
pub(super) fn columns(store: &str) -> &'static [Column] {
    match store.split_once('/') {
        Some(("", plural)) => core(plural),
        Some(("apps" | "batch" | "autoscaling" | "policy", plural)) => workloads(plural),
        Some((_, plural)) => others(plural),
        None => DEFAULT,
    }
}

/// The description of a column that several kinds share.
pub(super) fn description(name: &str) -> &'static str {
    match name {
        "Name" => NAME_COLUMN,
        "Age" | "Created At" => AGE_COLUMN,
        _ => "",
    }
}

const DEFAULT: &[Column] = &[NAME, CREATED];

fn core(plural: &str) -> &'static [Column] {
    match plural {
        "configmaps" => &[NAME, Column("Data", "string", 0, Made(data)), AGE],
        "secrets" => &[
            NAME,
            Column("Type", "string", 0, Text("/type")),
            Column("Data", "string", 0, Count("/data")),
            AGE,
        ],
        "serviceaccounts" => &[NAME, Column("Secrets", "string", 0, Count("/secrets")), AGE],
        "namespaces" => &[NAME, Column("Status", "string", 0, Text("/status/phase")), AGE],
        "events" => EVENT,
        "pods" => POD,
        "services" => SERVICE,
        "endpoints" => &[NAME, Column("Endpoints", "string", 0, Made(endpoints)), AGE],
        "nodes" => NODE,
        "persistentvolumeclaims" => CLAIM,
        "persistentvolumes" => VOLUME,
        "replicationcontrollers" => REPLICAS,
        "resourcequotas" => &[
            NAME,
            Column("Request", "string", 0, Made(|o, _| quota(o, false))),
            Column("Limit", "string", 0, Made(|o, _| quota(o, true))),
            AGE,
        ],
        "podtemplates" => &[
            NAME,
            Column("Containers", "string", 0, Made(workload::containers)),
            Column("Images", "string", 0, Made(workload::images)),
            Column(
                "Pod Labels",
                "string",
                0,
                Made(|o, _| pairs(&o["template"]["metadata"]["labels"])),
            ),
        ],
        _ => DEFAULT,
    }
}

const EVENT: &[Column] = &[
    Column("Last Seen", "string", 0, Made(last_seen)),
    Column("Type", "string", 0, Text("/type")),
    Column("Reason", "string", 0, Text("/reason")),
    Column("Object", "string", 0, Made(involved)),
    Column("Subobject", "string", 1, Text("/involvedObject/fieldPath")),
    Column("Source", "string", 1, Made(source)),
    Column("Message", "string", 0, Made(|o, _| json!(text(&o["message"]).trim()))),
    Column("First Seen", "string", 1, Made(first_seen)),
    Column("Count", "string", 1, Made(count)),
    NAME,
];

const POD: &[Column] = &[
    NAME,
    Column("Ready", "string", 0, Made(|o, now| json!(workload::pod(o, now).ready))),
    Column("Status", "string", 0, Made(|o, now| json!(workload::pod(o, now).status))),
    Column("Restarts", "string", 0, Made(|o, now| json!(workload::pod(o, now).restarts))),
    AGE,
    Column("IP", "string", 1, TextOr("/status/podIP", "<none>")),
    Column("Node", "string", 1, TextOr("/spec/nodeName", "<none>")),
    Column("Nominated Node", "string", 1, TextOr("/status/nominatedNodeName", "<none>")),
    Column("Readiness Gates", "string", 1, Made(workload::readiness_gates)),
];

const SERVICE: &[Column] = &[
    NAME,
    Column("Type", "string", 0, Text("/spec/type")),
    Column("Cluster-IP", "string", 0, TextOr("/spec/clusterIP", "<none>")),
    Column("External-IP", "string", 0, Made(external_ip)),
    Column("Port(s)", "string", 0, Made(ports)),
    AGE,
    Column("Selector", "string", 1, Made(|o, _| pairs(&o["spec"]["selector"]))),
];

const NODE: &[Column] = &[
    NAME,
    Column("Status", "string", 0, Made(node_status)),
    Column("Roles", "string", 0, Made(node_roles)),
    AGE,
    Column("Version", "string", 0, Text("/status/nodeInfo/kubeletVersion")),
    Column("Internal-IP", "string", 1, Made(|o, _| node_address(o, "InternalIP"))),
    Column("External-IP", "string", 1, Made(|o, _| node_address(o, "ExternalIP"))),
    Column("OS-Image", "string", 1, TextOr("/status/nodeInfo/osImage", "<unknown>")),
    Column("Kernel-Version", "string", 1, TextOr("/status/nodeInfo/kernelVersion", "<unknown>")),
    Column(
        "Container-Runtime",
        "string",
        1,
        TextOr("/status/nodeInfo/containerRuntimeVersion", "<unknown>"),
    ),
];

const CLAIM: &[Column] = &[
    NAME,
    Column("Status", "string", 0, Made(phase)),
    Column("Volume", "string", 0, Text("/spec/volumeName")),
    Column("Capacity", "string", 0, Text("/status/capacity/storage")),
    Column("Access Modes", "string", 0, Made(|o, _| access_modes(&o["status"]["accessModes"]))),
    Column("StorageClass", "string", 0, Text("/spec/storageClassName")),
    Column(
        "VolumeAttributesClass",
        "string",
        0,
        TextOr("/spec/volumeAttributesClassName", "<unset>"),
    ),
    AGE,
    Column("VolumeMode", "string", 1, TextOr("/spec/volumeMode", "<unset>")),
];

const VOLUME: &[Column] = &[
    NAME,
    Column("Capacity", "string", 0, Text("/spec/capacity/storage")),
    Column("Access Modes", "string", 0, Made(|o, _| access_modes(&o["spec"]["accessModes"]))),
    Column("Reclaim Policy", "string", 0, Text("/spec/persistentVolumeReclaimPolicy")),
    Column("Status", "string", 0, Made(phase)),
    Column("Claim", "string", 0, Made(claim)),
    Column("StorageClass", "string", 0, Text("/spec/storageClassName")),
    Column(
        "VolumeAttributesClass",
        "string",
        0,
        TextOr("/spec/volumeAttributesClassName", "<unset>"),
    ),
    Column("Reason", "string", 0, Text("/status/reason")),
    AGE,
    Column("VolumeMode", "string", 1, TextOr("/spec/volumeMode", "<unset>")),
];

const REPLICAS: &[Column] = &[
    NAME,
    Column("Desired", "integer", 0, Number("/spec/replicas")),
    Column("Current", "integer", 0, Number("/status/replicas")),
    Column("Ready", "integer", 0, Number("/status/readyReplicas")),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn workloads(plural: &str) -> &'static [Column] {
    match plural {
        "deployments" => &[
            NAME,
            Column("Ready", "string", 0, Made(|o, _| ratio(o, "/status/readyReplicas"))),
            Column("Up-to-date", "string", 0, Number("/status/updatedReplicas")),
            Column("Available", "string", 0, Number("/status/availableReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        "statefulsets" => &[
            NAME,
            Column("Ready", "string", 0, Made(|o, _| ratio(o, "/status/readyReplicas"))),
            AGE,
            CONTAINERS,
            IMAGES,
        ],
        "replicasets" => REPLICAS,
        "daemonsets" => DAEMON,
        "jobs" => &[
            NAME,
            Column("Status", "string", 0, Made(workload::job_status)),
            Column("Completions", "string", 0, Made(workload::completions)),
            Column("Duration", "string", 0, Made(workload::job_duration)),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        "cronjobs" => CRON,
        "controllerrevisions" => &[
            NAME,
            Column("Controller", "string", 0, Made(controller)),
            Column("Revision", "string", 0, Number("/revision")),
            AGE,
        ],
        "horizontalpodautoscalers" => &[
            NAME,
            Column("Reference", "string", 0, Made(scale_target)),
            Column("Targets", "string", 0, Made(workload::scale_metrics)),
            Column(
                "MinPods",
                "string",
                0,
                Made(|o, _| json!(scalar(&o["spec"]["minReplicas"], "<unset>"))),
            ),
            Column("MaxPods", "string", 0, Number("/spec/maxReplicas")),
            Column("Replicas", "string", 0, Number("/status/currentReplicas")),
            AGE,
        ],
        "poddisruptionbudgets" => &[
            NAME,
            Column(
                "Min Available",
                "string",
                0,
                Made(|o, _| json!(scalar(&o["spec"]["minAvailable"], "N/A"))),
            ),
            Column(
                "Max Unavailable",
                "string",
                0,
                Made(|o, _| json!(scalar(&o["spec"]["maxUnavailable"], "N/A"))),
            ),
            Column("Allowed Disruptions", "integer", 0, Number("/status/disruptionsAllowed")),
            AGE,
        ],
        _ => DEFAULT,
    }
}

const DAEMON: &[Column] = &[
    NAME,
    Column("Desired", "integer", 0, Number("/status/desiredNumberScheduled")),
    Column("Current", "integer", 0, Number("/status/currentNumberScheduled")),
    Column("Ready", "integer", 0, Number("/status/numberReady")),
    Column("Up-to-date", "integer", 0, Number("/status/updatedNumberScheduled")),
    Column("Available", "integer", 0, Number("/status/numberAvailable")),
    Column(
        "Node Selector",
        "string",
        0,
        Made(|o, _| pairs(&o["spec"]["template"]["spec"]["nodeSelector"])),
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const CRON: &[Column] = &[
    NAME,
    Column("Schedule", "string", 0, Text("/spec/schedule")),
    Column("Timezone", "string", 0, TextOr("/spec/timeZone", "<none>")),
    Column(
        "Suspend",
        "boolean",
        0,
        Made(|o, _| {
            json!(
                scalar(&o["spec"]["suspend"], "False")
                    .replace("true", "True")
                    .replace("false", "False")
            )
        }),
    ),
    Column("Active", "integer", 0, Count("/status/active")),
    Column("Last Schedule", "string", 0, Made(last_schedule)),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn others(plural: &str) -> &'static [Column] {
    match plural {
        "leases" => &[NAME, Column("Holder", "string", 0, Text("/spec/holderIdentity")), AGE],
        "ingresses" => &[
            NAME,
            Column("Class", "string", 0, TextOr("/spec/ingressClassName", "<none>")),
            Column("Hosts", "string", 0, Made(hosts)),
            Column(
                "Address",
                "string",
                0,
                Made(|o, _| json!(addresses(&o["status"]["loadBalancer"]["ingress"]))),
            ),
            Column(
                "Ports",
                "string",
                0,
                Made(|o, _| json!(if is_empty(&o["spec"]["tls"]) { "80" } else { "80, 443" })),
            ),
            AGE,
        ],
        "ingressclasses" => &[
            NAME,
            Column("Controller", "string", 0, Text("/spec/controller")),
            Column("Parameters", "string", 0, Made(parameters)),
            AGE,
        ],
        "networkpolicies" => &[
            NAME,
            Column(
                "Pod-Selector",
                "string",
                0,
                Made(|o, _| workload::label_selector(&o["spec"]["podSelector"])),
            ),
            AGE,
        ],
        "rolebindings" | "clusterrolebindings" => &[
            NAME,
            Column(
                "Role",
                "string",
                0,
                Made(|o, _| {
                    json!(format!(
                        "{}/{}",
                        text(&o["roleRef"]["kind"]),
                        text(&o["roleRef"]["name"])
                    ))
                }),
            ),
            AGE,
            Column("Users", "string", 1, Made(|o, _| subjects(o, "User"))),
            Column("Groups", "string", 1, Made(|o, _| subjects(o, "Group"))),
            Column("ServiceAccounts", "string", 1, Made(|o, _| subjects(o, "ServiceAccount"))),
        ],
        "storageclasses" => &[
            NAME,
            Column("Provisioner", "string", 0, Text("/provisioner")),
            Column("ReclaimPolicy", "string", 0, TextOr("/reclaimPolicy", "Delete")),
            Column("VolumeBindingMode", "string", 0, TextOr("/volumeBindingMode", "Immediate")),
            Column("AllowVolumeExpansion", "string", 0, Flag("/allowVolumeExpansion", false)),
            AGE,
        ],
        "endpointslices" => &[
            NAME,
            Column("AddressType", "string", 0, Text("/addressType")),
            Column("Ports", "string", 0, Made(slice_ports)),
            Column("Endpoints", "string", 0, Made(slice_endpoints)),
            AGE,
        ],
        "priorityclasses" => &[
            NAME,
            Column("Value", "integer", 0, Number("/value")),
            Column("Global-Default", "boolean", 0, Flag("/globalDefault", false)),
            AGE,
            Column("PreemptionPolicy", "string", 0, Text("/preemptionPolicy")),
        ],
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            &[NAME, Column("Webhooks", "integer", 0, Count("/webhooks")), AGE]
        }
        "validatingadmissionpolicies" => &[
            NAME,
            Column("Validations", "integer", 0, Count("/spec/validations")),
            Column("ParamKind", "string", 0, Made(param_kind)),
            AGE,
        ],
        "csinodes" => &[NAME, Column("Drivers", "integer", 0, Count("/spec/drivers")), AGE],
        "volumeattachments" => &[
            NAME,
            Column("Attacher", "string", 0, Text("/spec/attacher")),
            Column("PV", "string", 0, Text("/spec/source/persistentVolumeName")),
            Column("Node", "string", 0, Text("/spec/nodeName")),
            Column("Attached", "boolean", 0, Flag("/status/attached", false)),
            AGE,
        ],
        _ => DEFAULT,
    }
}

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

fn is_empty(value: &Value) -> bool {
    len(value) == 0
}

fn len(value: &Value) -> usize {
    value
        .as_array()
        .map(Vec::len)
        .or_else(|| value.as_object().map(serde_json::Map::len))
        .unwrap_or(0)
}

fn scalar(value: &Value, otherwise: &str) -> String {
    match value {
        Value::Null => otherwise.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn data(object: &Value, _: Timestamp) -> Value {
    json!(len(&object["data"]) + len(&object["binaryData"]))
}

fn ratio(object: &Value, ready: &str) -> Value {
    let ready = object.pointer(ready).and_then(Value::as_i64).unwrap_or(0);
    json!(format!("{ready}/{}", object["spec"]["replicas"].as_i64().unwrap_or(1)))
}

fn phase(object: &Value, _: Timestamp) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    object["status"]["phase"].clone()
}

fn access_modes(modes: &Value) -> Value {
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

fn claim(object: &Value, _: Timestamp) -> Value {
    let claim = &object["spec"]["claimRef"];
    json!(if claim.is_null() {
        String::new()
    } else {
        format!("{}/{}", text(&claim["namespace"]), text(&claim["name"]))
    })
}

fn first_seen(event: &Value, now: Timestamp) -> Value {
    let first = &event["firstTimestamp"];
    json!(since(if first.is_null() { &event["eventTime"] } else { first }, now))
}

fn last_seen(event: &Value, now: Timestamp) -> Value {
    let series = &event["series"]["lastObservedTime"];
    let last = &event["lastTimestamp"];
    match (series.is_null(), last.is_null()) {
        (false, _) => json!(since(series, now)),
        (true, false) => json!(since(last, now)),
        (true, true) => first_seen(event, now),
    }
}

fn count(event: &Value, _: Timestamp) -> Value {
    let series = event["series"]["count"].as_i64();
    json!(series.or(event["count"].as_i64().filter(|n| *n != 0)).unwrap_or(1))
}

fn involved(event: &Value, _: Timestamp) -> Value {
    let object = &event["involvedObject"];
    let kind = text(&object["kind"]).to_lowercase();
    json!(match text(&object["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    })
}

fn source(event: &Value, _: Timestamp) -> Value {
    let first = |a: &Value, b: &Value| {
        if text(a).is_empty() { text(b).to_owned() } else { text(a).to_owned() }
    };
    let component = first(&event["source"]["component"], &event["reportingComponent"]);
    let instance = first(&event["source"]["host"], &event["reportingInstance"]);
    json!(if instance.is_empty() { component } else { format!("{component}, {instance}") })
}

fn addresses(ingress: &Value) -> String {
    let shown: Vec<_> = items(ingress)
        .iter()
        .map(|i| if text(&i["ip"]).is_empty() { text(&i["hostname"]) } else { text(&i["ip"]) })
        .collect();
    shown.join(",")
}

fn external_ip(service: &Value, _: Timestamp) -> Value {
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

fn ports(service: &Value, _: Timestamp) -> Value {
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

fn endpoints(object: &Value, _: Timestamp) -> Value {
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

fn slice_ports(slice: &Value, _: Timestamp) -> Value {
    let ports: Vec<_> = items(&slice["ports"]).iter().map(|p| scalar(&p["port"], "*")).collect();
    json!(if ports.is_empty() { "<unset>".to_owned() } else { short_list(&ports) })
}

fn slice_endpoints(slice: &Value, _: Timestamp) -> Value {
    let all: Vec<_> = items(&slice["endpoints"])
        .iter()
        .flat_map(|e| items(&e["addresses"]))
        .map(|a| text(a).to_owned())
        .collect();
    json!(if all.is_empty() { "<unset>".to_owned() } else { short_list(&all) })
}

fn node_status(node: &Value, _: Timestamp) -> Value {
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

fn node_roles(node: &Value, _: Timestamp) -> Value {
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

fn node_address(node: &Value, kind: &str) -> Value {
    let address = items(&node["status"]["addresses"]).iter().find(|a| a["type"] == kind);
    json!(address.map_or("<none>", |a| text(&a["address"])))
}

fn quota(object: &Value, limits: bool) -> Value {
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

fn controller(object: &Value, _: Timestamp) -> Value {
    let owner =
        items(&object["metadata"]["ownerReferences"]).iter().find(|o| o["controller"] == true);
    json!(owner.map_or("<none>".to_owned(), |o| {
        let group =
            text(&o["apiVersion"]).split_once('/').map_or(String::new(), |(g, _)| format!(".{g}"));
        format!("{}{group}/{}", text(&o["kind"]).to_lowercase(), text(&o["name"]))
    }))
}

fn scale_target(object: &Value, _: Timestamp) -> Value {
    let target = &object["spec"]["scaleTargetRef"];
    json!(format!("{}/{}", text(&target["kind"]), text(&target["name"])))
}

fn last_schedule(object: &Value, now: Timestamp) -> Value {
    let last = &object["status"]["lastScheduleTime"];
    json!(if last.is_null() { "<none>".to_owned() } else { since(last, now) })
}

fn hosts(ingress: &Value, _: Timestamp) -> Value {
    let hosts: Vec<_> = items(&ingress["spec"]["rules"])
        .iter()
        .map(|r| text(&r["host"]).to_owned())
        .filter(|h| !h.is_empty())
        .collect();
    json!(if hosts.is_empty() { "*".to_owned() } else { short_list(&hosts) })
}

fn parameters(class: &Value, _: Timestamp) -> Value {
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

fn param_kind(policy: &Value, _: Timestamp) -> Value {
    let kind = &policy["spec"]["paramKind"];
    json!(if kind.is_null() {
        "<unset>".to_owned()
    } else {
        format!("{}/{}", text(&kind["apiVersion"]), text(&kind["kind"]))
    })
}

fn subjects(binding: &Value, kind: &str) -> Value {
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
