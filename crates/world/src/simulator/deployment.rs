//! Deployments: a ReplicaSet for every template, and the way from one to the next.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::condition::{self, Condition, time};
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::name;
use super::replica_set::reference;
use super::rollout::{self, Limits, Set};
use super::work::Next;

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The ReplicaSets of a Deployment.
struct Sets {
    new: Option<Object>,
    /// By revision, the oldest first.
    old: Vec<Object>,
}

/// Makes the ReplicaSet of the template, moves replicas to it and tells how far that is.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, deployment: &Value) -> Result<Next> {
    let hash = name::template_hash(&deployment["spec"]["template"], 0);
    let paused = deployment["spec"]["paused"] == true;
    let sets = sets(cluster, deployment, &hash);
    let mut created = None;
    if sets.new.is_none() && !paused {
        created = make(cluster, key, deployment, &hash, &sets.old).await?;
    }
    let sets = self::sets(cluster, deployment, &hash);
    renumber(cluster, key, deployment, &sets).await?;
    if let (Some(new), false) = (&sets.new, paused) {
        scale(cluster, deployment, new, &sets.old).await?;
    }
    let sets = self::sets(cluster, deployment, &hash);
    let (status, next) = status(cluster, deployment, &sets, created.as_ref());
    cluster.set_status(key, &status).await?;
    if condition::find(&status, "Progressing")
        .is_some_and(|it| it["reason"] == "NewReplicaSetAvailable")
    {
        forget_old(cluster, deployment, &sets.old).await?;
    }
    Ok(next)
}

fn sets(cluster: &Cluster, deployment: &Value, hash: &str) -> Sets {
    let all = cluster.known.controlled(deployment, Kind::ReplicaSet);
    let all = all.into_iter().filter(|set| !is_leaving(set));
    let (new, mut old): (Vec<_>, Vec<_>) =
        all.partition(|set| set["metadata"]["labels"][HASH] == hash);
    old.sort_by_key(|set| revision(set));
    Sets { new: new.into_iter().next(), old }
}

fn revision(object: &Value) -> i64 {
    let text = object["metadata"]["annotations"][REVISION].as_str();
    text.and_then(|it| it.parse().ok()).unwrap_or(0)
}

async fn make(
    cluster: &mut Cluster,
    key: &Key,
    deployment: &Value,
    hash: &str,
    old: &[Object],
) -> Result<Option<Object>> {
    let spec = &deployment["spec"];
    let limits = Limits::of(deployment);
    let known: Vec<Set> = old.iter().map(|set| summary(cluster, set)).collect();
    let mut selector = spec["selector"].clone();
    selector["matchLabels"][HASH] = json!(hash);
    let mut template = spec["template"].clone();
    template["metadata"]["labels"][HASH] = json!(hash);
    let number = old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
    let mut annotations = passed_on(deployment);
    annotations[REVISION] = json!(number.to_string());
    annotations["deployment.kubernetes.io/desired-replicas"] = json!(limits.replicas.to_string());
    annotations["deployment.kubernetes.io/max-replicas"] =
        json!((limits.replicas + limits.surge).to_string());
    let set = json!({
        "metadata": {
            "name": format!("{}-{hash}", key.name), "namespace": key.namespace,
            "labels": template["metadata"]["labels"], "annotations": annotations,
            "ownerReferences": [reference(deployment, Kind::Deployment)],
        },
        "spec": {
            "replicas": rollout::initial(limits, &known, recreates(deployment)),
            "minReadySeconds": spec["minReadySeconds"].as_i64().unwrap_or(0),
            "selector": selector, "template": template,
        },
    });
    cluster.create(Kind::ReplicaSet, set).await
}

/// The annotations of a Deployment that its ReplicaSets have too.
fn passed_on(deployment: &Value) -> Value {
    let mut annotations = deployment["metadata"]["annotations"].clone();
    if let Some(members) = annotations.as_object_mut() {
        members.retain(|key, _| {
            key != "kubectl.kubernetes.io/last-applied-configuration"
                && !key.starts_with("deployment.kubernetes.io/")
        });
    }
    annotations
}

fn recreates(deployment: &Value) -> bool {
    deployment["spec"]["strategy"]["type"] == "Recreate"
}

/// The current template has the highest revision, even when it is an old one again.
async fn renumber(cluster: &mut Cluster, key: &Key, deployment: &Value, sets: &Sets) -> Result<()> {
    let Some(new) = &sets.new else { return Ok(()) };
    let highest = sets.old.iter().map(|set| revision(set)).max().unwrap_or(0);
    let number = revision(new).max(highest + 1);
    let patch = json!({"metadata": {"annotations": {REVISION: number.to_string()}}});
    if revision(new) != number {
        cluster.patch(&key.beside(Kind::ReplicaSet, name_of(new)), &patch).await?;
    }
    if revision(deployment) != number {
        cluster.patch(key, &patch).await?;
    }
    Ok(())
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn summary(cluster: &Cluster, set: &Object) -> Set {
    let pods = cluster.known.controlled(set, Kind::Pod);
    Set {
        name: name_of(set).to_owned(),
        wanted: set["spec"]["replicas"].as_i64().unwrap_or(1),
        // Those that are ending count for a Deployment that recreates.
        actual: i64::try_from(pods.len()).unwrap_or(i64::MAX),
        available: set["status"]["availableReplicas"].as_i64().unwrap_or(0),
    }
}

async fn scale(
    cluster: &mut Cluster,
    deployment: &Value,
    new: &Object,
    old: &[Object],
) -> Result<()> {
    let known: Vec<Set> = old.iter().map(|set| summary(cluster, set)).collect();
    let new = summary(cluster, new);
    let steps = rollout::step(Limits::of(deployment), &new, &known, recreates(deployment));
    let key = Key::of(Kind::Deployment, deployment);
    for (name, replicas) in steps {
        let patch = json!({"spec": {"replicas": replicas}});
        cluster.patch(&key.beside(Kind::ReplicaSet, &name), &patch).await?;
    }
    Ok(())
}

async fn forget_old(cluster: &mut Cluster, deployment: &Value, old: &[Object]) -> Result<()> {
    let kept = deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
    let kept = usize::try_from(kept).unwrap_or(usize::MAX);
    for set in old.iter().take(old.len().saturating_sub(kept)) {
        let idle = set["spec"]["replicas"] == 0 && set["status"]["replicas"] == 0;
        if idle {
            cluster.delete(&Key::of(Kind::ReplicaSet, set), set, false).await?;
        }
    }
    Ok(())
}

fn status(
    cluster: &Cluster,
    deployment: &Value,
    sets: &Sets,
    created: Option<&Object>,
) -> (Value, Next) {
    let all: Vec<&Object> = sets.old.iter().chain(&sets.new).collect();
    let sum =
        |key: &str| all.iter().map(|set| set["status"][key].as_i64().unwrap_or(0)).sum::<i64>();
    let limits = Limits::of(deployment);
    let updated =
        sets.new.as_ref().map_or(0, |new| new["status"]["replicas"].as_i64().unwrap_or(0));
    let (replicas, ready, available) =
        (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let old = &deployment["status"];
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"]});
    for key in ["collisionCount", "terminatingReplicas"] {
        if !old[key].is_null() {
            status[key] = old[key].clone();
        }
    }
    for (key, count) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (limits.replicas.max(replicas) - available).max(0)),
    ] {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    let complete = updated == limits.replicas && replicas == updated && available == updated;
    let enough = available >= limits.replicas - limits.unavailable;
    let mut conditions = vec![if enough {
        Condition::told(
            "Available",
            true,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        Condition::told(
            "Available",
            false,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    }];
    let moved = ["updatedReplicas", "readyReplicas", "availableReplicas", "replicas"]
        .iter()
        .any(|key| old[*key] != status[*key]);
    let (progress, next) = progress(cluster, deployment, sets, &Step { created, complete, moved });
    conditions.extend(progress);
    status["conditions"] = condition::set(old, &conditions, cluster.now);
    stamp(&mut status, old, moved || created.is_some(), cluster);
    (status, next)
}

/// What this turn saw of a rollout.
struct Step<'a> {
    created: Option<&'a Object>,
    complete: bool,
    moved: bool,
}

/// The condition Progressing, and when a rollout that stands still has had its time.
fn progress(
    cluster: &Cluster,
    deployment: &Value,
    sets: &Sets,
    step: &Step<'_>,
) -> (Option<Condition>, Next) {
    let told = |status, reason: &str, message: String| {
        (Some(Condition::told("Progressing", status, reason, &message)), None)
    };
    if deployment["spec"]["paused"] == true {
        return (
            Some(Condition::told("Progressing", true, "DeploymentPaused", "Deployment is paused")),
            None,
        );
    }
    let Some(new) = &sets.new else { return (None, None) };
    let name = name_of(new);
    if let Some(set) = step.created {
        let message = format!("Created new replica set {:?}", name_of(set));
        return told(true, "NewReplicaSetCreated", message);
    }
    if step.complete {
        return told(
            true,
            "NewReplicaSetAvailable",
            format!("ReplicaSet {name:?} has successfully progressed."),
        );
    }
    let old = condition::find(&deployment["status"], "Progressing");
    let reason = old.and_then(|it| it["reason"].as_str()).unwrap_or_default();
    let since = old.and_then(|it| it["lastUpdateTime"].as_str()?.parse::<jiff::Timestamp>().ok());
    let seconds = deployment["spec"]["progressDeadlineSeconds"].as_u64().unwrap_or(600);
    let end = since.and_then(|it| it.checked_add(Duration::from_secs(seconds)).ok());
    // A rollout that was done, and is not any more, starts over.
    if step.moved
        || reason.is_empty()
        || reason == "NewReplicaSetAvailable"
        || reason == "DeploymentPaused"
    {
        let (told, _) =
            told(true, "ReplicaSetUpdated", format!("ReplicaSet {name:?} is progressing."));
        return (told, cluster.now.checked_add(Duration::from_secs(seconds)).ok());
    }
    match end {
        Some(end) if end <= cluster.now || reason == "ProgressDeadlineExceeded" => told(
            false,
            "ProgressDeadlineExceeded",
            format!("ReplicaSet {name:?} has timed out progressing."),
        ),
        end => (None, end),
    }
}

/// Conditions of Deployments also tell when they were last written.
fn stamp(status: &mut Value, old: &Value, moved: bool, cluster: &Cluster) {
    for new in status["conditions"].as_array_mut().into_iter().flatten() {
        let kind = new["type"].as_str().unwrap_or_default().to_owned();
        let before = condition::find(old, &kind);
        let same =
            before.is_some_and(|it| it["status"] == new["status"] && it["reason"] == new["reason"]);
        if !same || (moved && kind == "Progressing") || new["lastUpdateTime"].is_null() {
            new["lastUpdateTime"] = json!(time(cluster.now));
        }
    }
}
