//! What happens to the objects when their Kustomization is deleted.

use api::kustomize::{DeletionPolicy, Kustomization};
use api::meta::{READY, Status as _};
use api::reason;
use apply::{Action, Entry};
use controller::{Event, Next, Reference, Stop, Turn};

use super::run::timeout;
use super::{GROUP, KustomizationReconciler, Memo, build, identity};

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
    turn: &mut Turn,
) -> Result<(), Stop> {
    if !deletes(it) {
        return Ok(());
    }
    let context = &reconciler.context;
    let entries = entries(it);
    if !identity::exists(it, context).await {
        let list: Vec<String> = entries.iter().map(|entry| entry.id.to_string()).collect();
        let objects = list.join(", ");
        let why = format!("unable to prune objects: the account to impersonate is gone: {objects}");
        tell(it, turn, Event::error(told_as(it), why));
        return Ok(());
    }
    let failed = |why: String| Stop::fail(reason::PRUNE_FAILED, why);
    let target = identity::target(it, context).await.map_err(|why| failed(why.to_string()))?;
    let (changes, error) = target.cluster.prune(entries, &build::owner(it)).await;
    if let Some(error) = error {
        return Err(failed(error.to_string()));
    }
    if !changes.is_empty() && !std::mem::replace(&mut turn.memo::<Memo>().is_deleting, true) {
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        tell(it, turn, Event::info(told_as(it), told.join("\n")));
    }
    if it.spec.deletion_policy != Some(DeletionPolicy::WaitForTermination) {
        return Ok(());
    }
    let deleted = changes.into_iter().filter(|change| change.action == Action::Deleted);
    let deleted = deleted.map(|change| change.entry).collect();
    gone(reconciler, it, (deleted, &target), turn).await
}

/// The reason of the last run, as upstream tells of deletions.
fn told_as(it: &Kustomization) -> &'static str {
    let ready = it.status.as_ref().and_then(|status| status.condition(READY));
    match ready {
        Some(ready) if ready.status == "False" => reason::RECONCILIATION_FAILED,
        _ => reason::RECONCILIATION_SUCCEEDED,
    }
}

/// Has an event told about the revision that was applied.
fn tell(it: &Kustomization, turn: &mut Turn, mut event: Event) {
    let status = it.status.iter();
    let revision = status.filter_map(|status| status.last_applied_revision.clone());
    event.metadata.extend(revision.map(|it| (format!("{GROUP}/revision"), it)));
    turn.tell(event);
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
    turn: &mut Turn,
) -> Result<(), Stop> {
    let now = turn.now();
    let since = it.metadata.deletion_timestamp.as_ref().map_or(now, |time| time.0);
    if now >= since.saturating_add(timeout(it)).unwrap_or(now) {
        tell(it, turn, Event::error(told_as(it), "failed to wait for resources termination"));
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
