//! `Promotion`: one attempt to bring a bundle into a stage.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PromotionStatus;
use crate::meta::kind;

/// Which bundle, into which stage, and who says what about it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "promotion.sluice.dev",
    version = "v1alpha1",
    kind = "Promotion",
    plural = "promotions",
    namespaced,
    status = "PromotionStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.stage == oldSelf.stage && self.bundle == oldSelf.bundle \
            && self.kind == oldSelf.kind && has(self.reason) == has(oldSelf.reason) \
            && (!has(self.reason) || self.reason == oldSelf.reason)",
        "message": "stage, bundle, kind and reason cannot be changed; make another promotion"
    },
    {
        "rule": "has(self.requestedBy) == has(oldSelf.requestedBy) \
            && (!has(self.requestedBy) || self.requestedBy == oldSelf.requestedBy) \
            && has(self.dryRun) == has(oldSelf.dryRun) \
            && (!has(self.dryRun) || self.dryRun == oldSelf.dryRun) \
            && has(self.skipGates) == has(oldSelf.skipGates) \
            && (!has(self.skipGates) || self.skipGates == oldSelf.skipGates)",
        "message": "requestedBy, dryRun and skipGates cannot be changed; make another promotion"
    },
    {
        "rule": "!has(oldSelf.approvals) || oldSelf.approvals.all(old, \
            has(self.approvals) && self.approvals.exists(it, it == old))",
        "message": "approvals can only be added"
    },
    {
        "rule": "(!has(oldSelf.abort) || (has(self.abort) && self.abort == oldSelf.abort)) \
            && (!has(oldSelf.rejected) || (has(self.rejected) && self.rejected == oldSelf.rejected))",
        "message": "abort and rejected cannot be taken back"
    },
]))]
pub struct PromotionSpec {
    /// Name of the Stage.
    #[schemars(extend("minLength" = 1, "maxLength" = 253))]
    pub stage: String,
    /// Name of the Bundle.
    #[schemars(extend("minLength" = 1, "maxLength" = 253))]
    pub bundle: String,
    /// Who wants it; `Manual` when absent.
    #[serde(default)]
    #[schemars(extend("default" = "Manual"))]
    pub kind: PromotionKind,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
    /// Name of the user who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub requested_by: Option<String>,
    /// Whether it ends after its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Names of gates that are not asked; `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub skip_gates: Vec<String>,
    /// Who agrees. Entries can only be added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub approvals: Vec<Approval>,
    /// Ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// Ends it, and keeps the bundle out of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
}

/// Who wants a promotion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PromotionKind {
    /// The stage.
    Auto,
    /// A person.
    #[default]
    Manual,
    /// The stage, after a failure; or a person who wants back what was there.
    Rollback,
    /// Nobody: it records what a person committed.
    Adopt,
}

/// That somebody agrees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Name of the user.
    #[schemars(extend("minLength" = 1, "maxLength" = 253))]
    pub by: String,
    /// The user's group it is given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub group: Option<String>,
    /// What they say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub comment: Option<String>,
}

/// That somebody ends a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Abort {
    /// Name of the user.
    #[schemars(extend("minLength" = 1, "maxLength" = 253))]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
}

/// That somebody does not want a bundle in the stage.
pub type Rejected = Abort;

kind!(Promotion, PromotionStatus, never);
