//! PersistentVolumeClaims: a volume for each.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kind::Kind;
use super::known::{Key, Object};
use super::work::Next;

/// Makes a volume for a claim that has none, and binds them unless somebody else does.
pub(super) async fn play(
    cluster: &mut Cluster,
    key: &Key,
    claim: &Value,
    binds: bool,
) -> Result<Next> {
    if claim["status"]["phase"] == "Bound" {
        return Ok(None);
    }
    let uid = claim["metadata"]["uid"].as_str().unwrap_or_default();
    let chosen = claim["spec"]["volumeName"].as_str().unwrap_or_default();
    let name = if chosen.is_empty() { format!("pvc-{uid}") } else { chosen.to_owned() };
    let at = Key { kind: Kind::PersistentVolume, namespace: String::new(), name: name.clone() };
    if cluster.known.get(&at).is_none() && chosen.is_empty() {
        cluster.create(Kind::PersistentVolume, volume(&name, key, claim)).await?;
    }
    let Some(volume) = cluster.known.get(&at).cloned() else { return Ok(None) };
    if binds {
        bind(cluster, key, &at, &volume).await?;
    }
    Ok(None)
}

fn volume(name: &str, key: &Key, claim: &Value) -> Value {
    let mut volume = json!({
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": format!("/simulator/{name}")},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": key.namespace,
                "name": key.name, "uid": claim["metadata"]["uid"],
            },
        },
    });
    for key in ["storageClassName", "volumeMode"] {
        if !claim["spec"][key].is_null() {
            volume["spec"][key] = claim["spec"][key].clone();
        }
    }
    volume
}

async fn bind(cluster: &mut Cluster, key: &Key, at: &Key, volume: &Object) -> Result<()> {
    let patch = json!({
        "metadata": {"annotations": {
            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
        }},
        "spec": {"volumeName": at.name},
    });
    cluster.patch(key, &patch).await?;
    let mut status = volume["status"].clone();
    status["phase"] = json!("Bound");
    cluster.set_status(at, &status).await?;
    let status = json!({
        "phase": "Bound", "accessModes": volume["spec"]["accessModes"],
        "capacity": volume["spec"]["capacity"],
    });
    cluster.set_status(key, &status).await
}
