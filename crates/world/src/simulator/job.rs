//! Jobs: Pods until enough of them have succeeded, or too many failed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::condition::{self, Condition, time};
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::name;
use super::replica_set::{is_living, is_ready, pod};
use super::work::Next;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The Pods of a Job.
struct Tally {
    pods: Vec<Object>,
    active: usize,
    ready: usize,
    succeeded: usize,
    failed: usize,
}

/// How a Job ended.
enum End {
    Complete,
    Failed(&'static str, &'static str),
}

/// Makes as many Pods as may run at once, and tells how the Job stands.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, job: &Value) -> Result<Next> {
    if let Some(ended) = ended(job) {
        return expire(cluster, key, job, ended).await;
    }
    let started = job["status"]["startTime"].as_str().and_then(|it| it.parse::<Timestamp>().ok());
    let suspended = job["spec"]["suspend"] == true;
    let begun = started.unwrap_or(cluster.now);
    let deadline = job["spec"]["activeDeadlineSeconds"]
        .as_u64()
        .and_then(|seconds| begun.checked_add(Duration::from_secs(seconds)).ok());
    let tally = tally(cluster, job);
    let end = verdict(job, &tally, deadline.is_some_and(|end| end <= cluster.now && !suspended));
    if suspended || end.is_some() {
        for pod in tally.pods.iter().filter(|pod| is_living(pod)) {
            cluster.delete(&Key::of(Kind::Pod, pod), pod, false).await?;
        }
    } else {
        make(cluster, key, job, &tally).await?;
    }
    let tally = self::tally(cluster, job);
    let mut status = counts(job, &tally);
    if !suspended {
        status["startTime"] = json!(time(begun));
    }
    if let Some(end) = &end {
        finish(&mut status, end, cluster.now);
    } else if suspended || condition::find(&job["status"], "Suspended").is_some() {
        let word = if suspended { "JobSuspended" } else { "JobResumed" };
        let message = if suspended { "Job suspended" } else { "Job resumed" };
        let told = Condition::told("Suspended", suspended, word, message);
        status["conditions"] = condition::set(&status, &[told], cluster.now);
    }
    cluster.set_status(key, &status).await?;
    Ok(deadline.filter(|_| end.is_none() && !suspended))
}

/// When a Job ended that has.
fn ended(job: &Value) -> Option<Timestamp> {
    let kinds = ["Complete", "Failed"];
    let kind = kinds.into_iter().find(|kind| condition::holds(&job["status"], kind))?;
    condition::since(&job["status"], kind)
}

/// Deletes a Job that has ended long enough ago, if it wants that.
async fn expire(cluster: &mut Cluster, key: &Key, job: &Value, ended: Timestamp) -> Result<Next> {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() else { return Ok(None) };
    let Ok(at) = ended.checked_add(Duration::from_secs(seconds)) else { return Ok(None) };
    if at > cluster.now {
        return Ok(Some(at));
    }
    cluster.delete(key, job, false).await?;
    Ok(None)
}

fn tally(cluster: &Cluster, job: &Value) -> Tally {
    let pods = cluster.known.controlled(job, Kind::Pod);
    let phase = |wanted: &str| pods.iter().filter(|pod| pod["status"]["phase"] == wanted).count();
    Tally {
        active: pods.iter().filter(|pod| is_living(pod)).count(),
        ready: pods.iter().filter(|pod| is_living(pod) && is_ready(pod)).count(),
        succeeded: phase("Succeeded"),
        failed: phase("Failed"),
        pods,
    }
}

fn verdict(job: &Value, tally: &Tally, late: bool) -> Option<End> {
    let number = |key: &str| job["spec"][key].as_u64().and_then(|it| usize::try_from(it).ok());
    if late {
        return Some(End::Failed(
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
        ));
    }
    if tally.failed > number("backoffLimit").unwrap_or(6) {
        return Some(End::Failed(
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        ));
    }
    // Without a number of completions it is done when one has succeeded and none is left.
    let done = match number("completions") {
        Some(wanted) => tally.succeeded >= wanted,
        None => tally.succeeded > 0 && tally.active == 0,
    };
    done.then_some(End::Complete)
}

async fn make(cluster: &mut Cluster, key: &Key, job: &Value, tally: &Tally) -> Result<()> {
    let number = |key: &str| job["spec"][key].as_u64().and_then(|it| usize::try_from(it).ok());
    let parallel = number("parallelism").unwrap_or(1);
    let left = match number("completions") {
        Some(wanted) => wanted.saturating_sub(tally.succeeded),
        None if tally.succeeded > 0 => 0,
        None => parallel,
    };
    let missing = parallel.min(left).saturating_sub(tally.active);
    if job["spec"]["completionMode"] == "Indexed" {
        let taken: BTreeSet<u64> = indexes(tally, |pod| is_living(pod) || succeeded(pod)).collect();
        let all = 0..number("completions").unwrap_or(0) as u64;
        for index in all.filter(|index| !taken.contains(index)).take(missing) {
            create(cluster, key, job, Some(index)).await?;
        }
        return Ok(());
    }
    for _ in 0..missing {
        create(cluster, key, job, None).await?;
    }
    Ok(())
}

fn succeeded(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded"
}

fn indexes(tally: &Tally, which: fn(&Value) -> bool) -> impl Iterator<Item = u64> {
    let pods = tally.pods.iter().filter(move |pod| which(pod));
    pods.filter_map(|pod| pod["metadata"]["annotations"][INDEX].as_str()?.parse().ok())
}

/// Creates a Pod under the first name that none has yet.
async fn create(cluster: &mut Cluster, key: &Key, job: &Value, index: Option<u64>) -> Result<()> {
    let stem = index.map_or_else(|| key.name.clone(), |index| format!("{}-{index}", key.name));
    let names = (0_u64..).map(|n| format!("{stem}-{}", name::suffix(&stem, &n.to_string())));
    let known = &cluster.known;
    let free = |name: &String| known.get(&key.beside(Kind::Pod, name)).is_none();
    let Some(name) = names.into_iter().find(free) else { return Ok(()) };
    let mut pod = pod(job, Kind::Job, &name);
    if let Some(index) = index {
        pod["metadata"]["annotations"][INDEX] = json!(index.to_string());
        pod["metadata"]["labels"][INDEX] = json!(index.to_string());
    }
    cluster.create(Kind::Pod, pod).await?;
    Ok(())
}

fn counts(job: &Value, tally: &Tally) -> Value {
    let mut status = json!({"ready": tally.ready, "uncountedTerminatedPods": {}});
    let terminating = tally.pods.iter().filter(|pod| is_leaving(pod)).count();
    status["terminating"] = json!(terminating);
    for key in ["conditions", "startTime"] {
        if !job["status"][key].is_null() {
            status[key] = job["status"][key].clone();
        }
    }
    let all = [("active", tally.active), ("succeeded", tally.succeeded), ("failed", tally.failed)];
    for (key, count) in all {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    if job["spec"]["completionMode"] == "Indexed" {
        let done: BTreeSet<u64> = indexes(tally, succeeded).collect();
        if !done.is_empty() {
            status["completedIndexes"] = json!(ranges(&done));
        }
    }
    status
}

/// `0-2,5`, as Jobs write sets of numbers.
fn ranges(numbers: &BTreeSet<u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(from, to): &(u64, u64)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn finish(status: &mut Value, end: &End, now: Timestamp) {
    let (first, last, reason, message) = match end {
        End::Complete => {
            status["completionTime"] = json!(time(now));
            let message = "Reached expected number of succeeded pods";
            ("SuccessCriteriaMet", "Complete", "CompletionsReached", message)
        }
        End::Failed(reason, message) => ("FailureTarget", "Failed", *reason, *message),
    };
    let told = [first, last].map(|kind| Condition::told(kind, true, reason, message));
    let mut conditions = condition::set(status, &told, now);
    for condition in conditions.as_array_mut().into_iter().flatten() {
        if condition["lastProbeTime"].is_null() {
            condition["lastProbeTime"] = json!(time(now));
        }
    }
    status["conditions"] = conditions;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8].into()), "0-2,5,7,8");
    }
}
