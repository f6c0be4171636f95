//! Built-in kinds, read and written as their types.

use k8s_openapi::Resource;
use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, autoscaling::v1 as autoscaling_v1,
    autoscaling::v2 as autoscaling_v2, batch::v1 as batch, certificates::v1 as certificates,
    coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
    events::v1 as events, flowcontrol::v1 as flowcontrol, networking::v1 as networking,
    node::v1 as node, policy::v1 as policy, rbac::v1 as rbac, scheduling::v1 as scheduling,
    storage::v1 as storage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object as its type would write it: without fields that the type does not have. Nothing if
/// the kind is not built in, or the object is not of its form.
pub(crate) fn typed(object: &Value) -> Option<Value> {
    let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
    let known = KINDS.iter().find(|known| known.api_version == version && known.kind == kind)?;
    (known.rewrite)(object)
}

struct Builtin {
    api_version: &'static str,
    kind: &'static str,
    rewrite: fn(&Value) -> Option<Value>,
}

const fn kind<K: Resource + DeserializeOwned + Serialize>() -> Builtin {
    Builtin { api_version: K::API_VERSION, kind: K::KIND, rewrite: rewrite::<K> }
}

fn rewrite<K: DeserializeOwned + Serialize>(object: &Value) -> Option<Value> {
    let typed: K = serde_json::from_value(object.clone()).ok()?;
    serde_json::to_value(typed).ok()
}

/// The built-in kinds but Role and ClusterRole, whose rules upstream leaves alone
/// (kustomize-controller#1041).
const KINDS: &[Builtin] = &[
    kind::<admission::MutatingWebhookConfiguration>(),
    kind::<admission::ValidatingAdmissionPolicy>(),
    kind::<admission::ValidatingAdmissionPolicyBinding>(),
    kind::<admission::ValidatingWebhookConfiguration>(),
    kind::<apps::ControllerRevision>(),
    kind::<apps::DaemonSet>(),
    kind::<apps::Deployment>(),
    kind::<apps::ReplicaSet>(),
    kind::<apps::StatefulSet>(),
    kind::<autoscaling_v1::HorizontalPodAutoscaler>(),
    kind::<autoscaling_v2::HorizontalPodAutoscaler>(),
    kind::<batch::CronJob>(),
    kind::<batch::Job>(),
    kind::<certificates::CertificateSigningRequest>(),
    kind::<coordination::Lease>(),
    kind::<core::ConfigMap>(),
    kind::<core::Endpoints>(),
    kind::<core::Event>(),
    kind::<core::LimitRange>(),
    kind::<core::Namespace>(),
    kind::<core::Node>(),
    kind::<core::PersistentVolume>(),
    kind::<core::PersistentVolumeClaim>(),
    kind::<core::Pod>(),
    kind::<core::PodTemplate>(),
    kind::<core::ReplicationController>(),
    kind::<core::ResourceQuota>(),
    kind::<core::Secret>(),
    kind::<core::Service>(),
    kind::<core::ServiceAccount>(),
    kind::<discovery::EndpointSlice>(),
    kind::<events::Event>(),
    kind::<flowcontrol::FlowSchema>(),
    kind::<flowcontrol::PriorityLevelConfiguration>(),
    kind::<networking::IPAddress>(),
    kind::<networking::Ingress>(),
    kind::<networking::IngressClass>(),
    kind::<networking::NetworkPolicy>(),
    kind::<networking::ServiceCIDR>(),
    kind::<node::RuntimeClass>(),
    kind::<policy::PodDisruptionBudget>(),
    kind::<rbac::ClusterRoleBinding>(),
    kind::<rbac::RoleBinding>(),
    kind::<scheduling::PriorityClass>(),
    kind::<storage::CSIDriver>(),
    kind::<storage::CSINode>(),
    kind::<storage::CSIStorageCapacity>(),
    kind::<storage::StorageClass>(),
    kind::<storage::VolumeAttachment>(),
];
