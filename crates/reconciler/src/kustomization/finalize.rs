//! What happens to the objects when their Kustomization is deleted.

use api::kustomize::{DeletionPolicy, Kustomization};
use api::reason;
use apply::{Action, Entry};
use controller::{Next, Reference, Stop, Turn};
use jiff::Timestamp;

use super::run::timeout;
use super::{KustomizationReconciler, build, identity};

/// How long a deletion goes unlooked at, where no watch may tell of it.
const POLL: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether the objects are to be deleted: never those of a suspended Kustomization.
fn deletes(it: &Kustomization) -> bool {
    let has_objects = it.status.iter().filter_map(|status| status.inventory.as_ref());
    let has_objects = has_objects.flat_map(|inventory| &inventory.entries).next().is_some();
    has_objects
        && it.spec.suspend != Some(true)
        && match it.spec.deletion_policy.unwrap_or_default() {
            DeletionPolicy::MirrorPrune => it.spec.prune,
            DeletionPolicy::Delete | DeletionPolicy::WaitForTermination => true,
            DeletionPolicy::Orphan => false,
        }
}

/// Deletes the objects if the policy says so.
///
/// # Errors
/// What could not be deleted, or is still going, keeps the finalizer.
pub(super) async fn finalize(
    reconciler: &KustomizationReconciler,
    it: &Kustomization,
    turn: &Turn,
) -> Result<(), Stop> {
    if !deletes(it) {
        return Ok(());
    }
    let context = &reconciler.context;
    let entries = entries(it);
    if !identity::exists(it, context).await {
        let list: Vec<String> = entries.iter().map(|entry| entry.id.to_string()).collect();
        let objects = list.join(", ");
        tracing::error!(objects, "unable to prune objects: the account to impersonate is gone");
        return Ok(());
    }
    let failed = |why: String| Stop::fail(reason::PRUNE_FAILED, why);
    let target = identity::target(it, context).await.map_err(|why| failed(why.to_string()))?;
    let (changes, error) = target.cluster.prune(entries, &build::owner(it)).await;
    if let Some(error) = error {
        return Err(failed(error.to_string()));
    }
    if it.spec.deletion_policy != Some(DeletionPolicy::WaitForTermination) {
        return Ok(());
    }
    let deleted = changes.into_iter().filter(|change| change.action == Action::Deleted);
    let deleted = deleted.map(|change| change.entry).collect();
    gone(reconciler, it, (deleted, &target), turn.now()).await
}

/// The inventory; what cannot be read cannot be deleted either.
fn entries(it: &Kustomization) -> Vec<Entry> {
    let entries = it.status.iter().filter_map(|status| status.inventory.as_ref());
    let entries = entries.flat_map(|inventory| &inventory.entries);
    entries.filter_map(|entry| Entry::parse(&entry.id, &entry.version).ok()).collect()
}

/// Whether everything is gone, or has had its time to go.
async fn gone(
    reconciler: &KustomizationReconciler,
    it: &Kustomization,
    (deleted, target): (Vec<Entry>, &identity::Target),
    now: Timestamp,
) -> Result<(), Stop> {
    let since = it.metadata.deletion_timestamp.as_ref().map_or(now, |time| time.0);
    if now >= since.saturating_add(timeout(it)).unwrap_or(now) {
        tracing::error!("failed to wait for resources termination");
        return Ok(());
    }
    let mut wake_on = Vec::new();
    for entry in deleted {
        if matches!(target.cluster.get(&entry).await, Ok(None)) {
            continue;
        }
        if let Ok(resource) = target.cluster.resource(&entry).await {
            reconciler.host.follow(&resource);
        }
        let id = entry.id;
        wake_on.push(Reference::named(&id.group, &id.kind, id.namespace, id.name));
    }
    if wake_on.is_empty() {
        return Ok(());
    }
    let deadline = Some(now.saturating_add(POLL).unwrap_or(now));
    Err(Stop::Pending { next: Next::Park { wake_on, deadline } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_go_as_the_policy_says() {
        let of = |spec: serde_json::Value| -> Kustomization {
            let mut whole = json!({"interval": "1m", "prune": true,
                                   "sourceRef": {"kind": "GitRepository", "name": "fleet"}});
            whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            serde_json::from_value(json!({
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                "metadata": {"name": "a", "namespace": "ns"}, "spec": whole,
                "status": {"inventory": {"entries": [{"id": "ns_a__ConfigMap", "v": "v1"}]}},
            }))
            .unwrap()
        };
        for (spec, expected) in [
            (json!({}), true),
            (json!({"prune": false}), false),
            (json!({"prune": false, "deletionPolicy": "Delete"}), true),
            (json!({"deletionPolicy": "WaitForTermination"}), true),
            (json!({"deletionPolicy": "Orphan"}), false),
            (json!({"suspend": true}), false),
        ] {
            assert_eq!(deletes(&of(spec.clone())), expected, "{spec}");
        }
        let mut empty = of(json!({}));
        empty.status.as_mut().unwrap().inventory = None;
        assert!(!deletes(&empty));
    }
}
