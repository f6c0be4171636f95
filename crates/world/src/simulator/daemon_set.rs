//! DaemonSets: a Pod on every Node.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::name;
use super::replica_set::{available, is_living, is_ready, pod};
use super::revision::{self, HASH};
use super::rollout::amount;
use super::work::Next;

/// Makes a Pod on every Node that has none, and replaces those of an old template.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, set: &Value) -> Result<Next> {
    let revision = revision::current(cluster, key, set).await?;
    let hash = revision.rsplit('-').next().unwrap_or_default().to_owned();
    let nodes = nodes(cluster, set);
    for node in &nodes {
        let name = format!("{}-{}", key.name, name::suffix(&key.name, node));
        if cluster.known.get(&key.beside(Kind::Pod, &name)).is_none() {
            let mut pod = pod(set, Kind::DaemonSet, &name);
            pod["metadata"]["labels"][HASH] = json!(hash);
            pod["spec"]["nodeName"] = json!(node);
            cluster.create(Kind::Pod, pod).await?;
        }
    }
    end(cluster, set, &nodes, &hash).await?;
    let (status, next) = status(cluster, set, &nodes, &hash);
    cluster.set_status(key, &status).await?;
    revision::forget_old(cluster, set, &[&revision]).await?;
    Ok(next)
}

/// The Nodes that the set selects.
fn nodes(cluster: &Cluster, set: &Value) -> Vec<String> {
    let wanted = &set["spec"]["template"]["spec"]["nodeSelector"];
    let nodes = cluster.known.all(Kind::Node, "").filter(|node| {
        let labels = &node["metadata"]["labels"];
        wanted.as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value)
    });
    nodes.filter_map(|node| Some(node["metadata"]["name"].as_str()?.to_owned())).collect()
}

/// Ends Pods that have failed, are on no wanted Node, or are of an old template.
async fn end(cluster: &mut Cluster, set: &Value, nodes: &[String], hash: &str) -> Result<()> {
    let strategy = &set["spec"]["updateStrategy"];
    let whole = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
    let limit = amount(&strategy["rollingUpdate"]["maxUnavailable"], whole, true).max(1);
    let pods = cluster.known.controlled(set, Kind::Pod);
    let broken = |pod: &&Object| !is_living(pod) || !is_ready(pod);
    let mut missing = i64::try_from(pods.iter().filter(broken).count()).unwrap_or(i64::MAX);
    for pod in pods.iter().filter(|pod| !is_leaving(pod)) {
        let wanted = nodes.iter().any(|node| pod["spec"]["nodeName"] == node.as_str());
        let old = pod["metadata"]["labels"][HASH] != hash && strategy["type"] != "OnDelete";
        let replaced = old && (!is_ready(pod) || missing < limit);
        if !wanted || !is_living(pod) || replaced {
            missing += i64::from(is_ready(pod));
            cluster.delete(&Key::of(Kind::Pod, pod), pod, false).await?;
        }
    }
    Ok(())
}

fn status(cluster: &Cluster, set: &Value, nodes: &[String], hash: &str) -> (Value, Next) {
    let pods = cluster.known.controlled(set, Kind::Pod);
    let living: Vec<_> = pods.iter().filter(|pod| is_living(pod)).collect();
    let ready = living.iter().filter(|pod| is_ready(pod)).count();
    let updated = living.iter().filter(|pod| pod["metadata"]["labels"][HASH] == hash).count();
    let (available, next) = available(set, living.iter().copied(), cluster.now);
    let mut status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "desiredNumberScheduled": nodes.len(),
        "currentNumberScheduled": living.len(),
        "numberMisscheduled": 0,
        "numberReady": ready,
    });
    for (key, count) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", nodes.len().saturating_sub(available)),
    ] {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    (status, next)
}
