//! Owners and dependents: background, foreground and orphaning deletion.

use serde_json::Value;

use super::target;
use crate::api::Api;
use crate::object::{DeleteOptions, FOREGROUND, ORPHAN};
use crate::status::{Refused, Served};
use crate::store::Object;

/// How the owners of an object stand.
#[derive(Debug, Default)]
struct Owners {
    /// Uids of owners that are there to stay.
    solid: Vec<String>,
    /// Uids of owners that are gone.
    gone: Vec<String>,
    /// Uids of owners that wait for their dependents to go first.
    waiting: Vec<String>,
}

/// Deletes the object if none of its owners is left.
pub(super) fn review(api: &Api, resource: &str, path: &str) -> Served<()> {
    let Some(object) = api.store.get(resource, path) else { return Ok(()) };
    let Some(target) = target(api, resource, path) else { return Ok(()) };
    let value = object.value();
    let owners = classify(api, path, &value);
    if owners.gone.is_empty() && owners.waiting.is_empty() {
        return Ok(());
    }
    if !owners.solid.is_empty() {
        let lost: Vec<String> = owners.gone.into_iter().chain(owners.waiting).collect();
        return disown(api, resource, path, &lost);
    }
    let finalizer = |name: &str| {
        value["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f == name))
    };
    let has_dependents = !api.store.dependents(&object.meta.uid).is_empty();
    let policy = if !owners.waiting.is_empty() && has_dependents || finalizer(FOREGROUND) {
        "Foreground"
    } else if finalizer(ORPHAN) {
        "Orphan"
    } else {
        "Background"
    };
    let options = DeleteOptions {
        propagation: Some(policy.to_owned()),
        uid: Some(object.meta.uid.to_string()),
        ..DeleteOptions::default()
    };
    harmless(api.delete_blocking(&target, &options).map(drop))
}

/// Follows up on an object that is being deleted in the foreground or leaving orphans.
pub(super) fn leave(api: &Api, resource: &str, path: &str) -> Served<()> {
    let Some(object) = api.store.get(resource, path) else { return Ok(()) };
    if !object.meta.deleting {
        return Ok(());
    }
    let value = object.value();
    let has = |name: &str| {
        value["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f == name))
    };
    if has(ORPHAN) {
        for (resource, path) in api.store.dependents(&object.meta.uid) {
            disown(api, &resource, &path, &[object.meta.uid.to_string()])?;
        }
        return release(api, resource, path, ORPHAN);
    }
    if has(FOREGROUND) {
        let blocking: Vec<_> = api
            .store
            .dependents(&object.meta.uid)
            .into_iter()
            .filter(|(resource, path)| {
                api.store.get(resource, path).is_some_and(|d| blocks(&d, &object.meta.uid))
            })
            .collect();
        if blocking.is_empty() {
            return release(api, resource, path, FOREGROUND);
        }
        for (resource, path) in blocking {
            review(api, &resource, &path)?;
        }
    }
    Ok(())
}

/// Takes a finalizer off an object.
pub(super) fn release(api: &Api, resource: &str, path: &str, finalizer: &str) -> Served<()> {
    let Some(target) = target(api, resource, path) else { return Ok(()) };
    harmless(api.amend(&target, |object| {
        if let Some(all) = object["metadata"]["finalizers"].as_array_mut() {
            all.retain(|f| f != finalizer);
        }
    }))
}

/// Removes owner references by uid.
fn disown(api: &Api, resource: &str, path: &str, uids: &[String]) -> Served<()> {
    let Some(target) = target(api, resource, path) else { return Ok(()) };
    harmless(api.amend_as_controller(&target, "", |object| {
        let metadata = &mut object["metadata"];
        if let Some(owners) = metadata["ownerReferences"].as_array_mut() {
            owners.retain(|o| !uids.iter().any(|uid| o["uid"] == uid.as_str()));
            if owners.is_empty()
                && let Some(metadata) = metadata.as_object_mut()
            {
                metadata.shift_remove("ownerReferences");
            }
        }
    }))
}

fn classify(api: &Api, path: &str, value: &Value) -> Owners {
    let mut owners = Owners::default();
    let namespace = path.split_once('/').map(|(namespace, _)| namespace);
    for reference in value["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
        let uid = reference["uid"].as_str().unwrap_or_default().to_owned();
        let owner = api
            .store
            .place(&uid)
            .filter(|(_, path)| {
                // An owner lives in the same namespace or in none.
                path.split_once('/').is_none_or(|(home, _)| Some(home) == namespace)
            })
            .and_then(|(resource, path)| api.store.get(&resource, &path));
        match owner {
            None => owners.gone.push(uid),
            Some(owner) if waits(&owner) => owners.waiting.push(uid),
            Some(_) => owners.solid.push(uid),
        }
    }
    owners
}

/// Whether an owner is only there until its dependents are gone.
fn waits(owner: &Object) -> bool {
    owner.meta.deleting
        && owner.value()["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|f| f.iter().any(|f| f == FOREGROUND))
}

/// Whether a dependent must go before its owner does.
fn blocks(dependent: &Object, owner: &str) -> bool {
    dependent.value()["metadata"]["ownerReferences"]
        .as_array()
        .is_some_and(|all| all.iter().any(|o| o["uid"] == owner && o["blockOwnerDeletion"] == true))
}

/// That somebody else was faster is no failure.
fn harmless(result: Served<()>) -> Served<()> {
    result.or_else(|refused: Box<Refused>| match refused.code {
        404 | 409 => Ok(()),
        _ => Err(refused),
    })
}
