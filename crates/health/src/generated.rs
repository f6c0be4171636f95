//! Objects whose health also depends on what they made.

use serde_json::Value;

use crate::generic::group_kind;
use crate::{Health, Status};

/// Whether Flux also looks at the Pods of `object`: those in its namespace that match
/// `spec.selector`.
pub fn has_pods(object: &Value) -> bool {
    matches!(group_kind(object), ("apps", "StatefulSet" | "ReplicaSet"))
}

/// The health of an object that runs Pods, given its own and theirs: while it is in progress, a
/// failed Pod makes it fail.
pub fn with_pods(own: Health, pods: &[Health]) -> Health {
    let failed = pods.iter().filter(|pod| pod.status == Status::Failed).count();
    if own.status != Status::InProgress {
        return own;
    }
    if failed > 0 {
        return Health::failed(format!("{failed} pods have failed"));
    }
    let changes_at = pods.iter().filter_map(|pod| pod.changes_at).min();
    Health { changes_at: own.changes_at.or(changes_at), ..own }
}
