//! How objects of other people's kinds are judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CEL expressions over an object of one kind, asked in the order `inProgress`, `failed`, `current`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomHealthCheck {
    /// API version of the kind.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Whether it is as its spec wants it.
    pub current: String,
    /// Whether it is on the way there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// Whether it will not get there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
