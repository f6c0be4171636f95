//! `Pipeline`: what moves together.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BundleComponent, Component, Gate, Push};
use crate::{
    image::{CommitSpec, PushSpec},
    meta::{AccessFrom, Condition, INTERVAL, Time, conditions, kind},
};

/// What moves together, when it makes a bundle, and how stages write.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "promotion.sluice.dev",
    version = "v1alpha1",
    kind = "Pipeline",
    plural = "pipelines",
    namespaced,
    status = "PipelineStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSpec {
    /// The parts that move together.
    #[schemars(extend("minItems" = 1, "maxItems" = 64, "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]))]
    pub components: Vec<Component>,
    /// When new values make a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles: Option<Bundles>,
    /// How stages write, unless they say it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<PipelineGit>,
    /// Gates that stages use by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub gate_templates: BTreeMap<String, Gate>,
    /// How much is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// ServiceAccount in whose name objects are read and Jobs are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub service_account_name: Option<String>,
    /// Which other namespaces may refer to this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// Whether no bundle is made and no promotion is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Time between two runs that nothing else asked for; five minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub interval: Option<String>,
}

/// When new values make a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundles {
    /// Whether bundles are made without a person; `Auto` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Auto"))]
    pub create: Option<BundleCreation>,
    /// How long no component may have changed; two minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL, "default" = "2m"))]
    pub settle: Option<String>,
    /// CEL over `components` that must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 4096))]
    pub when: Option<String>,
    /// Which of two bundles is newer; `Discovered` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Discovered"))]
    pub order: Option<BundleOrder>,
    /// The component whose version is the bundle's; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub by: Option<String>,
    /// Whether a set that is older than the newest bundle makes a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_regress: Option<bool>,
}

/// Who makes bundles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BundleCreation {
    /// The Pipeline, as soon as it may.
    #[default]
    Auto,
    /// A person.
    Manual,
}

/// Which of two bundles is newer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BundleOrder {
    /// The one that was made later.
    #[default]
    Discovered,
    /// The one whose `by` component has the greater version.
    SemVer,
}

/// How stages write, unless they say it themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineGit {
    /// The repository.
    pub source_ref: crate::image::SourceReference,
    /// The branch; the GitRepository's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How commits are made.
    pub commit: CommitSpec,
    /// Where commits are pushed besides, and with which options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushSpec>,
    /// How pull requests are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<Push>,
}

/// How much is kept; what is in use always is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keep {
    /// Bundles; fifty when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "default" = 50))]
    pub bundles: Option<i32>,
    /// Promotions of each stage; twenty when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "default" = 20))]
    pub promotions_per_stage: Option<i32>,
}

/// What was found, made and where it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStatus {
    /// What the next bundle would hold, and why it is not made yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub candidate: Vec<Candidate>,
    /// The newest bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_bundle: Option<LatestBundle>,
    /// The stages, what feeds them and what they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graph: Vec<GraphNode>,
    /// The earliest time at which anything can change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change: Option<Time>,
    /// Generation of the spec that was reconciled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Stalled, Reconciling and Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// What the next bundle would hold of one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Name of the component.
    pub component: String,
    /// The value, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<BundleComponent>,
    /// Since when it is the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whether it may be part of a bundle.
    pub eligible: bool,
    /// Why not, or what else the bundle waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The newest bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LatestBundle {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One stage of the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GraphNode {
    /// Name of the Stage.
    pub stage: String,
    /// The stages that feed it; none when the Pipeline does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Name of the Bundle it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Version of the Bundle it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The stage's phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

kind!(Pipeline, PipelineStatus);
