//! Rules that hold for one kind.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::condition::{Condition, conditions};
use crate::field::{integer, integer_or, list, string_or};
use crate::{Error, Health, workload};

/// How long a Pod may wait to be scheduled before that counts as a failure.
const SCHEDULE_WINDOW: SignedDuration = SignedDuration::from_secs(15);

/// What the rule of the object's kind says, if there is one.
pub(crate) fn compute(
    (group, kind): (&str, &str),
    object: &Value,
    now: Timestamp,
) -> Result<Option<Health>, Error> {
    let health = match (group, kind) {
        ("", "Service") => service(object),
        ("", "Pod") => pod(object, now)?,
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => {
            Health::current("Resource is always ready")
        }
        ("", "PersistentVolumeClaim") => volume_claim(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object, kind)?,
        ("apps" | "extensions", "Deployment") => workload::deployment(object)?,
        ("apps" | "extensions", "ReplicaSet") => workload::replica_set(object)?,
        ("policy", "PodDisruptionBudget") => {
            Health::current("AllowedDisruptions has been computed.")
        }
        ("batch", "Job") => job(object)?,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object)?,
        _ => return Ok(None),
    };
    Ok(Some(health))
}

fn service(object: &Value) -> Health {
    let kind = string_or(object, &["spec", "type"], "ClusterIP");
    if kind == "LoadBalancer" && string_or(object, &["spec", "clusterIP"], "").is_empty() {
        return Health::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Health::current("Service is ready")
}

fn volume_claim(object: &Value) -> Health {
    match string_or(object, &["status", "phase"], "unknown") {
        "Bound" => Health::current("PVC is Bound"),
        phase => Health::in_progress(format!("PVC is not Bound. phase: {phase}")),
    }
}

fn daemon_set(object: &Value, kind: &str) -> Result<Health, Error> {
    for path in [["metadata", "generation"], ["status", "observedGeneration"]] {
        if integer(object, &path)?.is_none() {
            return Ok(Health::in_progress(format!("{kind} {} not found", path.join("."))));
        }
    }
    Ok(workload::daemon_set(object))
}

fn pod(object: &Value, now: Timestamp) -> Result<Health, Error> {
    let conditions = conditions(object)?;
    Ok(match string_or(object, &["status", "phase"], "") {
        "Succeeded" => Health::current("Pod has completed successfully"),
        "Failed" => Health::current("Pod has completed, but not successfully"),
        "Running" => running_pod(object, &conditions)?,
        "Pending" => pending_pod(object, &conditions, now),
        "" => Health::in_progress("Pod phase not available"),
        phase => return Err(Error::Phase(phase.to_owned())),
    })
}

fn running_pod(object: &Value, conditions: &[Condition]) -> Result<Health, Error> {
    if conditions.iter().any(|condition| condition.is("Ready", "True")) {
        return Ok(Health::current("Pod is Ready"));
    }
    let statuses = list(object, &["status", "containerStatuses"])?.unwrap_or_default();
    let looping: Vec<&str> = statuses
        .iter()
        .filter(|status| status["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        .filter_map(|status| status["name"].as_str())
        .collect();
    Ok(if looping.is_empty() {
        Health::in_progress("Pod is running but is not Ready")
    } else {
        Health::failed(format!("Containers in CrashLoop state: {}", looping.join(",")))
    })
}

fn pending_pod(object: &Value, conditions: &[Condition], now: Timestamp) -> Health {
    let scheduled = conditions.iter().find(|condition| condition.is("PodScheduled", "False"));
    if scheduled.is_none_or(|condition| condition.reason != "Unschedulable") {
        return Health::in_progress("Pod is in the Pending phase");
    }
    let created = string_or(object, &["metadata", "creationTimestamp"], "").parse::<Timestamp>();
    let until = created.ok().and_then(|created| created.checked_add(SCHEDULE_WINDOW).ok());
    match until.filter(|&until| now < until) {
        Some(until) => {
            Health { changes_at: Some(until), ..Health::in_progress("Pod has not been scheduled") }
        }
        None => Health::failed("Pod could not be scheduled"),
    }
}

/// The library's rule: a Job that runs is current.
fn job(object: &Value) -> Result<Health, Error> {
    if let Some(health) = ended_job(object)? {
        return Ok(health);
    }
    if string_or(object, &["status", "startTime"], "").is_empty() {
        return Ok(Health::in_progress("Job not started"));
    }
    let count = |field| integer_or(object, &["status", field], 0);
    Ok(Health::current(format!(
        "Job in progress. success:{}, active: {}, failed: {}",
        count("succeeded"),
        count("active"),
        count("failed")
    )))
}

/// Flux' rule: a Job is current when it is complete, not before.
pub(crate) fn job_until_complete(object: &Value) -> Result<Health, Error> {
    Ok(ended_job(object)?.unwrap_or_else(|| Health::in_progress("Job in progress")))
}

/// The health of a Job that is complete or has failed.
fn ended_job(object: &Value) -> Result<Option<Health>, Error> {
    let parallelism = integer_or(object, &["spec", "parallelism"], 1);
    let completions = integer_or(object, &["spec", "completions"], parallelism);
    let count = |field| integer_or(object, &["status", field], 0);
    let ended = conditions(object)?.into_iter().find_map(|condition| {
        if condition.is("Complete", "True") {
            let succeeded = count("succeeded");
            Some(Health::current(format!("Job Completed. succeeded: {succeeded}/{completions}")))
        } else if condition.is("Failed", "True") {
            let failed = count("failed");
            Some(Health::failed(format!("Job Failed. failed: {failed}/{completions}")))
        } else {
            None
        }
    });
    Ok(ended)
}

fn definition(object: &Value) -> Result<Health, Error> {
    for condition in conditions(object)? {
        let refused = condition.is("NamesAccepted", "False")
            || condition.is("Established", "False") && condition.reason != "Installing";
        if refused {
            return Ok(Health::failed(condition.message));
        }
        if condition.is("Established", "True") {
            return Ok(Health::current("CRD is established"));
        }
    }
    Ok(Health::in_progress("Install in progress"))
}
