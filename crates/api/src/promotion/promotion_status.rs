//! How far a Promotion came.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{Condition, Time, conditions};

/// How far it came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionStatus {
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Why it stands there: of a failure, one word of a closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Every gate, in the order they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateStatus>,
    /// Every verification, in the order they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<GateStatus>,
    /// The approvals, when they were seen first, and whether they count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<CheckedApproval>,
    /// What would be or was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What is about to be pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What was pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
    /// The pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestStatus>,
    /// What must run the commit, and whether it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy: Vec<AppliedTarget>,
    /// Since when everything is healthy at the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
    /// Name of the Promotion that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<String>,
    /// Name of the Promotion that undoes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<String>,
    /// Name of the Promotion that took the place of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Name of the Bundle that the stage ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_bundle: Option<String>,
    /// When it left Pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// When each phase began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phase_times: BTreeMap<String, Time>,
    /// The earliest time at which anything can change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Time>,
    /// Generation of the spec that was reconciled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Stalled, Reconciling and Ready; Ready is True only of what succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// Where a promotion stands.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Phase {
    /// It waits for its turn in the stage.
    #[default]
    Pending,
    /// Its gates are asked.
    Gating,
    /// It is being written.
    Writing,
    /// Its pull request is open.
    Proposed,
    /// It is waited for until it runs.
    Deploying,
    /// What runs is verified.
    Verifying,
    /// It runs and is verified.
    Succeeded,
    /// It did not work.
    Failed,
    /// Somebody did not want it.
    Rejected,
    /// Something newer took its place.
    Superseded,
    /// Somebody ended it.
    Aborted,
}

impl Phase {
    /// Whether it never changes any more.
    pub fn is_terminal(self) -> bool {
        self >= Self::Succeeded
    }
}

/// How a gate stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GateState {
    /// It is waited for, or was not asked yet.
    #[default]
    Pending,
    /// It lets the promotion through.
    Passed,
    /// It does not, and will not.
    Failed,
    /// It could not be found out.
    Error,
    /// It was not asked, because somebody may skip it.
    Bypassed,
}

/// How one gate stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateStatus {
    /// Name of the gate.
    pub name: String,
    /// Type of the gate: the name of its field, or `implicit`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it stands.
    pub state: GateState,
    /// What it waits for, or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<Time>,
    /// When it can change by itself, or is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Time>,
    /// How often it was asked, of gates that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// What it saw: a value, an address, the name of a Job; at most 1 KiB.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, String>,
}

/// An approval as it was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedApproval {
    /// Name of the user.
    pub by: String,
    /// The group it is given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// When it was given, by the API server's time.
    pub at: Time,
    /// Whether the user may approve.
    pub allowed: bool,
}

/// What would be or was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Commit it was made on.
    pub base: String,
    /// The changes; the first hundred of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PlanChange>,
    /// How many changes there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i32>,
    /// What changes in the objects that are applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<RenderedSummary>,
    /// Where the whole patch can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_url: Option<String>,
    /// Digest of the whole patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_digest: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_at: Option<Time>,
}

/// One value that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanChange {
    /// Path of the file.
    pub file: String,
    /// The object: kind, namespace and name as the file has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Path of the field, of fields without a marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Value before.
    pub old: String,
    /// Value after.
    pub new: String,
    /// The marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// What changes in the objects that are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderedSummary {
    /// How many are added.
    pub added: i32,
    /// How many are changed.
    pub changed: i32,
    /// How many are removed.
    pub removed: i32,
    /// The objects, as far as there is room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub objects: Vec<RenderedObject>,
    /// Why it is not known, or not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An object that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderedObject {
    /// What becomes of it.
    pub change: ObjectChange,
    /// Kind, namespace and name.
    pub object: String,
    /// What it is made by: kind, namespace and name of a Kustomization or HelmRelease.
    pub by: String,
    /// The fields that change, one a line: `path: old -> new`, or a sign before those that come or go.
    /// Values of Secrets are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ObjectChange {
    /// It comes.
    Added,
    /// It changes.
    Changed,
    /// It goes.
    Removed,
}

/// What is about to be pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// Time of the commit.
    pub at: Time,
    /// The head it is made on.
    pub parent: String,
    /// The commit as it was made; one made again on the same parent may differ if it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch it is proposed on, if it is not pushed to the stage's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit on that branch that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// A commit that was pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// Its id.
    pub sha: String,
    /// The branch it is on.
    pub branch: String,
    /// Number of its wave, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<i32>,
    /// When it was pushed.
    pub at: Time,
    /// Whether it was there already: there was nothing to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<bool>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullRequestStatus {
    /// Its number.
    pub number: i64,
    /// Its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The branch that is to be merged.
    pub branch: String,
    /// The branch's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// How it stands.
    pub state: PullRequestState,
    /// Who merged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_by: Option<String>,
    /// When it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<Time>,
    /// The commit of the merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_commit: Option<String>,
    /// What the provider did not do: reviewers it does not know and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub notes: Vec<String>,
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullRequestState {
    /// It can be merged.
    #[default]
    Open,
    /// It was merged.
    Merged,
    /// It was closed.
    Closed,
}

/// Whether one thing runs the commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedTarget {
    /// `Kind/namespace/name`, or `commitStatus/context`.
    pub target: String,
    /// The commit it must run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The revision it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// Whether it is healthy.
    pub ready: bool,
    /// When it ran the commit and was healthy; that stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latched_at: Option<Time>,
    /// What is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
