//! Rules of the kinds that run Pods, over the counts in their status.

use serde_json::Value;

use crate::condition::conditions;
use crate::field::{integer_or, string_or};
use crate::{Error, Health};

/// Stands for "no deadline", in Kubernetes itself too.
const NO_DEADLINE: i64 = i32::MAX as i64;

fn count(object: &Value, field: &str) -> i64 {
    integer_or(object, &["status", field], 0)
}

fn wanted(object: &Value) -> i64 {
    integer_or(object, &["spec", "replicas"], 1)
}

/// The first of several counts that is below what it should be, as `Name: 1/3`.
fn short(counts: &[(&str, i64, i64)]) -> Option<Health> {
    let (name, have, want) = counts.iter().find(|(_, have, want)| have < want)?;
    Some(Health::in_progress(format!("{name}: {have}/{want}")))
}

fn surplus(have: i64, want: i64) -> Option<Health> {
    let surplus = have.saturating_sub(want);
    (have > want).then(|| Health::in_progress(format!("Pending termination: {surplus}")))
}

pub(crate) fn stateful_set(object: &Value) -> Health {
    if string_or(object, &["spec", "updateStrategy", "type"], "") == "OnDelete" {
        return Health::current("StatefulSet is using the ondelete update strategy");
    }
    let want = wanted(object);
    let replicas = count(object, "replicas");
    let early =
        short(&[("Replicas", replicas, want), ("Ready", count(object, "readyReplicas"), want)])
            .or_else(|| surplus(replicas, want));
    if let Some(health) = early {
        return health;
    }
    let partition =
        integer_or(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], -1);
    if partition != -1 {
        let updated = count(object, "updatedReplicas");
        return short(&[("updated", updated, want.saturating_sub(partition))]).unwrap_or_else(
            || Health::current(format!("Partition rollout complete. updated: {updated}")),
        );
    }
    if let Some(health) = short(&[("current", count(object, "currentReplicas"), want)]) {
        return health;
    }
    let revision = |field| string_or(object, &["status", field], "");
    if revision("currentRevision") != revision("updateRevision") {
        return Health::in_progress("Waiting for updated revision to match current");
    }
    Health::current(format!("All replicas scheduled as expected. Replicas: {replicas}"))
}

pub(crate) fn deployment(object: &Value) -> Result<Health, Error> {
    let deadline = integer_or(object, &["spec", "progressDeadlineSeconds"], NO_DEADLINE);
    let mut progressed = deadline == NO_DEADLINE;
    let mut available = false;
    for condition in conditions(object)? {
        if condition.kind == "Progressing" && condition.reason == "ProgressDeadlineExceeded" {
            return Ok(Health::failed("Progress deadline exceeded"));
        }
        progressed |=
            condition.is("Progressing", "True") && condition.reason == "NewReplicaSetAvailable";
        available |= condition.is("Available", "True");
    }
    let want = wanted(object);
    let replicas = count(object, "replicas");
    let updated = count(object, "updatedReplicas");
    let early = short(&[("Replicas", replicas, want), ("Updated", updated, want)])
        .or_else(|| surplus(replicas, want))
        .or_else(|| {
            short(&[
                ("Available", count(object, "availableReplicas"), updated),
                ("Ready", count(object, "readyReplicas"), want),
            ])
        });
    Ok(match early {
        Some(health) => health,
        None if !progressed => Health::in_progress("ReplicaSet not Available"),
        None if !available => Health::in_progress("Deployment not Available"),
        None => Health::current(format!("Deployment is available. Replicas: {replicas}")),
    })
}

pub(crate) fn replica_set(object: &Value) -> Result<Health, Error> {
    if conditions(object)?.iter().any(|condition| condition.is("ReplicaFailure", "True")) {
        return Ok(Health::in_progress("Replica Failure condition. Check Pods"));
    }
    let want = wanted(object);
    let replicas = count(object, "replicas");
    let early = short(&[
        ("Labelled", count(object, "fullyLabeledReplicas"), want),
        ("Available", count(object, "availableReplicas"), want),
        ("Ready", count(object, "readyReplicas"), want),
    ])
    .or_else(|| surplus(replicas, want));
    Ok(early.unwrap_or_else(|| {
        Health::current(format!("ReplicaSet is available. Replicas: {replicas}"))
    }))
}

pub(crate) fn daemon_set(object: &Value) -> Health {
    let want = integer_or(object, &["status", "desiredNumberScheduled"], -1);
    if want == -1 {
        return Health::in_progress("Missing .status.desiredNumberScheduled");
    }
    let early = short(&[
        ("Current", count(object, "currentNumberScheduled"), want),
        ("Updated", count(object, "updatedNumberScheduled"), want),
        ("Available", count(object, "numberAvailable"), want),
        ("Ready", count(object, "numberReady"), want),
    ]);
    early.unwrap_or_else(|| {
        Health::current(format!("All replicas scheduled as expected. Replicas: {want}"))
    })
}
