//! How a Stage stands.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GateStatus, Phase, PromotionKind};
use crate::meta::{Condition, Time, conditions};

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    /// In one word: Empty, Adopting, Steady, Promoting, Held, Frozen, Suspended, Drifted, Failed or
    /// Stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
    /// What it ran last that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Current>,
    /// What would come next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<StageCandidate>,
    /// Name of the Promotion under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// The earliest time at which anything can change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Time>,
    /// Since when everything that runs it is healthy; not when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
    /// The values on the branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observed>,
    /// The head of the branch when they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_commit: Option<String>,
    /// Where the branch differs from what the stage should run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftedField>,
    /// Why nothing is promoted without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The last twenty promotions that ended, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// Names of the promotions that ended and were taken into account, as long as they exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<String>,
    /// Bundles that will not come, and why; the last twenty, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// How many promotions of each bundle were made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<String, i32>,
    /// Values of the annotations that were acted upon last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, String>,
    /// Generation of the spec that was reconciled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Healthy, Held, Frozen and Drifted, and Stalled, Reconciling and Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// What a stage runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// Name of the Bundle.
    pub bundle: String,
    /// Version of the Bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Name of the Promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// Commit that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it was verified; not, if it was adopted as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Time>,
}

/// What would come next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageCandidate {
    /// Name of the Bundle.
    pub bundle: String,
    /// Version of the Bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What holds it up or lets it through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateStatus>,
    /// In one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
}

/// The value of a component on the branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// Name of the component.
    pub component: String,
    /// Its value at the head of the branch.
    pub head: String,
    /// Its value at the revision that is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
}

/// A field that has another value than it should.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftedField {
    /// Path of the file.
    pub file: String,
    /// The marker or the path of the field.
    pub field: String,
    /// The value it should have.
    pub want: String,
    /// The value it has.
    pub have: String,
    /// The commit that changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who wrote that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// Why nothing is promoted without a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// What caused it.
    pub kind: HoldKind,
    /// Who caused it: a user, an author of a commit, or the stage itself.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Name of the Promotion that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// The commit that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Since when.
    pub since: Time,
}

/// What causes a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HoldKind {
    /// Somebody asked for it.
    Requested,
    /// A person's commit.
    Commit,
    /// A promotion of something else than the candidate.
    Manual,
    /// A failure.
    Failure,
    /// A promotion was ended after it was written.
    Aborted,
}

/// A promotion that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Name of the Promotion.
    pub promotion: String,
    /// Name of the Bundle.
    pub bundle: String,
    /// Version of the Bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who wanted it.
    pub kind: PromotionKind,
    /// How it ended.
    pub phase: Phase,
    /// Why it ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it ended.
    pub finished_at: Time,
}

/// A bundle that will not come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Name of the Bundle.
    pub bundle: String,
    /// Version of the Bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Time,
}
