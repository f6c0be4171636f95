//! StatefulSets: Pods with numbers and volumes, one after another.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::replica_set::{available, is_living, is_ready, pod};
use super::revision::{self, HASH};
use super::work::Next;

/// Makes, replaces and deletes one Pod, or all at once if the set wants that.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, set: &Value) -> Result<Next> {
    let update = revision::current(cluster, key, set).await?;
    let current = set["status"]["currentRevision"].as_str().unwrap_or(&update).to_owned();
    let revisions = Revisions { current: &current, update: &update };
    grow(cluster, key, set, &revisions).await?;
    shrink(cluster, key, set).await?;
    replace(cluster, key, set, &update).await?;
    let (status, next) = status(cluster, key, set, &revisions);
    cluster.set_status(key, &status).await?;
    revision::forget_old(cluster, set, &[&current, &update]).await?;
    Ok(next)
}

/// The names of the templates that Pods have.
struct Revisions<'a> {
    current: &'a str,
    update: &'a str,
}

fn wanted(set: &Value) -> i64 {
    set["spec"]["replicas"].as_i64().unwrap_or(1)
}

fn first(set: &Value) -> i64 {
    set["spec"]["ordinals"]["start"].as_i64().unwrap_or(0)
}

fn in_order(set: &Value) -> bool {
    set["spec"]["podManagementPolicy"] != "Parallel"
}

fn partition(set: &Value) -> i64 {
    set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0)
}

/// The Pods of a set by number.
fn pods(cluster: &Cluster, key: &Key, set: &Value) -> Vec<(i64, Object)> {
    let all = cluster.known.controlled(set, Kind::Pod).into_iter();
    let mut pods: Vec<_> = all
        .filter_map(|pod| {
            let name = pod["metadata"]["name"].as_str()?;
            let number = name.strip_prefix(&key.name)?.strip_prefix('-')?.parse().ok()?;
            Some((number, pod))
        })
        .collect();
    pods.sort_by_key(|(number, _)| *number);
    pods
}

async fn grow(
    cluster: &mut Cluster,
    key: &Key,
    set: &Value,
    revisions: &Revisions<'_>,
) -> Result<()> {
    for number in first(set)..first(set) + wanted(set) {
        let name = format!("{}-{number}", key.name);
        let at = key.beside(Kind::Pod, &name);
        match cluster.known.get(&at).cloned() {
            Some(pod) if is_living(&pod) => {
                if in_order(set) && !is_ready(&pod) {
                    return Ok(());
                }
            }
            // One that has ended by itself makes room for its successor.
            Some(pod) if !is_leaving(&pod) => {
                cluster.delete(&at, &pod, false).await?;
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {
                claims(cluster, key, set, number).await?;
                let old = number < partition(set);
                let revision = if old { revisions.current } else { revisions.update };
                cluster.create(Kind::Pod, member(set, &name, number, revision)).await?;
                if in_order(set) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn member(set: &Value, name: &str, number: i64, revision: &str) -> Value {
    let mut pod = pod(set, Kind::StatefulSet, name);
    let labels = &mut pod["metadata"]["labels"];
    labels[HASH] = json!(revision);
    labels["statefulset.kubernetes.io/pod-name"] = json!(name);
    labels["apps.kubernetes.io/pod-index"] = json!(number.to_string());
    pod["spec"]["hostname"] = json!(name);
    pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    let claims = templates(set).map(|template| {
        json!({"name": template, "persistentVolumeClaim": {"claimName": format!("{template}-{name}")}})
    });
    let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    volumes.extend(claims);
    pod["spec"]["volumes"] = json!(volumes);
    pod
}

fn templates(set: &Value) -> impl Iterator<Item = &str> {
    let all = set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
    all.filter_map(|template| template["metadata"]["name"].as_str())
}

async fn claims(cluster: &mut Cluster, key: &Key, set: &Value, number: i64) -> Result<()> {
    for template in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let name = template["metadata"]["name"].as_str().unwrap_or_default();
        let mut claim = template.clone();
        claim["metadata"]["name"] = json!(format!("{name}-{}-{number}", key.name));
        claim["metadata"]["namespace"] = json!(key.namespace);
        claim["metadata"]["labels"] = set["spec"]["selector"]["matchLabels"].clone();
        if let Some(members) = claim.as_object_mut() {
            members.shift_remove("status");
        }
        cluster.create(Kind::PersistentVolumeClaim, claim).await?;
    }
    Ok(())
}

/// Ends Pods whose numbers are not wanted, the highest first.
async fn shrink(cluster: &mut Cluster, key: &Key, set: &Value) -> Result<()> {
    let wanted = first(set)..first(set) + wanted(set);
    for (number, pod) in pods(cluster, key, set).iter().rev() {
        if wanted.contains(number) {
            continue;
        }
        if !is_leaving(pod) {
            cluster.delete(&Key::of(Kind::Pod, pod), pod, false).await?;
        }
        if in_order(set) {
            return Ok(());
        }
    }
    Ok(())
}

/// Ends a Pod of an old template, the highest first, if all above it are ready.
async fn replace(cluster: &mut Cluster, key: &Key, set: &Value, update: &str) -> Result<()> {
    if set["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return Ok(());
    }
    let range = first(set) + partition(set)..first(set) + wanted(set);
    for (number, pod) in pods(cluster, key, set).iter().rev() {
        if !range.contains(number) {
            continue;
        }
        if pod["metadata"]["labels"][HASH] != update && !is_leaving(pod) {
            return cluster.delete(&Key::of(Kind::Pod, pod), pod, false).await;
        }
        if !is_living(pod) || !is_ready(pod) {
            return Ok(());
        }
    }
    Ok(())
}

fn status(cluster: &Cluster, key: &Key, set: &Value, revisions: &Revisions<'_>) -> (Value, Next) {
    let pods = pods(cluster, key, set);
    let living: Vec<_> = pods.iter().map(|(_, pod)| pod).filter(|pod| is_living(pod)).collect();
    let of = |revision: &str| {
        living.iter().filter(|it| it["metadata"]["labels"][HASH] == revision).count()
    };
    let ready = living.iter().filter(|pod| is_ready(pod)).count();
    let (available, next) = available(set, living.iter().copied(), cluster.now);
    let updated = of(revisions.update);
    let whole = usize::try_from(wanted(set)).unwrap_or(0);
    let done = updated == whole && ready == whole && pods.len() == whole;
    let current = if done { revisions.update } else { revisions.current };
    let mut status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": living.len(),
        "availableReplicas": available,
        "currentRevision": current,
        "updateRevision": revisions.update,
        "collisionCount": 0,
    });
    for (key, count) in
        [("readyReplicas", ready), ("currentReplicas", of(current)), ("updatedReplicas", updated)]
    {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    (status, next)
}
