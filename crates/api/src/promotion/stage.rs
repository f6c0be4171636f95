//! `Stage`: one environment.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Deploy, Edit, Gate, Push, StageStatus, Targets};
use crate::meta::{INTERVAL, LocalObjectReference, anything, kind};

/// What comes in, how it is written, and what must hold before and after.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "promotion.sluice.dev",
    version = "v1alpha1",
    kind = "Stage",
    plural = "stages",
    namespaced,
    status = "StageStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.pipelineRef == oldSelf.pipelineRef",
    "message": "a stage stays with its pipeline; make another stage"
}]))]
pub struct StageSpec {
    /// The Pipeline, in the same namespace.
    pub pipeline_ref: LocalObjectReference,
    /// The stages in which a bundle must be verified; none: straight from the Pipeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub from: Vec<From>,
    /// In how many of them: `All`, `Any` or `{atLeast: n}`; `All` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "anything")]
    pub from_policy: Option<Value>,
    /// Who starts promotions; `Manual` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Manual"))]
    pub promote: Option<Promote>,
    /// Which of several bundles comes; `Newest` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Newest"))]
    pub pick: Option<Pick>,
    /// What a newer bundle does to a promotion that waits; `Replace` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Replace"))]
    pub on_newer: Option<OnNewer>,
    /// Name of the Bundle that the stage shall run, whatever else there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub pin: Option<String>,
    /// Whether nothing is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// What is edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// How commits reach the branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
    /// What counts as deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// What must pass before anything is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub gates: Vec<Gate>,
    /// How long what was deployed must stay healthy, as a Go duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub bake: Option<String>,
    /// What must pass after it was deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub verify: Vec<Gate>,
    /// What happens after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What a person's commit to a promoted value means; `Adopt` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Adopt"))]
    pub drift: Option<DriftPolicy>,
    /// Many targets instead of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Targets>,
    /// Time between two runs that nothing else asked for; five minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub interval: Option<String>,
}

/// A stage in which a bundle must be verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct From {
    /// Name of the Stage.
    #[schemars(extend("minLength" = 1, "maxLength" = 253))]
    pub stage: String,
    /// How long it must have been there, as a Go duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub soak: Option<String>,
    /// What counts as being there; `Continuous` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_mode: Option<SoakMode>,
}

/// What counts as being in a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SoakMode {
    /// It still runs there, and the stage is healthy.
    #[default]
    Continuous,
    /// It was verified there, and nobody withdrew that.
    SinceVerified,
}

/// Who starts promotions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Promote {
    /// People.
    #[default]
    Manual,
    /// The stage.
    Auto,
}

/// Which of several bundles comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Pick {
    /// The newest.
    #[default]
    Newest,
    /// What the stage upstream runs.
    Upstream,
    /// The oldest that is newer than what runs.
    Sequential,
}

/// What a newer bundle does to a promotion that waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnNewer {
    /// It takes its place.
    #[default]
    Replace,
    /// It waits.
    Finish,
    /// It takes its place even if that is written already.
    Preempt,
}

/// What happens after a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnFailure {
    /// `Hold` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Hold"))]
    pub action: Option<FailureAction>,
    /// After which failures; after all of them when empty. In YAML the key needs quotes: kubectl
    /// reads a bare one as `true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 2))]
    pub on: Vec<FailureKind>,
    /// How it is undone; `Repromote` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FailureMode>,
    /// How the rollback reaches the branch; as promotions do when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
    /// What comes after the rollback; `Hold` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Hold"))]
    pub then: Option<FailureThen>,
    /// Whether promotions that people asked for are undone as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<bool>,
}

/// What is done after a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureAction {
    /// Nothing is promoted any more until somebody resumes.
    #[default]
    Hold,
    /// The bundle that was good comes back.
    Rollback,
}

/// Which failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureKind {
    /// It was not deployed.
    Deploy,
    /// It was not verified.
    Verify,
}

/// How a failure is undone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureMode {
    /// By writing the values of the bundle that was good.
    #[default]
    Repromote,
    /// By a revert of the commit.
    Revert,
}

/// What comes after a rollback.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureThen {
    /// Nothing is promoted any more until somebody resumes.
    #[default]
    Hold,
    /// Newer bundles come as ever.
    FixForward,
}

/// What a person's commit to a promoted value means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftPolicy {
    /// It is what the stage runs from now on, and the stage is held.
    #[default]
    Adopt,
    /// It is shown.
    Report,
    /// It is undone.
    Heal,
}

kind!(Stage, StageStatus);
