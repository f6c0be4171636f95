//! Updates: every one is a comparison of the live state with a wanted one, repeated when it lost a race.

use serde_json::{Value, json};

use super::delete::is_last;
use super::{Outcome, Target, Write, carry, escalation, form, kind, meta, metadata, text};
use crate::admission::Operation;
use crate::api::Api;
use crate::fields;
use crate::schema::{FieldError, FieldErrorKind, go};
use crate::status::{Refused, Served};
use crate::store::{self, Draft, Object, Refusal};

/// How often a patch is tried again when the object changes under it.
const TRIES: usize = 50;

/// Makes the wanted state from the live one, both in the version of the request.
pub(crate) trait Change: Sync {
    /// The wanted state.
    fn wanted(&self, live: &Value) -> Served<Value>;

    /// The state to create when there is no object; by default it must exist.
    fn created(&self) -> Option<Served<Value>> {
        None
    }

    /// Whether the wanted state is the live one, patched.
    fn is_patch(&self) -> bool {
        false
    }

    /// What to say of a wanted state that cannot be read.
    fn explain(&self, refused: Box<Refused>) -> Box<Refused> {
        refused
    }

    /// Whether the managed fields are already those of the wanted state, as after an apply.
    fn tracks_itself(&self) -> bool {
        false
    }
}

impl Api {
    /// Brings an object into the state that `change` makes of it.
    pub(crate) async fn update(
        &self,
        target: &Target,
        change: &dyn Change,
        write: &Write,
    ) -> Served<Outcome> {
        for _ in 0..TRIES {
            let Some(live) = self.store.get(&target.resource.store, &target.path()) else {
                return match change.created() {
                    Some(body) => self.create_by_update(target, body?, change, write).await,
                    None => Err(Refused::not_found(target.about())),
                };
            };
            match self.attempt(target, &live, change, write).await? {
                Attempt::Done(outcome) => return Ok(outcome),
                Attempt::Lost => {}
            }
        }
        Err(Refused::modified(target.about()))
    }

    async fn create_by_update(
        &self,
        target: &Target,
        body: Value,
        change: &dyn Change,
        write: &Write,
    ) -> Served<Outcome> {
        if !target.subresource.is_empty() {
            return Err(Refused::not_found(target.about()));
        }
        if text(&body["metadata"], "name").is_none() {
            let how = if change.tracks_itself() { "applied " } else { "" };
            return Err(Refused::bad_request(format!(
                "the name of the object ({how}based on URL) was undeterminable: name must be provided"
            )));
        }
        if let Some(uid) = text(&body["metadata"], "uid") {
            let why = if change.tracks_itself() {
                format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                )
            } else {
                format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ")
            };
            return Err(Refused::conflict(target.about(), &why));
        }
        self.create_as(target, body, write, change.tracks_itself()).await
    }

    async fn attempt(
        &self,
        target: &Target,
        live: &std::sync::Arc<Object>,
        change: &dyn Change,
        write: &Write,
    ) -> Served<Attempt> {
        let old = form::in_version(&target.resource, live);
        let mut new = change.wanted(&old)?;
        let decoded = form::decode(target, &mut new, write, change.is_patch());
        let mut warnings = decoded.map_err(|refused| change.explain(refused))?;
        check_place(target, &old, &mut new)?;
        if !change.tracks_itself() {
            form::track_update(target, &old, &mut new, write);
        }
        let mutated = self.let_mutate(target, Operation::Update, (&mut new, &old), write).await?;
        warnings.extend(mutated);
        prepare(self, target, &old, &mut new)?;
        escalation::check(self, target, (&new, Some(&old)), write.user.as_deref())?;
        bump_generation(target, &old, &mut new);
        let mut errors = meta::validate(&target.resource, &new);
        let found = meta::validate_update(&old, &new);
        // kube-apiserver finds what is wrong with the metadata twice.
        errors.extend(found.clone());
        errors.extend(found);
        errors.extend(form::validate(target, &new, Some(&old)));
        errors.extend(kind::validate(target, &new, Some(&old)));
        if !errors.is_empty() {
            return Err(Refused::invalid(target.about_kind(), &errors));
        }
        warnings.extend(self.admit(target, (Operation::Update, &new, &old), write)?);
        let asked = (Operation::Update, &new, &old);
        warnings.extend(self.ask_webhooks(target, asked, write).await?);
        warnings.extend(form::warnings(target, &new));
        let done = |object| Attempt::Done(Outcome { object, created: false, warnings });
        if fields::same_but_times(&old, &new) {
            return Ok(done(live.clone()));
        }
        let delete = is_last(target, &new);
        form::store(&target.resource, &mut new);
        if write.dry_run {
            return Ok(done(std::sync::Arc::new(Draft::new(&new).seal(live.revision))));
        }
        let change = store::Change {
            resource: target.resource.store.clone(),
            path: target.path(),
            expect: Some(live.revision),
            within: None,
            draft: Draft::new(&new),
            delete,
        };
        match self.store.commit(change).await {
            // What is deleted by this is answered as it was stored last.
            Ok(_) if delete => Ok(done(std::sync::Arc::new(Draft::new(&new).seal(live.revision)))),
            Ok(event) => Ok(done(event.object.clone())),
            Err(Refusal::Moved | Refusal::Gone) => Ok(Attempt::Lost),
            Err(refusal) => Err(target.refused(refusal)),
        }
    }
}

enum Attempt {
    Done(Outcome),
    Lost,
}

/// Checks that the wanted state is of this object, and of this revision of it.
fn check_place(target: &Target, old: &Value, new: &mut Value) -> Served<()> {
    let metadata = metadata(new)?;
    match metadata.get("name").and_then(Value::as_str).unwrap_or_default() {
        "" => {
            return Err(Refused::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                target.name
            )));
        }
        name if name != target.name => return Err(meta::name_mismatch(name, &target.name)),
        _ => {}
    }
    match metadata.get("namespace").and_then(Value::as_str).unwrap_or_default() {
        "" if target.resource.namespaced => {
            metadata.insert("namespace".to_owned(), json!(target.namespace));
        }
        namespace if namespace != target.namespace => {
            return Err(Refused::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        _ => {}
    }
    if let Some(uid) = metadata.get("uid").and_then(Value::as_str).filter(|u| !u.is_empty())
        && old["metadata"]["uid"] != uid
    {
        let live = old["metadata"]["uid"].as_str().unwrap_or_default();
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {live}",
            registry(target)
        );
        return Err(Refused::conflict(target.about(), &why));
    }
    let revision = metadata.get("resourceVersion").and_then(Value::as_str).unwrap_or_default();
    if revision.is_empty() || revision == "0" {
        if !kind::unconditional_update(&target.resource) {
            let error = FieldError {
                field: "metadata.resourceVersion".to_owned(),
                kind: FieldErrorKind::Invalid,
                bad_value: "0".to_owned(),
                detail: "must be specified for an update".to_owned(),
            };
            return Err(Refused::invalid(target.about(), &[error]));
        }
    } else if revision.parse::<u64>().is_err() {
        let why = format!("strconv.ParseUint: parsing {}: invalid syntax", go::quote(revision));
        return Err(Refused::untyped(&why));
    } else if old["metadata"]["resourceVersion"] != revision {
        return Err(Refused::modified(target.about()));
    }
    Ok(())
}

/// Takes back from the live state what this request may not change.
fn prepare(api: &Api, target: &Target, old: &Value, new: &mut Value) -> Served<()> {
    let resource = &target.resource;
    if target.subresource == "status" {
        let status = new.get("status").cloned();
        let fields = new["metadata"].get("managedFields").cloned();
        let told = new["metadata"].take();
        *new = old.clone();
        if resource.custom().is_none() {
            keep_told(target, old, told, new);
        }
        match (status, new.as_object_mut()) {
            (Some(status), Some(members)) => {
                members.insert("status".to_owned(), status);
            }
            (None, Some(members)) => {
                members.shift_remove("status");
            }
            (_, None) => {}
        }
        if let Some(fields) = fields {
            new["metadata"]["managedFields"] = fields;
        }
    } else if resource.status
        && let Some(members) = new.as_object_mut()
    {
        carry(old, members, "status");
    }
    let live = &old["metadata"];
    let metadata = metadata(new)?;
    metadata.shift_remove("selfLink");
    for key in ["generation", "uid", "creationTimestamp", "deletionTimestamp"] {
        carry(live, metadata, key);
    }
    carry(live, metadata, "deletionGracePeriodSeconds");
    carry(live, metadata, "resourceVersion");
    if live.get("generateName").is_some() {
        carry(live, metadata, "generateName");
    }
    kind::before_update(api, target, old, new);
    Ok(())
}

/// By way of the status of built-in kinds, `metadata` can be changed too, but for what a kind guards.
fn keep_told(target: &Target, old: &Value, told: Value, new: &mut Value) {
    new["metadata"] = told;
    let guarded = match &*target.resource.store {
        "apps/deployments" => "labels",
        "/pods" => "ownerReferences",
        _ => return,
    };
    if let Some(metadata) = new["metadata"].as_object_mut() {
        carry(&old["metadata"], metadata, guarded);
    }
}

/// Counts up `metadata.generation` when what the user wants has changed.
fn bump_generation(target: &Target, old: &Value, new: &mut Value) {
    if target.subresource == "status" || !kind::has_generation(&target.resource) {
        return;
    }
    let differs = |key: &str| old.get(key) != new.get(key);
    let ignored = |key: &str| {
        matches!(key, "apiVersion" | "kind" | "metadata")
            || (key == "status" && target.resource.status)
    };
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
    };
    let changed = keys(old).into_iter().chain(keys(new)).any(|key| !ignored(&key) && differs(&key));
    // The annotations of a Deployment are passed on to its ReplicaSets.
    let told = target.resource.is("apps/deployments")
        && old["metadata"]["annotations"] != new["metadata"]["annotations"];
    // The labels of an EndpointSlice tell what it is for.
    let relabelled = target.resource.is("discovery.k8s.io/endpointslices")
        && old["metadata"]["labels"] != new["metadata"]["labels"];
    let changed = changed || told || relabelled;
    if changed {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        new["metadata"]["generation"] = json!(generation);
    }
}

/// The key under which etcd would hold the object, as messages show it.
fn registry(target: &Target) -> String {
    let resource = &target.resource;
    let group =
        if resource.custom().is_some() { format!("{}/", resource.group) } else { String::new() };
    format!("/registry/{group}{}/{}", resource.plural, target.path())
}
