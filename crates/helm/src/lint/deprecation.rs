//! Versions of built-in kinds that Kubernetes does not serve for ever.

use crate::capability::KubeVersion;

/// Version, kinds, deprecated in and removed in (minor versions), what to use instead (empty if
/// there is nothing).
type Life = (&'static str, &'static [&'static str], u32, u32, &'static str);

/// As the types of Kubernetes 1.34 say.
const LIVES: &[Life] = &[
    ("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 8, 16, "apps/v1"),
    ("extensions/v1beta1", &["Ingress", "IngressList"], 14, 22, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], 9, 16, "networking.k8s.io/v1"),
    ("apps/v1beta1", &["Deployment", "StatefulSet", "ControllerRevision"], 8, 16, "apps/v1"),
    (
        "apps/v1beta2",
        &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision"],
        9,
        16,
        "apps/v1",
    ),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 19, 22, "networking.k8s.io/v1"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "rbac.authorization.k8s.io/v1alpha1",
        &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
        17,
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    (
        "storage.k8s.io/v1beta1",
        &["StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"],
        19,
        22,
        "storage.k8s.io/v1",
    ),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], 14, 22, "scheduling.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], 19, 22, "coordination.k8s.io/v1"),
    (
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        19,
        22,
        "certificates.k8s.io/v1",
    ),
    ("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], 21, 25, "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], 21, 25, ""),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], 21, 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", &["Event"], 19, 25, "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], 22, 25, "node.k8s.io/v1"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 22, 25, "autoscaling/v2"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 23, 26, "autoscaling/v2"),
];

/// Warns of a version that is deprecated in a version of Kubernetes.
pub(super) fn check(api_version: &str, kind: &str, cluster: &KubeVersion) -> Result<(), String> {
    let minor: u32 = cluster.minor.trim_end_matches('+').parse().unwrap_or_default();
    let life = LIVES.iter().find(|(version, kinds, since, ..)| {
        *version == api_version && kinds.contains(&kind) && *since <= minor
    });
    let Some((_, _, since, until, instead)) = life else { return Ok(()) };
    let hint = if instead.is_empty() { String::new() } else { format!("; use {instead} {kind}") };
    Err(format!(
        "{api_version} {kind} is deprecated in v1.{since}+, unavailable in v1.{until}+{hint}"
    ))
}
