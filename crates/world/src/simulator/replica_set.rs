//! ReplicaSets: so many Pods of one template.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::condition;
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::name;
use super::work::Next;

/// Makes and deletes Pods until there are as many as wanted, and counts them.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, set: &Value) -> Result<Next> {
    let pods = cluster.known.controlled(set, Kind::Pod);
    let wanted = usize::try_from(set["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    let mut living: Vec<&Object> = pods.iter().filter(|pod| is_living(pod)).collect();
    if living.len() < wanted {
        let taken: BTreeSet<&str> =
            pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        let free = names(&key.name).filter(|name| !taken.contains(name.as_str()));
        let missing: Vec<String> = free.take(wanted - living.len()).collect();
        for name in missing {
            cluster.create(Kind::Pod, pod(set, Kind::ReplicaSet, &name)).await?;
        }
    } else {
        living.sort_by_key(|pod| (is_ready(pod), std::cmp::Reverse(born(pod))));
        for pod in living.iter().take(living.len() - wanted) {
            cluster.delete(&Key::of(Kind::Pod, pod), pod, false).await?;
        }
    }
    let pods = cluster.known.controlled(set, Kind::Pod);
    let (status, next) = status(set, &pods, cluster.now);
    cluster.set_status(key, &status).await?;
    Ok(next)
}

/// The names of the Pods of a set, in order.
fn names(set: &str) -> impl Iterator<Item = String> {
    (0_u64..).map(move |position| format!("{set}-{}", name::suffix(set, &position.to_string())))
}

fn status(set: &Value, pods: &[Object], now: Timestamp) -> (Value, Next) {
    let living: Vec<_> = pods.iter().filter(|pod| is_living(pod)).collect();
    let ready = living.iter().filter(|pod| is_ready(pod)).count();
    let (available, next) = available(set, living.iter().copied(), now);
    let mut status = json!({
        "replicas": living.len(),
        "observedGeneration": set["metadata"]["generation"],
    });
    let counts = [
        ("fullyLabeledReplicas", living.len()),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ];
    for (key, count) in counts {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    if set["status"]["terminatingReplicas"].is_number() {
        status["terminatingReplicas"] = set["status"]["terminatingReplicas"].clone();
    }
    (status, next)
}

/// A Pod of the template of `owner`.
pub(super) fn pod(owner: &Value, kind: Kind, name: &str) -> Value {
    let mut pod = owner["spec"]["template"].clone();
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = owner["metadata"]["namespace"].clone();
    pod["metadata"]["ownerReferences"] = json!([reference(owner, kind)]);
    pod
}

/// The reference of what `owner` controls.
pub(super) fn reference(owner: &Value, kind: Kind) -> Value {
    let (api_version, kind, _) = kind.names();
    json!({
        "apiVersion": api_version, "kind": kind, "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

/// Whether a Pod counts: it has not ended, and nobody ends it.
pub(super) fn is_living(pod: &Value) -> bool {
    !is_leaving(pod) && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a Pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition::holds(&pod["status"], "Ready")
}

/// How many Pods have been ready for `minReadySeconds` of their owner, and when that is so of
/// another one.
pub(super) fn available<'a>(
    owner: &Value,
    pods: impl Iterator<Item = &'a Object>,
    now: Timestamp,
) -> (usize, Next) {
    let wait = owner["spec"]["minReadySeconds"].as_u64().unwrap_or(0);
    let since = pods.filter(|pod| is_ready(pod)).map(|pod| {
        let since = condition::since(&pod["status"], "Ready").unwrap_or(now);
        since.checked_add(Duration::from_secs(wait)).unwrap_or(now)
    });
    let (done, later): (Vec<_>, Vec<_>) = since.partition(|at| wait == 0 || *at <= now);
    (done.len(), later.into_iter().min())
}

fn born(pod: &Value) -> String {
    pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned()
}
