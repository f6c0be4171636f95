//! What kube-apiserver makes of an object it reads.

use serde_json::{Map, Value, json};

use super::quantity;
use super::table;
use crate::protobuf;

/// Type, field and the value an unset field gets. Empty texts are unset, and in probes zeros too.
pub(super) const DEFAULTS: &[(&str, &[(&str, &str)])] = &[
    ("core.v1.PodTemplateSpec", &[("metadata", "{}")]),
    ("batch.v1.JobTemplateSpec", &[("metadata", "{}")]),
    ("discovery.v1.Endpoint", &[("conditions", "{}")]),
    (
        "core.v1.Event",
        &[("source", "{}"), ("reportingComponent", r#""""#), ("reportingInstance", r#""""#)],
    ),
    ("core.v1.ReplicationControllerStatus", &[("replicas", "0")]),
    ("autoscaling.v2.HorizontalPodAutoscalerStatus", &[("desiredReplicas", "0")]),
    (
        "policy.v1.PodDisruptionBudgetStatus",
        &[
            ("currentHealthy", "0"),
            ("desiredHealthy", "0"),
            ("disruptionsAllowed", "0"),
            ("expectedPods", "0"),
        ],
    ),
    (
        "core.v1.PodSpec",
        &[
            ("dnsPolicy", r#""ClusterFirst""#),
            ("restartPolicy", r#""Always""#),
            ("securityContext", "{}"),
            ("terminationGracePeriodSeconds", "30"),
            ("schedulerName", r#""default-scheduler""#),
        ],
    ),
    ("core.v1.Container", CONTAINER),
    ("core.v1.EphemeralContainer", CONTAINER),
    ("core.v1.ContainerPort", &[("protocol", r#""TCP""#)]),
    (
        "core.v1.Probe",
        &[
            ("timeoutSeconds", "1"),
            ("periodSeconds", "10"),
            ("successThreshold", "1"),
            ("failureThreshold", "3"),
        ],
    ),
    ("core.v1.HTTPGetAction", &[("path", r#""/""#), ("scheme", r#""HTTP""#)]),
    ("core.v1.GRPCAction", &[("service", r#""""#)]),
    ("core.v1.SecretVolumeSource", &[("defaultMode", "420")]),
    ("core.v1.ConfigMapVolumeSource", &[("defaultMode", "420")]),
    ("core.v1.DownwardAPIVolumeSource", &[("defaultMode", "420")]),
    ("core.v1.ProjectedVolumeSource", &[("defaultMode", "420")]),
    ("core.v1.ServiceAccountTokenProjection", &[("expirationSeconds", "3600")]),
    ("core.v1.HostPathVolumeSource", &[("type", r#""""#)]),
    ("core.v1.ObjectFieldSelector", &[("apiVersion", r#""v1""#)]),
    (
        "core.v1.PersistentVolumeSpec",
        &[("persistentVolumeReclaimPolicy", r#""Retain""#), ("volumeMode", r#""Filesystem""#)],
    ),
    ("core.v1.PersistentVolumeClaimSpec", &[("volumeMode", r#""Filesystem""#)]),
    ("core.v1.PersistentVolumeClaimStatus", &[("phase", r#""Pending""#)]),
    ("core.v1.PersistentVolumeStatus", &[("phase", r#""Pending""#)]),
    ("core.v1.EndpointPort", &[("protocol", r#""TCP""#)]),
    ("core.v1.Secret", &[("type", r#""Opaque""#)]),
    ("core.v1.ServiceStatus", &[("loadBalancer", "{}")]),
    ("core.v1.NamespaceStatus", &[("phase", r#""Active""#)]),
    (
        "apps.v1.DeploymentSpec",
        &[
            ("replicas", "1"),
            ("strategy", "{}"),
            ("revisionHistoryLimit", "10"),
            ("progressDeadlineSeconds", "600"),
        ],
    ),
    ("apps.v1.DaemonSetSpec", &[("updateStrategy", "{}"), ("revisionHistoryLimit", "10")]),
    (
        "apps.v1.DaemonSetStatus",
        &[
            ("currentNumberScheduled", "0"),
            ("desiredNumberScheduled", "0"),
            ("numberMisscheduled", "0"),
            ("numberReady", "0"),
        ],
    ),
    (
        "apps.v1.StatefulSetSpec",
        &[
            ("podManagementPolicy", r#""OrderedReady""#),
            ("updateStrategy", "{}"),
            ("persistentVolumeClaimRetentionPolicy", "{}"),
            ("replicas", "1"),
            ("revisionHistoryLimit", "10"),
            ("serviceName", r#""""#),
        ],
    ),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        &[("whenDeleted", r#""Retain""#), ("whenScaled", r#""Retain""#)],
    ),
    ("apps.v1.StatefulSetStatus", &[("replicas", "0"), ("availableReplicas", "0")]),
    ("apps.v1.ReplicaSetSpec", &[("replicas", "1")]),
    ("apps.v1.ReplicaSetStatus", &[("replicas", "0")]),
    (
        "batch.v1.JobSpec",
        &[("completionMode", r#""NonIndexed""#), ("suspend", "false"), ("manualSelector", "false")],
    ),
    (
        "batch.v1.CronJobSpec",
        &[
            ("concurrencyPolicy", r#""Allow""#),
            ("suspend", "false"),
            ("successfulJobsHistoryLimit", "3"),
            ("failedJobsHistoryLimit", "1"),
        ],
    ),
    ("batch.v1.PodFailurePolicyOnPodConditionsPattern", &[("status", r#""True""#)]),
    ("rbac.v1.RoleRef", &[("apiGroup", r#""rbac.authorization.k8s.io""#)]),
    ("networking.v1.NetworkPolicyPort", &[("protocol", r#""TCP""#)]),
    ("networking.v1.IngressClassParametersReference", &[("scope", r#""Cluster""#)]),
    ("networking.v1.IngressStatus", &[("loadBalancer", "{}")]),
    ("autoscaling.v1.HorizontalPodAutoscalerSpec", &[("minReplicas", "1")]),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", &[("minReplicas", "1")]),
    (
        "flowcontrol.v1.LimitedPriorityLevelConfiguration",
        &[("nominalConcurrencyShares", "30"), ("lendablePercent", "0")],
    ),
    ("flowcontrol.v1.FlowSchemaSpec", &[("matchingPrecedence", "1000")]),
    ("admissionregistration.v1.ValidatingWebhook", WEBHOOK),
    ("admissionregistration.v1.MutatingWebhook", WEBHOOK),
    ("admissionregistration.v1.RuleWithOperations", &[("scope", r#""*""#)]),
    ("admissionregistration.v1.NamedRuleWithOperations", &[("scope", r#""*""#)]),
    ("admissionregistration.v1.ServiceReference", &[("port", "443")]),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", &[("failurePolicy", r#""Fail""#)]),
    (
        "admissionregistration.v1.MatchResources",
        &[
            ("matchPolicy", r#""Equivalent""#),
            ("namespaceSelector", "{}"),
            ("objectSelector", "{}"),
        ],
    ),
    (
        "storage.v1.StorageClass",
        &[("reclaimPolicy", r#""Delete""#), ("volumeBindingMode", r#""Immediate""#)],
    ),
    (
        "storage.v1.CSIDriverSpec",
        &[
            ("attachRequired", "true"),
            ("podInfoOnMount", "false"),
            ("storageCapacity", "false"),
            ("fsGroupPolicy", r#""ReadWriteOnceWithFSType""#),
            ("volumeLifecycleModes", r#"["Persistent"]"#),
            ("requiresRepublish", "false"),
            ("seLinuxMount", "false"),
        ],
    ),
    ("discovery.v1.EndpointPort", &[("name", r#""""#), ("protocol", r#""TCP""#)]),
    ("scheduling.v1.PriorityClass", &[("preemptionPolicy", r#""PreemptLowerPriority""#)]),
];
const CONTAINER: &[(&str, &str)] = &[
    ("terminationMessagePath", r#""/dev/termination-log""#),
    ("terminationMessagePolicy", r#""File""#),
    ("resources", "{}"),
];
const WEBHOOK: &[(&str, &str)] = &[
    ("failurePolicy", r#""Fail""#),
    ("matchPolicy", r#""Equivalent""#),
    ("namespaceSelector", "{}"),
    ("objectSelector", "{}"),
    ("timeoutSeconds", "10"),
];

type Object = Map<String, Value>;

/// Drops what Go's types cannot hold or do not write, and makes amounts canonical.
pub(super) fn normalise(object: &mut Value, index: usize) {
    normalise_type(object, index);
}

/// Fills in the defaults of an object of the type.
pub(super) fn fill(object: &mut Value, index: usize) {
    fill_type(object, index, false);
}

/// Drops what Go's types cannot hold or do not write.
fn normalise_type(value: &mut Value, index: usize) {
    let table = table::get();
    if table.go_name(index) == "Quantity" {
        let text = match &*value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        if let Some(canonical) = quantity::canonical(&text) {
            *value = Value::String(canonical);
        }
        return;
    }
    let (None, Value::Object(map)) = (table.alias(index), value) else { return };
    let required: Vec<&str> = table.required(index).collect();
    map.retain(|name, child| {
        let Some(word) = table.word(index, name) else { return true };
        normalise_word(child, word);
        let empty = match &*child {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty() && word.starts_with("{}"),
            _ => false,
        };
        !(child.is_null() || empty)
            || required.contains(&name.as_str())
            || name == "managedFields"
            || (empty && protobuf::is_always_written(table.name(index), name))
    });
}

fn normalise_word(value: &mut Value, word: &str) {
    if let Some(element) = word.strip_prefix("[]") {
        for item in value.as_array_mut().into_iter().flatten() {
            normalise_item(item, element);
        }
    } else if let Some(element) = word.strip_prefix("{}") {
        for (_, item) in value.as_object_mut().into_iter().flatten() {
            normalise_item(item, element);
        }
    } else if let Some(index) = table::get().referred(word) {
        normalise_type(value, index);
    }
}

/// In lists and maps of Go, a null is read as the zero of their type.
fn normalise_item(value: &mut Value, element: &str) {
    if value.is_null() {
        match element.as_bytes().first() {
            Some(b's') => *value = json!(""),
            Some(b'i' | b'n') => *value = json!(0),
            Some(b'b') => *value = json!(false),
            _ => {}
        }
    }
    normalise_word(value, element);
}

fn fill_type(value: &mut Value, index: usize, inside: bool) {
    let table = table::get();
    let (None, Value::Object(map)) = (table.alias(index), value) else { return };
    let name = table.name(index);
    if name == "batch.v1.JobSpec" && inside {
        fill_children(map, index);
        return;
    }
    if let Some((_, defaults)) = DEFAULTS.iter().find(|(known, _)| *known == name) {
        for (field, default) in *defaults {
            let unset = map.get(*field).is_none_or(|v| is_unset(v, name));
            if let (true, Ok(default)) = (unset, serde_json::from_str(default)) {
                map.insert((*field).to_owned(), default);
            }
        }
    }
    fill_special(map, name);
    fill_children(map, index);
}

fn fill_children(map: &mut Object, index: usize) {
    let table = table::get();
    // What a CronJob makes gets the defaults of a Job when it is made.
    let inside = table.name(index) == "batch.v1.JobTemplateSpec";
    for (field, child) in map.iter_mut() {
        if let Some(word) = table.word(index, field) {
            fill_word(child, word, inside);
        }
    }
}

fn is_unset(value: &Value, name: &str) -> bool {
    let zero = matches!(name, "core.v1.Probe" | "flowcontrol.v1.FlowSchemaSpec");
    value.is_null() || *value == *"" || (zero && *value == 0)
}

fn fill_word(value: &mut Value, word: &str, inside: bool) {
    if let Some(element) = word.strip_prefix("[]") {
        for item in value.as_array_mut().into_iter().flatten() {
            fill_word(item, element, inside);
        }
    } else if let Some(element) = word.strip_prefix("{}") {
        for (_, item) in value.as_object_mut().into_iter().flatten() {
            fill_word(item, element, inside);
        }
    } else if let Some(index) = table::get().referred(word) {
        fill_type(value, index, inside);
    }
}

/// Defaults that depend on other fields.
fn fill_special(map: &mut Object, name: &str) {
    match name {
        "core.v1.Container" | "core.v1.EphemeralContainer" => container(map),
        "core.v1.Volume" if map.len() == 1 && map.contains_key("name") => {
            map.insert("emptyDir".to_owned(), json!({}));
        }
        "core.v1.Pod" => pod(map),
        "core.v1.PodSpec" => pod_spec(map),
        "core.v1.Secret" => secret(map),
        "core.v1.ServiceSpec" => service(map),
        "apps.v1.DeploymentStrategy" => {
            rolling(map, &[("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))]);
        }
        "apps.v1.DaemonSetUpdateStrategy" => {
            rolling(map, &[("maxUnavailable", json!(1)), ("maxSurge", json!(0))]);
        }
        "apps.v1.StatefulSetUpdateStrategy" => stateful_strategy(map),
        "batch.v1.Job" | "core.v1.ReplicationController" => job(map),
        "core.v1.LimitRangeItem" if text(map, "type") == "Container" => limits(map),
        "autoscaling.v2.HorizontalPodAutoscalerBehavior" => behavior(map),
        "batch.v1.JobSpec" => job_spec(map),
        "rbac.v1.Subject" if matches!(text(map, "kind"), "User" | "Group") => {
            set(map, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
        "networking.v1.NetworkPolicySpec" if !map.contains_key("policyTypes") => {
            let types: &[&str] =
                if map.contains_key("egress") { &["Ingress", "Egress"] } else { &["Ingress"] };
            map.insert("policyTypes".to_owned(), json!(types));
        }
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => {
            let cpu = json!([{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}]);
            set(map, "metrics", cpu);
        }
        "admissionregistration.v1.MutatingWebhook" => {
            set(map, "reinvocationPolicy", json!("Never"));
        }
        _ => {}
    }
}

fn text<'a>(map: &'a Object, name: &str) -> &'a str {
    map.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Sets a field that is missing or empty text.
fn set(map: &mut Object, name: &str, value: Value) {
    if map.get(name).is_none_or(|v| v.is_null() || *v == *"") {
        map.insert(name.to_owned(), value);
    }
}

fn container(map: &mut Object) {
    let policy = if tag(text(map, "image")) == "latest" { "Always" } else { "IfNotPresent" };
    set(map, "imagePullPolicy", json!(policy));
}

/// The tag of an image; `latest` if there is neither tag nor digest.
fn tag(image: &str) -> &str {
    if image.contains('@') {
        return "";
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split_once(':').map_or("latest", |(_, tag)| tag)
}

fn pod(map: &mut Object) {
    let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) else { return };
    set(spec, "enableServiceLinks", json!(true));
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let limits = container.pointer("/resources/limits").and_then(Value::as_object).cloned();
            for (name, limit) in limits.into_iter().flatten() {
                let requests = &mut container["resources"]["requests"];
                if requests.get(&name).is_none() {
                    requests[name.as_str()] = limit;
                }
            }
        }
    }
}

fn pod_spec(map: &mut Object) {
    // The older name of the account is kept in step with the newer one.
    let account = [text(map, "serviceAccountName"), text(map, "serviceAccount")]
        .into_iter()
        .find(|name| !name.is_empty())
        .map(ToOwned::to_owned);
    if let Some(account) = account {
        map.insert("serviceAccountName".to_owned(), json!(account));
        map.insert("serviceAccount".to_owned(), json!(account));
    }
    if map.get("hostNetwork") != Some(&Value::Bool(true)) {
        return;
    }
    for list in ["containers", "initContainers"] {
        for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let ports = container.get_mut("ports").and_then(Value::as_array_mut);
            for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
                if let Some(inside) = port.get("containerPort").cloned() {
                    set(port, "hostPort", inside);
                }
            }
        }
    }
}

/// `stringData` is written into `data` and not kept.
fn secret(map: &mut Object) {
    use base64::Engine as _;
    let Some(Value::Object(plain)) = map.shift_remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| json!({}));
    for (key, value) in plain {
        let bytes = value.as_str().unwrap_or_default();
        data[key] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    }
}

fn service(map: &mut Object) {
    set(map, "type", json!("ClusterIP"));
    set(map, "sessionAffinity", json!("None"));
    if text(map, "sessionAffinity") == "None" {
        map.shift_remove("sessionAffinityConfig");
    } else {
        set(map, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
    }
    for port in map.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        set(port, "protocol", json!("TCP"));
        if port.get("targetPort") == Some(&json!(0)) {
            port.shift_remove("targetPort");
        }
        if let Some(number) = port.get("port").cloned() {
            set(port, "targetPort", number);
        }
    }
    let kind = text(map, "type").to_owned();
    let external = matches!(kind.as_str(), "LoadBalancer" | "NodePort")
        || (kind == "ClusterIP" && map.contains_key("externalIPs"));
    if external {
        set(map, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind != "ExternalName" {
        set(map, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set(map, "allocateLoadBalancerNodePorts", json!(true));
    }
}

fn rolling(map: &mut Object, defaults: &[(&str, Value)]) {
    set(map, "type", json!("RollingUpdate"));
    if text(map, "type") != "RollingUpdate" {
        return;
    }
    set(map, "rollingUpdate", json!({}));
    if let Some(update) = map.get_mut("rollingUpdate").and_then(Value::as_object_mut) {
        for (name, value) in defaults {
            set(update, name, value.clone());
        }
    }
}

fn stateful_strategy(map: &mut Object) {
    if text(map, "type").is_empty() {
        set(map, "type", json!("RollingUpdate"));
        set(map, "rollingUpdate", json!({}));
    }
    if let Some(update) = map.get_mut("rollingUpdate").and_then(Value::as_object_mut) {
        set(update, "partition", json!(0));
    }
}

fn job(map: &mut Object) {
    let labels = map.get("spec").and_then(|s| s.pointer("/template/metadata/labels")).cloned();
    let metadata = map.get_mut("metadata").and_then(Value::as_object_mut);
    if let (Some(labels), Some(metadata)) = (labels, metadata) {
        set(metadata, "labels", labels);
    }
}

/// Limits of containers: what is not given follows from the others.
fn limits(map: &mut Object) {
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
    {
        let Some(Value::Object(known)) = map.get(from).cloned() else { continue };
        let target = map.entry(to).or_insert_with(|| json!({}));
        for (resource, amount) in known {
            if target.get(&resource).is_none() {
                target[resource.as_str()] = amount;
            }
        }
    }
}

/// How fast an autoscaler goes, if it is told any of that.
fn behavior(map: &mut Object) {
    let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let some = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    for (way, policies) in [("scaleUp", json!([some, all])), ("scaleDown", json!([all]))] {
        let rules = map.entry(way).or_insert_with(|| json!({}));
        let Some(rules) = rules.as_object_mut() else { continue };
        if way == "scaleUp" {
            set(rules, "stabilizationWindowSeconds", json!(0));
        }
        set(rules, "selectPolicy", json!("Max"));
        set(rules, "policies", policies);
    }
}

fn job_spec(map: &mut Object) {
    if !map.contains_key("parallelism") {
        set(map, "completions", json!(1));
    }
    set(map, "parallelism", json!(1));
    let limit = if map.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    set(map, "backoffLimit", json!(limit));
    let policy =
        if map.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set(map, "podReplacementPolicy", json!(policy));
}
