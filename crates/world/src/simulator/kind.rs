//! The kinds that are watched and played.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;

/// A kind that the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Namespace,
    Node,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ControllerRevision,
    CronJob,
    Job,
    PersistentVolumeClaim,
    PersistentVolume,
    Service,
    Pod,
}

impl Kind {
    /// All of them, those that make others first.
    pub(super) const ALL: [Self; 13] = [
        Self::Namespace,
        Self::Node,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ControllerRevision,
        Self::CronJob,
        Self::Job,
        Self::PersistentVolumeClaim,
        Self::PersistentVolume,
        Self::Service,
        Self::Pod,
    ];

    /// `apiVersion`, kind and plural.
    pub(super) fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Namespace => ("v1", "Namespace", "namespaces"),
            Self::Node => ("v1", "Node", "nodes"),
            Self::Deployment => ("apps/v1", "Deployment", "deployments"),
            Self::StatefulSet => ("apps/v1", "StatefulSet", "statefulsets"),
            Self::DaemonSet => ("apps/v1", "DaemonSet", "daemonsets"),
            Self::ReplicaSet => ("apps/v1", "ReplicaSet", "replicasets"),
            Self::ControllerRevision => ("apps/v1", "ControllerRevision", "controllerrevisions"),
            Self::CronJob => ("batch/v1", "CronJob", "cronjobs"),
            Self::Job => ("batch/v1", "Job", "jobs"),
            Self::PersistentVolumeClaim => {
                ("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
            }
            Self::PersistentVolume => ("v1", "PersistentVolume", "persistentvolumes"),
            Self::Service => ("v1", "Service", "services"),
            Self::Pod => ("v1", "Pod", "pods"),
        }
    }

    /// The kind of that name.
    pub(super) fn named(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.names().1 == kind)
    }

    /// As the client wants it.
    pub(super) fn resource(self) -> ApiResource {
        let (api_version, kind, plural) = self.names();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// Whether a workload controller plays it, not the kubelet.
    pub(super) fn is_workload(self) -> bool {
        matches!(
            self,
            Self::Deployment
                | Self::StatefulSet
                | Self::DaemonSet
                | Self::ReplicaSet
                | Self::CronJob
                | Self::Job
        )
    }

    /// Who writes its status and what it makes.
    pub(super) fn manager(self) -> &'static str {
        if matches!(self, Self::Pod | Self::Node) { "kubelet" } else { "kube-controller-manager" }
    }
}
