//! The columns of built-in kinds, as the printers of kube-apiserver have them.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cell::{
    access_modes, addresses, claim, controller, count, data, endpoints, external_ip, first_seen,
    hosts, involved, is_empty, last_schedule, last_seen, node_address, node_roles, node_status,
    pairs, param_kind, parameters, phase, ports, quota, ratio, scalar, scale_target,
    slice_endpoints, slice_ports, source, subjects, text,
};
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

/// The description of a column of the resource stored at `store`, as kube-apiserver 1.34 gives it.
pub(super) fn description(store: &str, name: &str) -> &'static str {
    type Texts = HashMap<&'static str, HashMap<&'static str, String>>;
    static KNOWN: LazyLock<Texts> = LazyLock::new(|| {
        let mut known = Texts::new();
        for line in include_str!("descriptions.txt").lines() {
            let mut fields = line.splitn(3, '\t');
            if let (Some(plural), Some(column), Some(text)) =
                (fields.next(), fields.next(), fields.next())
                && let Ok(text) = serde_json::from_str(text)
            {
                known.entry(plural).or_default().insert(column, text);
            }
        }
        known
    });
    let plural = store.rsplit('/').next().unwrap_or_default();
    match name {
        "Name" => NAME_COLUMN,
        "Age" | "Created At" => AGE_COLUMN,
        _ => KNOWN.get(plural).and_then(|it| it.get(name)).map_or("", String::as_str),
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
    Column("Name", "string", 1, Text("/metadata/name")),
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

#[expect(clippy::too_many_lines, reason = "a table")]
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
        "csidrivers" => &[
            NAME,
            Column("AttachRequired", "boolean", 0, Flag("/spec/attachRequired", true)),
            Column("PodInfoOnMount", "boolean", 0, Flag("/spec/podInfoOnMount", false)),
            Column("StorageCapacity", "boolean", 0, Flag("/spec/storageCapacity", false)),
            Column("TokenRequests", "string", 0, Made(token_requests)),
            Column("RequiresRepublish", "boolean", 0, Flag("/spec/requiresRepublish", false)),
            Column("Modes", "string", 0, Made(modes)),
            AGE,
        ],
        "prioritylevelconfigurations" => &[
            NAME,
            Column("Type", "string", 0, Text("/spec/type")),
            Column("NominalConcurrencyShares", "string", 0, Made(shares)),
            Column("Queues", "string", 0, Made(|o, _| queue(o, "queues"))),
            Column("HandSize", "string", 0, Made(|o, _| queue(o, "handSize"))),
            Column("QueueLengthLimit", "string", 0, Made(|o, _| queue(o, "queueLengthLimit"))),
            AGE,
        ],
        "runtimeclasses" => &[NAME, Column("Handler", "string", 0, Text("/handler")), AGE],
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
        _ => rare(plural),
    }
}

fn rare(plural: &str) -> &'static [Column] {
    match plural {
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

/// How much of the server a level of priority gets.
fn shares(object: &Value, _: Timestamp) -> Value {
    let shares = &object["spec"]["limited"]["nominalConcurrencyShares"];
    if shares.is_null() { json!("<none>") } else { shares.clone() }
}

/// How a level of priority lets requests wait.
fn queue(object: &Value, key: &str) -> Value {
    let queuing = &object["spec"]["limited"]["limitResponse"]["queuing"][key];
    if queuing.is_null() { json!("<none>") } else { queuing.clone() }
}

/// Whom a driver of volumes asks tokens for.
fn token_requests(object: &Value, _: Timestamp) -> Value {
    let requests = object["spec"]["tokenRequests"].as_array().cloned().unwrap_or_default();
    let audiences: Vec<_> = requests.iter().filter_map(|it| it["audience"].as_str()).collect();
    json!(if audiences.is_empty() { "<unset>".to_owned() } else { audiences.join(",") })
}

/// The life cycles of volumes that a driver knows.
fn modes(object: &Value, _: Timestamp) -> Value {
    let modes = object["spec"]["volumeLifecycleModes"].as_array().cloned().unwrap_or_default();
    let modes: Vec<_> = modes.iter().filter_map(Value::as_str).collect();
    json!(if modes.is_empty() { "<none>".to_owned() } else { modes.join(",") })
}
