//! Pods: given to the Node, started, ready, failed and ended as their behaviour says.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, State};
use super::cluster::Cluster;
use super::condition::{self, Condition, time};
use super::known::{Key, Known, is_leaving};
use super::pod_status;
use super::work::Next;
use super::{BEHAVIOUR, NODE};

/// Plays the scheduler and the kubelet for one Pod.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, pod: &Value) -> Result<Next> {
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if !node.is_empty() && node != NODE {
        return Ok(None);
    }
    if is_leaving(pod) {
        // Finalizers may hold it beyond that; then its end is confirmed already.
        if pod["metadata"]["deletionGracePeriodSeconds"] != 0 {
            cluster.delete(key, pod, true).await?;
        }
        return Ok(None);
    }
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return Ok(None);
    }
    let behaviour = match behaviour(&cluster.known, key, pod) {
        Ok(behaviour) => behaviour,
        Err(why) => return refuse(cluster, key, pod, &why).await,
    };
    let started = start(pod).unwrap_or(cluster.now);
    let passed = Duration::try_from(cluster.now.duration_since(started)).unwrap_or_default();
    let (state, next) = behaviour.at(passed);
    let next = next.and_then(|after| started.checked_add(after).ok());
    if *state == State::Pending {
        let why = "0/1 nodes are available: the simulator was told to wait.";
        let unscheduled = Condition::told("PodScheduled", false, "Unschedulable", why);
        let mut status = pod["status"].clone();
        // From here on the script counts, though the Pod has not started.
        status["startTime"] = json!(time(started));
        status["conditions"] = condition::set(&status, &[unscheduled], cluster.now);
        cluster.set_status(key, &status).await?;
        return Ok(next);
    }
    if node.is_empty() {
        cluster.bind(key, NODE).await?;
        return Ok(None);
    }
    let status = pod_status::status(pod, key, state, (started, cluster.now));
    cluster.set_status(key, &status).await?;
    Ok(next)
}

/// A script that is not understood is told where people look.
async fn refuse(cluster: &mut Cluster, key: &Key, pod: &Value, why: &str) -> Result<Next> {
    let mut status = pod["status"].clone();
    let unscheduled = Condition::told("PodScheduled", false, "Unschedulable", why);
    status["conditions"] = condition::set(&status, &[unscheduled], cluster.now);
    cluster.set_status(key, &status).await?;
    Ok(None)
}

fn start(pod: &Value) -> Option<Timestamp> {
    pod["status"]["startTime"].as_str()?.parse().ok()
}

/// The behaviour that the Pod, the nearest of its owners or its Namespace asks for.
fn behaviour(known: &Known, key: &Key, pod: &Value) -> Result<Behaviour, String> {
    let mut at = key.clone();
    let tag = tag(pod);
    let mut script = script(pod, tag);
    let mut object = pod.clone();
    while script.is_none() {
        let Some(owner) = known.controller(&at, &object) else { break };
        let Some(found) = known.get(&owner) else { break };
        script = self::script(found, tag);
        object = Value::clone(found);
        at = owner;
    }
    let namespace = Key {
        kind: super::kind::Kind::Namespace,
        namespace: String::new(),
        name: key.namespace.clone(),
    };
    let script = script.or_else(|| known.get(&namespace).and_then(|it| self::script(it, tag)));
    script.map_or_else(
        || Ok(Behaviour::default()),
        |it| it.parse().map_err(|e: super::Error| e.to_string()),
    )
}

/// The script for an image's tag, or else that for all.
fn script(object: &Value, tag: Option<&str>) -> Option<String> {
    let annotations = &object["metadata"]["annotations"];
    let own = tag.and_then(|tag| annotations[format!("{BEHAVIOUR}.{tag}")].as_str());
    own.or_else(|| annotations[BEHAVIOUR].as_str()).map(ToOwned::to_owned)
}

/// The tag of the image of the first container.
fn tag(pod: &Value) -> Option<&str> {
    let image = pod["spec"]["containers"][0]["image"].as_str()?;
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    name.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_may_have_a_script_of_its_own() {
        let pod = |image: &str| json!({"spec": {"containers": [{"image": image}]}});
        for (image, want) in [
            ("localhost:5000/app:2.1.0", Some("2.1.0")),
            ("app:2.1.0@sha256:11", Some("2.1.0")),
            ("localhost:5000/app", None),
        ] {
            assert_eq!(tag(&pod(image)), want);
        }
        let all = json!({"metadata": {"annotations": {
            BEHAVIOUR: "ready", (format!("{BEHAVIOUR}.2.1.0")): "fail",
        }}});
        assert_eq!(script(&all, Some("2.1.0")).as_deref(), Some("fail"));
        assert_eq!(script(&all, Some("2.0.0")).as_deref(), Some("ready"));
        assert_eq!(script(&all, None).as_deref(), Some("ready"));
    }
}
