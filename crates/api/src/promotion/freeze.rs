//! `Freeze`: a brake for many stages at once.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Window;
use crate::meta::{Condition, LabelSelector, Time, conditions, kind, label_selector};

/// What is frozen, when, and what is not.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "promotion.sluice.dev",
    version = "v1alpha1",
    kind = "Freeze",
    plural = "freezes",
    status = "FreezeStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.schedule) || (!has(self.start) && !has(self.end))",
        "message": "schedule goes without start and end"
    },
    {
        "rule": "has(self.by) == has(oldSelf.by) && (!has(self.by) || self.by == oldSelf.by)",
        "message": "by cannot be changed"
    },
]))]
pub struct FreezeSpec {
    /// Labels of the namespaces; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub namespaces: Option<LabelSelector>,
    /// Labels of the Pipelines; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub pipelines: Option<LabelSelector>,
    /// Labels of the Stages; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub stages: Option<LabelSelector>,
    /// When it begins; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Time>,
    /// When it ends; when it is deleted when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    /// When it comes again and again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub schedule: Vec<Period>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub reason: Option<String>,
    /// Name of the user who froze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub by: Option<String>,
    /// What goes on all the same; `[Rollback]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxItems" = 3))]
    pub except: Option<Vec<FreezeException>>,
    /// What happens to promotions under way; `Finish` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Finish"))]
    pub in_flight: Option<InFlight>,
    /// What is held; `[Promotions]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxItems" = 2))]
    pub hold: Option<Vec<FreezeHold>>,
}

/// A span of time that comes again and again.
pub type Period = Window;

/// What goes on during a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FreezeException {
    /// Rollbacks.
    Rollback,
    /// Promotions that people ask for.
    Manual,
    /// Promotions that skip gates.
    Bypass,
}

/// What happens to promotions under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InFlight {
    /// What is written goes on to its end.
    #[default]
    Finish,
    /// Nothing is merged and no wave starts; checks go on.
    Pause,
}

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FreezeHold {
    /// Promotions.
    Promotions,
    /// New revisions of what Flux applies.
    Reconciliation,
}

/// Whether it freezes now, and what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeStatus {
    /// Whether it freezes now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// When that changes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change: Option<Time>,
    /// How much it selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<Affected>,
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

/// How much a freeze selects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Affected {
    /// Stages.
    pub stages: i32,
    /// Promotions that wait because of it.
    pub promotions: i32,
}

kind!(Freeze, FreezeStatus, never);
