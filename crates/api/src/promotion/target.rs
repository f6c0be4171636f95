//! Fan-out: many targets of one stage.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Gate, HealthTarget};
use crate::meta::INTERVAL;

/// Many targets, and in which order they are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// The targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 512))]
    pub list: Vec<Target>,
    /// Folders that each are a target, such as `clusters/prod-*/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub from_paths: Option<String>,
    /// What must run the commit, once for each target; `{target}` stands for its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthTarget>,
    /// Which targets come when; all at once when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub waves: Vec<Wave>,
    /// How many targets, or which share of them, may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "count_or_percent")]
    pub max_failed: Option<IntOrString>,
    /// What happens when more fail; `Halt` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Halt"))]
    pub on_failed: Option<FailedTargets>,
}

/// One target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its name.
    #[schemars(extend("maxLength" = 253))]
    pub name: String,
    /// What waves choose by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its folder.
    #[schemars(extend("maxLength" = 1024))]
    pub path: String,
    /// What must run the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthTarget>,
}

/// Targets that come together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Which targets; all that are left when empty.
    #[serde(rename = "match")]
    pub matches: WaveMatch,
    /// How many of them at once; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1))]
    pub max_parallel: Option<i32>,
    /// How long they must stay healthy before the next wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub bake: Option<String>,
    /// What must pass before the wave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub gates: Vec<Gate>,
}

/// Which targets a wave has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaveMatch {
    /// By their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 512))]
    pub names: Vec<String>,
    /// By their labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What happens when too many targets fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailedTargets {
    /// No further wave starts.
    #[default]
    Halt,
    /// Those that failed get back what they had.
    RollbackFailed,
    /// All get back what they had.
    RollbackAll,
}

fn count_or_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "description": "How many targets, or which share of them such as `10%`, may fail."
    })
}
