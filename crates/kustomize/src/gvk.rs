//! What a resource is, and what it is called.

use std::fmt::{self, Display, Formatter};

/// Group, version and kind. As a selector, an empty one matches any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

/// Kind, name and namespace of a resource. As a selector, an empty field matches any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) gvk: Gvk,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Known to be of the cluster.
    pub(crate) cluster: bool,
}

/// The namespace of what has none.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// The namespace of what does not say one.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// `group/version` as group and version.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl Gvk {
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    pub(crate) fn is_selected(&self, selector: &Self) -> bool {
        let fits = |have: &str, want: &str| want.is_empty() || have == want;
        fits(&self.group, &selector.group)
            && fits(&self.version, &selector.version)
            && fits(&self.kind, &selector.kind)
    }

    /// What kustomize orders field specs by.
    pub(crate) fn sort_key(&self) -> (i64, String) {
        (order::rank(&self.kind, &order::FIRST, &order::LAST), self.sort_text())
    }

    /// `group_version_kind`; what is missing sorts last.
    pub(crate) fn sort_text(&self) -> String {
        let or = |text, none| if str::is_empty(text) { none } else { text };
        format!("{}_{}_{}", or(&self.group, "~G"), or(&self.version, "~V"), or(&self.kind, "~K"))
    }
}

impl Display for Gvk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let or = |text, none| if str::is_empty(text) { none } else { text };
        write!(
            f,
            "{}.{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]")
        )
    }
}

impl Id {
    pub(crate) fn effective_namespace(&self) -> &str {
        match self.namespace.as_str() {
            _ if self.cluster => NO_NAMESPACE,
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        }
    }

    pub(crate) fn same_namespace(&self, other: &Self) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// The same object, as kustomize counts it.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.name == other.name && self.same_namespace(other) && self.gvk == other.gvk
    }

    pub(crate) fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.same_namespace(self))
            && self.gvk.is_selected(&selector.gvk)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A text that two ids share exactly if they are the same object.
    pub(crate) fn key(&self) -> String {
        let Gvk { group, version, kind } = &self.gvk;
        format!("{group}\0{version}\0{kind}\0{}\0{}", self.name, self.effective_namespace())
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let or = |text, none| if str::is_empty(text) { none } else { text };
        write!(f, "{}/{}.{}", self.gvk, or(&self.name, "[noName]"), or(&self.namespace, "[noNs]"))
    }
}

/// The order of kinds of kustomize's "legacy" sort.
pub(crate) mod order {
    /// Kinds that come before all others.
    pub(crate) const FIRST: [&str; 22] = [
        "Namespace",
        "ResourceQuota",
        "StorageClass",
        "CustomResourceDefinition",
        "ServiceAccount",
        "PodSecurityPolicy",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ConfigMap",
        "Secret",
        "Endpoints",
        "Service",
        "LimitRange",
        "PriorityClass",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Deployment",
        "StatefulSet",
        "CronJob",
        "PodDisruptionBudget",
    ];

    /// Kinds that come after all others.
    pub(crate) const LAST: [&str; 2] =
        ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

    /// Negative for the first, zero for those between, positive for the last.
    pub(crate) fn rank<S: AsRef<str>>(kind: &str, first: &[S], last: &[S]) -> i64 {
        let at = |list: &[S]| list.iter().rposition(|name| name.as_ref() == kind);
        let signed = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
        match (at(first), at(last)) {
            (_, Some(index)) => 1 + signed(index),
            (Some(index), None) => signed(index) - signed(first.len()),
            (None, None) => 0,
        }
    }
}
