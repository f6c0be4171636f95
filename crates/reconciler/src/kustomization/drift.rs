//! Watching what was applied, where that is opted into: what somebody else changes is put back at
//! once, and not only at the interval.

use api::kustomize::Kustomization;
use apply::{Cluster, Entry};
use controller::{Host, Reference};
use kube::ResourceExt as _;

/// The annotation; its value is `watch`.
const DRIFT: &str = "kustomize.sluice.dev/drift";

/// Whether objects of this Kustomization are watched.
pub(super) fn is_watched(it: &Kustomization) -> bool {
    it.annotations().get(DRIFT).is_some_and(|value| value == "watch")
        && it.spec.kube_config.is_none()
}

/// The objects of the inventory as something that wakes.
pub(super) fn references(it: &Kustomization) -> Vec<Reference> {
    if !is_watched(it) {
        return Vec::new();
    }
    let entries = it.status.iter().flat_map(|status| &status.inventory);
    let entries = entries.flat_map(|inventory| &inventory.entries);
    let entries = entries.filter_map(|entry| Entry::parse(&entry.id, &entry.version).ok());
    entries
        .map(|Entry { id, .. }| Reference::named(&id.group, &id.kind, id.namespace, id.name))
        .collect()
}

/// Watches the kinds of these objects from now on.
pub(super) async fn follow(entries: &[Entry], cluster: &Cluster, host: &Host) {
    let mut kinds: Vec<&Entry> = entries.iter().collect();
    kinds.sort_by_key(|entry| (&entry.id.group, &entry.id.kind));
    kinds.dedup_by_key(|entry| (&entry.id.group, &entry.id.kind));
    for entry in kinds {
        if let Ok(resource) = cluster.resource(entry).await {
            host.follow(&resource);
        }
    }
}
