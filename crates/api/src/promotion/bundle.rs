//! `Bundle`: a fixed set of values that moves as one.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BundleComponent;
use crate::meta::{Condition, LocalObjectReference, Time, conditions, kind};

/// A set of values; its name is made of them.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "promotion.sluice.dev",
    version = "v1alpha1",
    kind = "Bundle",
    plural = "bundles",
    namespaced,
    status = "BundleStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.pipelineRef == oldSelf.pipelineRef && self.components == oldSelf.components \
            && has(self.version) == has(oldSelf.version) \
            && (!has(self.version) || self.version == oldSelf.version) \
            && has(self.previous) == has(oldSelf.previous) \
            && (!has(self.previous) || self.previous == oldSelf.previous)",
        "message": "a bundle cannot be changed; make another one"
    },
    {
        "rule": "!has(oldSelf.rejections) || oldSelf.rejections.all(old, \
            has(self.rejections) && self.rejections.exists(it, it == old))",
        "message": "rejections can only be added"
    },
]))]
pub struct BundleSpec {
    /// The Pipeline it belongs to.
    pub pipeline_ref: LocalObjectReference,
    /// The values, one a component.
    #[schemars(extend("minItems" = 1, "maxItems" = 64, "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]))]
    pub components: Vec<BundleComponent>,
    /// What people call it: the version of the Pipeline's `bundles.by` component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub version: Option<String>,
    /// Name of the Bundle that was newest when this one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub previous: Option<String>,
    /// Who does not want it, and where. Entries can only be added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub rejections: Vec<Rejection>,
}

/// That a bundle is not wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejection {
    /// Name of the Stage, or `*` for all.
    #[schemars(extend("maxLength" = 253))]
    pub stage: String,
    /// Name of the user who says so.
    #[schemars(extend("maxLength" = 253))]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
}

/// Where it has been.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundleStatus {
    /// Stages in which it was verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified_in: Vec<VerifiedIn>,
    /// Stages that run it now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active_in: Vec<ActiveIn>,
    /// Stages in which it failed; automation does not try it there again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_in: Vec<FailedIn>,
    /// When it was first seen; orders bundles that nothing else orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered_at: Option<Time>,
    /// Generation of the spec that was reconciled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Available, and Stalled, Reconciling and Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// That a stage verified a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedIn {
    /// Name of the Stage.
    pub stage: String,
    /// When.
    pub at: Time,
    /// Name of the Promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// How long it ran there, as a Go duration; set once it does no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<String>,
    /// Why it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
}

/// Why a verification does not count any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawal {
    /// When.
    pub at: Time,
    /// Why.
    pub reason: String,
}

/// That a stage runs a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActiveIn {
    /// Name of the Stage.
    pub stage: String,
    /// Since when.
    pub since: Time,
}

/// That a bundle failed in a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedIn {
    /// Name of the Stage.
    pub stage: String,
    /// When.
    pub at: Time,
    /// Name of the Promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// The promotion's reason.
    pub reason: String,
}

kind!(Bundle, BundleStatus, never);
