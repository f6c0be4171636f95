//! Volumes and claims that are in use are not deleted.

use super::owner;
use crate::api::Api;
use crate::object::{PROTECTED_CLAIM, PROTECTED_VOLUME};
use crate::status::Served;

const CLAIMS: &str = "/persistentvolumeclaims";
const VOLUMES: &str = "/persistentvolumes";
const PODS: &str = "/pods";

/// Lets a claim or volume that is being deleted go, if nothing uses it.
pub(super) fn release(api: &Api, resource: &str, path: &str) -> Served<()> {
    match resource {
        CLAIMS if !is_used(api, path) => owner::release(api, CLAIMS, path, PROTECTED_CLAIM),
        VOLUMES if !is_bound(api, path) => owner::release(api, VOLUMES, path, PROTECTED_VOLUME),
        _ => Ok(()),
    }
}

/// The claims that a Pod used which is gone, by their paths.
pub(super) fn claims(namespace: &str, pod: &serde_json::Value) -> Vec<(&'static str, String)> {
    names(pod).map(|name| (CLAIMS, format!("{namespace}/{name}"))).collect()
}

/// Whether a Pod that has not ended uses a claim.
fn is_used(api: &Api, path: &str) -> bool {
    let Some((namespace, claim)) = path.split_once('/') else { return false };
    let pods = api.store.all(PODS, &format!("{namespace}/"));
    pods.iter().map(|(_, pod)| pod.value()).any(|pod| {
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        !ended && names(&pod).any(|name| name == claim)
    })
}

fn names(pod: &serde_json::Value) -> impl Iterator<Item = &str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

fn is_bound(api: &Api, path: &str) -> bool {
    api.store.get(VOLUMES, path).is_some_and(|it| it.value()["status"]["phase"] == "Bound")
}
