//! The built-in resources.

use std::sync::{Arc, LazyLock};

use crate::fields;

use super::{Origin, Resource, Scale};

/// How kube-apiserver describes the column of names.
pub(crate) const NAME_COLUMN: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
/// How kube-apiserver describes the column of ages.
pub(crate) const AGE_COLUMN: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// group/version, kind, plural, flags (n namespaced, s status, c scale, a category `all`,
/// r read only, p category `api-extensions`, v answered and not stored), short names.
const TABLE: &[(&str, &str, &str, &str, &str)] = &[
    ("v1", "Binding", "bindings", "nv", ""),
    ("v1", "ComponentStatus", "componentstatuses", "r", "cs"),
    ("v1", "ConfigMap", "configmaps", "n", "cm"),
    ("v1", "Endpoints", "endpoints", "n", "ep"),
    ("v1", "Event", "events", "n", "ev"),
    ("v1", "LimitRange", "limitranges", "n", "limits"),
    ("v1", "Namespace", "namespaces", "s", "ns"),
    ("v1", "Node", "nodes", "s", "no"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "ns", "pvc"),
    ("v1", "PersistentVolume", "persistentvolumes", "s", "pv"),
    ("v1", "Pod", "pods", "nsa", "po"),
    ("v1", "PodTemplate", "podtemplates", "n", ""),
    ("v1", "ReplicationController", "replicationcontrollers", "nsca", "rc"),
    ("v1", "ResourceQuota", "resourcequotas", "ns", "quota"),
    ("v1", "Secret", "secrets", "n", ""),
    ("v1", "ServiceAccount", "serviceaccounts", "n", "sa"),
    ("v1", "Service", "services", "nsa", "svc"),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "p",
        "",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        "sp",
        "",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "p",
        "",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "p",
        "",
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "sp",
        "crd,crds",
    ),
    ("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", "v", ""),
    ("authentication.k8s.io/v1", "TokenReview", "tokenreviews", "v", ""),
    ("authorization.k8s.io/v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", "nv", ""),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "v", ""),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "v", ""),
    ("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", "v", ""),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices", "sp", ""),
    ("apps/v1", "ControllerRevision", "controllerrevisions", "n", ""),
    ("apps/v1", "DaemonSet", "daemonsets", "nsa", "ds"),
    ("apps/v1", "Deployment", "deployments", "nsca", "deploy"),
    ("apps/v1", "ReplicaSet", "replicasets", "nsca", "rs"),
    ("apps/v1", "StatefulSet", "statefulsets", "nsca", "sts"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "nsa", "hpa"),
    ("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "nsa", "hpa"),
    ("batch/v1", "CronJob", "cronjobs", "nsa", "cj"),
    ("batch/v1", "Job", "jobs", "nsa", ""),
    (
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "s",
        "csr",
    ),
    ("coordination.k8s.io/v1", "Lease", "leases", "n", ""),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "n", ""),
    ("events.k8s.io/v1", "Event", "events", "n", "ev"),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "flowschemas", "s", ""),
    (
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        "s",
        "",
    ),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", "", ""),
    ("networking.k8s.io/v1", "Ingress", "ingresses", "ns", "ing"),
    ("networking.k8s.io/v1", "IPAddress", "ipaddresses", "", "ip"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "n", "netpol"),
    ("networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", "s", ""),
    ("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", "", ""),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "ns", "pdb"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", "", ""),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", "", ""),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", "n", ""),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", "n", ""),
    ("resource.k8s.io/v1", "DeviceClass", "deviceclasses", "", ""),
    ("resource.k8s.io/v1", "ResourceClaim", "resourceclaims", "ns", ""),
    ("resource.k8s.io/v1", "ResourceClaimTemplate", "resourceclaimtemplates", "n", ""),
    ("resource.k8s.io/v1", "ResourceSlice", "resourceslices", "", ""),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "", "pc"),
    ("storage.k8s.io/v1", "CSIDriver", "csidrivers", "", ""),
    ("storage.k8s.io/v1", "CSINode", "csinodes", "", ""),
    ("storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities", "n", ""),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", "", "sc"),
    ("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", "s", ""),
    ("storage.k8s.io/v1", "VolumeAttributesClass", "volumeattributesclasses", "", "vac"),
];

/// All of them.
pub(super) fn resources() -> Vec<Arc<Resource>> {
    static RESOURCES: LazyLock<Vec<Arc<Resource>>> =
        LazyLock::new(|| TABLE.iter().map(|row| Arc::new(resource(row))).collect());
    RESOURCES.clone()
}

/// What requests for tokens of `ServiceAccounts` are: not served by itself.
pub(crate) fn token_request() -> Arc<Resource> {
    static RESOURCE: LazyLock<Arc<Resource>> = LazyLock::new(|| {
        let group = "authentication.k8s.io/v1";
        Arc::new(resource(&(group, "TokenRequest", "tokenrequests", "nv", "")))
    });
    RESOURCE.clone()
}

fn resource(row: &(&str, &str, &str, &str, &str)) -> Resource {
    let (api_version, kind, plural, flags, short_names) = *row;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    // Both groups show the same Events; they are stored as those of core.
    let events = plural == "events";
    let store_group = if events { "" } else { group };
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        namespaced: flags.contains('n'),
        short_names: short_names.split(',').filter(|s| !s.is_empty()).map(Into::into).collect(),
        categories: categories(flags),
        store: format!("{store_group}/{plural}").into(),
        stored_as: match (plural, version) {
            ("events", _) => "v1",
            ("horizontalpodautoscalers", "v1") => "autoscaling/v2",
            _ => api_version,
        }
        .to_owned(),
        is_virtual: flags.contains('v'),
        read_only: flags.contains('r'),
        status: flags.contains('s'),
        scale: flags.contains('c').then(|| Scale {
            spec: ".spec.replicas".to_owned(),
            status: ".status.replicas".to_owned(),
            selector: None,
        }),
        columns: Vec::new(),
        selectable: selectable(plural),
        warning: warning(kind).map(ToOwned::to_owned),
        fields: fields::Type::builtin(group, version, kind).unwrap_or_else(fields::Type::deduced),
        origin: Origin::BuiltIn,
    }
}

fn categories(flags: &str) -> Vec<String> {
    let known = [('a', "all"), ('p', "api-extensions")];
    let given = known.iter().filter(|(flag, _)| flags.contains(*flag));
    given.map(|(_, name)| (*name).to_owned()).collect()
}

/// What users of a kind are told that is on its way out.
fn warning(kind: &str) -> Option<&'static str> {
    match kind {
        "ComponentStatus" => Some("v1 ComponentStatus is deprecated in v1.19+"),
        "Endpoints" => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        _ => None,
    }
}

/// The fields that kube-apiserver lets selectors use, beyond name and namespace.
fn selectable(plural: &str) -> Vec<Vec<String>> {
    let fields: &[&str] = match plural {
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        "replicasets" | "replicationcontrollers" => &["status.replicas"],
        "jobs" => &["status.successful"],
        "services" => &["spec.clusterIP", "spec.type"],
        "certificatesigningrequests" => &["spec.signerName"],
        _ => &[],
    };
    fields.iter().map(|f| f.split('.').map(ToOwned::to_owned).collect()).collect()
}
