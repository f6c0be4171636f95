//! The Node that everything runs on.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::NODE;
use super::cluster::Cluster;
use super::condition::{self, Condition, time};
use super::kind::Kind;
use super::known::Key;
use super::work::Next;

/// How often the Node tells that it is there; the node lifecycle controller waits for 40 s.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// What fits onto it: more than anybody asks for.
const CAPACITY: [(&str, &str); 4] =
    [("cpu", "1k"), ("memory", "1Ti"), ("ephemeral-storage", "1Ti"), ("pods", "100k")];

/// Makes the Node, if it is gone, and keeps it ready. Other Nodes are somebody else's.
pub(super) async fn play(cluster: &mut Cluster, key: &Key) -> Result<Next> {
    if key.name != NODE {
        return Ok(None);
    }
    if cluster.known.get(key).is_none() {
        let labels = json!({
            "kubernetes.io/hostname": NODE,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        });
        cluster.create(Kind::Node, json!({"metadata": {"name": NODE, "labels": labels}})).await?;
    }
    let Some(node) = cluster.known.get(key).cloned() else { return Ok(None) };
    let now = cluster.now;
    let ready = Condition::told("Ready", true, "KubeletReady", "kubelet is posting ready status");
    let mut status = node["status"].clone();
    let mut conditions = condition::set(&status, &[ready], now);
    for condition in conditions.as_array_mut().into_iter().flatten() {
        condition["lastHeartbeatTime"] = json!(time(now));
    }
    let capacity: serde_json::Map<_, _> =
        CAPACITY.iter().map(|(what, much)| ((*what).to_owned(), json!(much))).collect();
    status["conditions"] = conditions;
    status["capacity"] = json!(capacity);
    status["allocatable"] = json!(capacity);
    status["addresses"] = json!([
        {"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE},
    ]);
    status["nodeInfo"] = json!({
        "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "simulator://1",
        "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "v1.34.2", "machineID": "",
        "operatingSystem": "linux", "osImage": "simulator", "systemUUID": "",
    });
    cluster.set_status(key, &status).await?;
    Ok(Some(now + HEARTBEAT))
}
