//! What happens when the cluster differs from the release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kustomize::Selector;

/// Whether differences are looked for, and which do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftDetection {
    /// Whether they are looked for; `disabled` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DriftDetectionMode>,
    /// Which do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<IgnoreRule>>,
}

/// Whether differences are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftDetectionMode {
    /// They are, and they are undone.
    Enabled,
    /// They are, and they are told of.
    Warn,
    /// They are not.
    #[default]
    Disabled,
}

/// Differences that do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreRule {
    /// JSON pointers of fields; the empty one is the whole object.
    pub paths: Vec<String>,
    /// The objects; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}
