//! What a namespace or a definition takes with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{owner, target};
use crate::api::Api;
use crate::catalog::{DEFINITIONS, NAMESPACES, set_condition};
use crate::object::{CLEANUP, DeleteOptions, now};
use crate::status::Served;

/// What is left after everything was asked to go.
#[derive(Debug, Default)]
struct Rest {
    /// Objects by resource.
    objects: BTreeMap<String, usize>,
    /// Objects by what holds them.
    finalizers: BTreeMap<String, usize>,
}

/// Deletes what lives in a namespace, then lets the namespace go.
pub(super) fn empty_namespace(api: &Api, namespace: &str) -> Served<()> {
    let Some(home) = api.store.get(NAMESPACES, namespace).filter(|o| o.meta.deleting) else {
        return Ok(());
    };
    let index = api.catalog.index();
    let mut rest = Rest::default();
    for resource in api.store.resources() {
        if index.stored(&resource).is_some_and(|r| r.namespaced) {
            empty(api, &resource, &format!("{namespace}/"), &mut rest)?;
        }
    }
    let Some(target) = target(api, NAMESPACES, namespace) else { return Ok(()) };
    let done = rest.objects.is_empty();
    if done && home.value()["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    if !done {
        return api.amend_as_controller(&target, "status", |object| {
            describe(&mut object["status"], &rest);
        });
    }
    api.amend(&target, |object| {
        if let Some(all) = object["spec"]["finalizers"].as_array_mut() {
            all.retain(|f| f != "kubernetes");
        }
    })
}

/// Deletes the instances of a definition, then lets the definition go.
pub(super) fn empty_definition(api: &Api, name: &str) -> Served<()> {
    let Some(definition) = api.store.get(DEFINITIONS, name).filter(|o| o.meta.deleting) else {
        return Ok(());
    };
    let definition = definition.value();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resource = format!(
        "{}/{}",
        text(&definition["spec"]["group"]),
        text(&definition["spec"]["names"]["plural"])
    );
    let mut rest = Rest::default();
    empty(api, &resource, "", &mut rest)?;
    if rest.objects.is_empty() {
        return owner::release(api, DEFINITIONS, name, CLEANUP);
    }
    let Some(target) = target(api, DEFINITIONS, name) else { return Ok(()) };
    api.amend(&target, |object| {
        let condition = json!({
            "type": "Terminating",
            "status": "True",
            "reason": "InstanceDeletionInProgress",
            "message": "CustomResource deletion is in progress",
        });
        set_condition(&mut object["status"], condition, &now());
    })
}

fn empty(api: &Api, resource: &str, prefix: &str, rest: &mut Rest) -> Served<()> {
    for (path, object) in api.store.all(resource, prefix) {
        let Some(target) = target(api, resource, &path) else { continue };
        if !object.meta.deleting {
            let options = DeleteOptions {
                propagation: Some("Background".to_owned()),
                ..DeleteOptions::default()
            };
            match api.delete_blocking(&target, &options) {
                Err(refused) if refused.code >= 500 => return Err(refused),
                // A 404 is what was wanted; anything else shows in what is left.
                Ok(_) | Err(_) => {}
            }
        }
        if let Some(left) = api.store.get(resource, &path) {
            // kube-controller-manager names the resource and its group, also if it has none.
            let (group, name) = resource.split_once('/').unwrap_or(("", resource));
            let plural = format!("{name}.{group}");
            *rest.objects.entry(plural).or_default() += 1;
            let left = left.value();
            for finalizer in left["metadata"]["finalizers"].as_array().into_iter().flatten() {
                let name = finalizer.as_str().unwrap_or_default().to_owned();
                *rest.finalizers.entry(name).or_default() += 1;
            }
        }
    }
    Ok(())
}

/// The conditions of a namespace that cannot go yet, as kube-controller-manager words them.
fn describe(status: &mut Value, rest: &Rest) {
    let list = |counts: &BTreeMap<String, usize>, between: &str, after: &str| {
        let parts: Vec<_> =
            counts.iter().map(|(name, n)| format!("{name}{between}{n}{after}")).collect();
        parts.join(", ")
    };
    let objects = list(&rest.objects, " has ", " resource instances");
    let finalizers = list(&rest.finalizers, " in ", " resource instances");
    let held = if finalizers.is_empty() {
        ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
    } else {
        (
            "True",
            "SomeFinalizersRemain",
            format!("Some content in the namespace has finalizers remaining: {finalizers}"),
        )
    };
    let fine = |reason, message: &str| ("False", reason, message.to_owned());
    let conditions = [
        (
            "NamespaceDeletionDiscoveryFailure",
            fine("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            fine("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            fine(
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            ("True", "SomeResourcesRemain", format!("Some resources are remaining: {objects}")),
        ),
        ("NamespaceFinalizersRemaining", held),
    ];
    for (kind, (state, reason, message)) in conditions {
        let condition =
            json!({"type": kind, "status": state, "reason": reason, "message": message});
        set_condition(status, condition, &now());
    }
    if let Some(all) = status["conditions"].as_array_mut() {
        all.sort_by_key(|it| it["type"].to_string());
    }
}
