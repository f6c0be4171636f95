//! Deletion: at once, or marked and left to finalizers and the collector.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Target, Write, form, kind, meta, namespace, now};
use crate::admission::Operation;
use crate::api::Api;
use crate::catalog::{DEFINITIONS, NAMESPACES, set_condition};
use crate::fields;
use crate::status::{About, Refused, Served};
use crate::store::{self, Draft, Object, Refusal};
use crate::user::User;

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
/// What keeps a deleted object until its dependents are let go.
pub(crate) const ORPHAN: &str = "orphan";
/// What keeps a deleted object until its dependents are gone.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// What keeps a deleted definition until its instances are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
/// The manager of what controllers change.
const CONTROLLERS: &str = "kube-controller-manager";
/// How long a Pod on a Node may take to end, in seconds, if it does not say.
const POD_GRACE: i64 = 30;

/// The body of a DELETE.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    /// Everything but deleting.
    pub(crate) dry_run: bool,
    /// `Orphan`, `Background` or `Foreground`.
    pub(crate) propagation: Option<String>,
    /// How long the object may take to end, in seconds.
    pub(crate) grace: Option<i64>,
    /// The uid that the object must have.
    pub(crate) uid: Option<String>,
    /// Who asks; nobody if the server itself does.
    pub(crate) user: Option<Arc<User>>,
    /// The revision that the object must be at.
    pub(crate) revision: Option<String>,
}

/// What a deletion came to.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Object>),
    /// The object is going.
    Going(Arc<Object>),
}

enum Step {
    /// The last state; the first is one that tells of the end and is seen before.
    End(Value),
    Remove(Value),
    Mark(Value),
    Wait,
}

impl Api {
    /// Deletes one object, or starts to.
    pub(crate) async fn delete(&self, target: &Target, options: &DeleteOptions) -> Served<Deleted> {
        self.ask_about_deletion(target, options).await?;
        loop {
            let (live, step) = self.decide_delete(target, options)?;
            let Some(change) = deletion(target, &live, &step) else {
                return Ok(Deleted::Going(live));
            };
            if options.dry_run {
                if change.delete || matches!(step, Step::End(_)) {
                    return Ok(Deleted::Gone(live));
                }
                let going = change.draft.seal(live.revision);
                return Ok(Deleted::Going(Arc::new(going)));
            }
            let delete = change.delete;
            match self.store.commit(change).await {
                Ok(_) if matches!(step, Step::End(_)) => {}
                Ok(event) => return Ok(deleted(event.object.clone(), delete)),
                Err(Refusal::Moved) => {}
                Err(refusal) => return Err(target.refused(refusal)),
            }
        }
    }

    /// Asks webhooks about a deletion.
    async fn ask_about_deletion(&self, target: &Target, options: &DeleteOptions) -> Served<()> {
        let Some(live) = self.store.get(&target.resource.store, &target.path()) else {
            return Ok(());
        };
        let write =
            Write { dry_run: options.dry_run, user: options.user.clone(), ..Write::default() };
        let (live, mut nothing) = (form::in_version(&target.resource, &live), Value::Null);
        self.let_mutate(target, Operation::Delete, (&mut nothing, &live), &write).await?;
        let asked = (Operation::Delete, &Value::Null, &live);
        self.ask_webhooks(target, asked, &write).await.map(drop)
    }

    /// [`Api::delete`] for the collector's thread.
    pub(crate) fn delete_blocking(
        &self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Served<Deleted> {
        loop {
            let (live, step) = self.decide_delete(target, options)?;
            let Some(change) = deletion(target, &live, &step) else {
                return Ok(Deleted::Going(live));
            };
            let delete = change.delete;
            match self.store.commit_blocking(change) {
                Ok(_) if matches!(step, Step::End(_)) => {}
                Ok(event) => return Ok(deleted(event.object.clone(), delete)),
                Err(Refusal::Moved) => {}
                Err(refusal) => return Err(target.refused(refusal)),
            }
        }
    }

    /// Changes an object from inside, without the rules for users; deletes it if nothing holds it
    /// any more.
    pub(crate) fn amend(&self, target: &Target, change: impl Fn(&mut Value)) -> Served<()> {
        loop {
            let live = self
                .store
                .get(&target.resource.store, &target.path())
                .ok_or_else(|| Refused::not_found(target.about()))?;
            let mut value = live.value();
            change(&mut value);
            if value == live.value() {
                return Ok(());
            }
            let change = store::Change {
                resource: target.resource.store.clone(),
                path: target.path(),
                expect: Some(live.revision),
                within: None,
                draft: Draft::new(&value),
                delete: is_last(target, &value),
            };
            match self.store.commit_blocking(change) {
                Ok(_) => return Ok(()),
                Err(Refusal::Moved) => {}
                Err(refusal) => return Err(target.refused(refusal)),
            }
        }
    }

    /// [`Api::amend`] of what kube-controller-manager would be told as the manager of.
    pub(crate) fn amend_as_controller(
        &self,
        target: &Target,
        subresource: &str,
        change: impl Fn(&mut Value),
    ) -> Served<()> {
        self.amend(target, |object| {
            let old = object.clone();
            change(object);
            if *object == old {
                return;
            }
            let how = fields::Update {
                manager: CONTROLLERS,
                api_version: &target.resource.stored_as,
                subresource,
                reset: &[],
                now: jiff::Timestamp::now(),
            };
            fields::update(Some(&old), object, &target.resource.fields, &how);
        })
    }

    fn decide_delete(
        &self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Served<(Arc<Object>, Step)> {
        let live = self
            .store
            .get(&target.resource.store, &target.path())
            .ok_or_else(|| Refused::not_found(target.about()))?;
        if target.resource.is(NAMESPACES) && IMMORTAL.contains(&target.name.as_str()) {
            return Err(Refused::forbidden(
                namespace(&target.name),
                "this namespace may not be deleted",
            ));
        }
        let value = live.value();
        check_preconditions(target.about_kind(), &value, options)?;
        let write =
            Write { user: options.user.clone(), dry_run: options.dry_run, ..Write::default() };
        self.admit(target, (Operation::Delete, &Value::Null, &value), &write)?;
        Ok((live, step(target, &value, options)))
    }
}

fn deleted(object: Arc<Object>, gone: bool) -> Deleted {
    if gone { Deleted::Gone(object) } else { Deleted::Going(object) }
}

/// The change that a step of deleting makes, if any.
fn deletion(target: &Target, live: &Object, step: &Step) -> Option<store::Change> {
    let draft = match step {
        Step::Wait => return None,
        Step::End(value) | Step::Remove(value) | Step::Mark(value) => Draft::new(value),
    };
    Some(store::Change {
        resource: target.resource.store.clone(),
        path: target.path(),
        expect: Some(live.revision),
        within: None,
        draft,
        delete: matches!(step, Step::Remove(_)),
    })
}

/// Whether nothing holds an object back any more that is being deleted.
pub(super) fn is_last(target: &Target, object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata["deletionTimestamp"].is_string()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && meta::finalizers(metadata).is_empty()
        && !kind::held(target, object)
}

fn check_preconditions(about: About<'_>, live: &Value, options: &DeleteOptions) -> Served<()> {
    let metadata = &live["metadata"];
    for (what, key, wanted, perhaps) in [
        ("UID", "uid", &options.uid, "deleted and then recreated"),
        ("ResourceVersion", "resourceVersion", &options.revision, "modified"),
    ] {
        let found = metadata[key].as_str().unwrap_or_default();
        if let Some(wanted) = wanted
            && wanted != found
        {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {perhaps}"
            );
            return Err(Refused::conflict(about, &why));
        }
    }
    Ok(())
}

fn step(target: &Target, live: &Value, options: &DeleteOptions) -> Step {
    let mut new = live.clone();
    let finalizers = wanted_finalizers(target, live, options);
    if let Some(metadata) = new["metadata"].as_object_mut() {
        if finalizers.is_empty() {
            metadata.shift_remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), json!(finalizers));
        }
    }
    let grace = grace(target, live, options);
    let held = grace > 0 || !finalizers.is_empty() || kind::held(target, &new);
    if !held {
        if !target.resource.is("/pods") {
            return Step::Remove(live.clone());
        }
        // The last state of a Pod tells that it was deleted, and watchers see it before.
        let is_marked = live["metadata"]["deletionTimestamp"].is_string();
        mark(&mut new, grace);
        return if is_marked { Step::Remove(new) } else { Step::End(new) };
    }
    mark(&mut new, grace);
    if target.resource.is(NAMESPACES) {
        if let Some(metadata) = new["metadata"].as_object_mut() {
            metadata.shift_remove("deletionGracePeriodSeconds");
        }
        new["status"]["phase"] = json!("Terminating");
    }
    if target.resource.is(DEFINITIONS) && is_alive(live) {
        if let Some(metadata) = new["metadata"].as_object_mut() {
            metadata.shift_remove("deletionGracePeriodSeconds");
            metadata.insert("generation".to_owned(), live["metadata"]["generation"].clone());
        }
        let pending = json!({
            "type": "Terminating",
            "status": "True",
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will \
                        begin soon",
        });
        set_condition(&mut new["status"], pending, &now());
    }
    if *live == new { Step::Wait } else { Step::Mark(new) }
}

/// Sets the time of deletion, once; a later wish can only shorten the grace.
fn mark(object: &mut Value, grace: i64) {
    let metadata = &mut object["metadata"];
    if metadata["deletionTimestamp"].is_string() {
        if metadata.get("deletionGracePeriodSeconds").is_none() {
            return;
        }
        let before = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        metadata["deletionGracePeriodSeconds"] = json!(before.min(grace));
        return;
    }
    let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(grace);
    metadata["deletionTimestamp"] = if grace == 0 {
        json!(now())
    } else {
        json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    };
    metadata["deletionGracePeriodSeconds"] = json!(grace);
    if let Some(generation) = metadata["generation"].as_i64() {
        metadata["generation"] = json!(generation + 1);
    }
}

/// Only Pods that run on a Node get time: somebody there confirms the end.
fn grace(target: &Target, live: &Value, options: &DeleteOptions) -> i64 {
    let running = target.resource.is("/pods")
        && live["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty())
        && !matches!(live["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !running {
        return 0;
    }
    let own = live["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(POD_GRACE);
    options.grace.unwrap_or(own).max(0)
}

/// Whether the dependents of a resource stay if the request says nothing.
fn keeps_dependents(target: &Target) -> bool {
    target.resource.is("batch/jobs") || target.resource.is("/replicationcontrollers")
}

fn is_alive(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_string()
}

fn wanted_finalizers(target: &Target, live: &Value, options: &DeleteOptions) -> Vec<String> {
    let mut finalizers: Vec<String> =
        meta::finalizers(&live["metadata"]).into_iter().map(ToOwned::to_owned).collect();
    let policy = match options.propagation.as_deref() {
        Some("Orphan") => Some(Some(ORPHAN)),
        Some("Foreground") => Some(Some(FOREGROUND)),
        Some(_) => Some(None),
        // What these made stays behind, if nothing else is wished.
        None if keeps_dependents(target) && finalizers.is_empty() && is_alive(live) => {
            Some(Some(ORPHAN))
        }
        None => None,
    };
    if let Some(wanted) = policy {
        finalizers.retain(|f| f != ORPHAN && f != FOREGROUND);
        finalizers.extend(wanted.map(ToOwned::to_owned));
    }
    if target.resource.is(DEFINITIONS)
        && !live["metadata"]["deletionTimestamp"].is_string()
        && !finalizers.iter().any(|f| f == CLEANUP)
    {
        finalizers.push(CLEANUP.to_owned());
    }
    finalizers
}
