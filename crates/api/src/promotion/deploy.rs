//! What counts as deployed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{INTERVAL, KubeConfigReference};

/// What must run the commit, and for how long it is waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deploy {
    /// The objects; when empty, the Kustomizations of this cluster that apply the stage's paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub health: Vec<HealthTarget>,
    /// How long it is waited for; fifteen minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL, "default" = "15m"))]
    pub timeout: Option<String>,
}

/// One object, or a commit status posted by another cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.commitStatus) != (has(self.kind) && has(self.name))",
    "message": "either kind and name or commitStatus must be set"
}]))]
pub struct HealthTarget {
    /// API version of the object; that of Flux' newest one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub api_version: Option<String>,
    /// Kind of the object: Kustomization, HelmRelease, or any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub kind: Option<String>,
    /// Name of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub name: Option<String>,
    /// Namespace of the object; the Stage's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub namespace: Option<String>,
    /// How the object's cluster is reached; this one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// CEL over `object`, `commit`, `bundle` and `components` that says whether it is healthy and
    /// current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 4096))]
    pub expr: Option<String>,
    /// A status of the commit at the Git provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status: Option<CommitStatusTarget>,
}

/// A status of the commit at the Git provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitStatusTarget {
    /// Its context; `{target}` stands for the name of the target.
    #[schemars(extend("minLength" = 1, "maxLength" = 256))]
    pub context: String,
}
