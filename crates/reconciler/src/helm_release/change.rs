//! Objects of a release, created, changed and deleted by Helm 3's rules.

use std::collections::HashSet;

use apply::{Cluster, Entry, PatchKind, Propagation, Refusal};
use helm::patch::{self, BuiltIn};
use jiff::Timestamp;
use serde_json::Value;

use super::GROUP;
use super::log::Log;
use super::object::{self, Object};

/// Annotation: an object that stays when its release goes.
const POLICY: &str = "helm.sh/resource-policy";

/// Where objects are changed, and when.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) now: Timestamp,
}

/// Which objects of the cluster a change starts from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// Objects are replaced, not patched.
    pub(super) force: bool,
    /// Custom resources are compared with what they are, too.
    pub(super) with_live: bool,
    /// Objects are applied by the API server, whatever they were.
    pub(super) applies: bool,
}

/// What was changed, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) created: Vec<Entry>,
    pub(super) updated: Vec<Entry>,
    pub(super) deleted: usize,
}

impl Site<'_> {
    /// Creates objects; all are tried.
    pub(super) async fn create(self, objects: &[Object], log: &mut Log) -> Result<(), String> {
        log.say(self.now, format!("creating {} resource(s)", objects.len()));
        if objects.is_empty() {
            return Err("no objects visited".to_owned());
        }
        let create = |object: &Object| {
            let value = object.value.clone();
            async move { self.cluster.create(&value).await }
        };
        let results = object::each(objects, create).await;
        let errors: Vec<String> =
            results.into_iter().filter_map(|it| it.err().map(|why| why.to_string())).collect();
        if errors.is_empty() { Ok(()) } else { Err(object::listed(&errors)) }
    }

    /// Brings objects from `original` to `target`: creates what is not there, changes what is, and
    /// deletes what is no longer wanted.
    pub(super) async fn update(
        self,
        original: &[Object],
        target: &[Object],
        way: Way,
        log: &mut Log,
    ) -> (Changed, Result<(), String>) {
        let mut changed = Changed::default();
        let result = self.update_all(original, target, (way, log), &mut changed).await;
        (changed, result)
    }

    async fn update_all(
        self,
        original: &[Object],
        target: &[Object],
        (way, log): (Way, &mut Log),
        changed: &mut Changed,
    ) -> Result<(), String> {
        log.say(self.now, format!("checking {} resources for changes", target.len()));
        let mut errors = Vec::new();
        for object in target {
            let live = self.cluster.get(&object.entry).await;
            let live =
                live.map_err(|why| format!("could not get information about the resource: {why}"))?;
            let Some(live) = live else {
                changed.created.push(object.entry.clone());
                let created = if way.applies {
                    self.cluster.apply(&object.value).await
                } else {
                    self.cluster.create(&object.value).await
                };
                created.map_err(|why| format!("failed to create resource: {why}"))?;
                let (kind, name) = (object.kind(), object.name());
                let namespace = &object.id().namespace;
                log.say(self.now, format!("Created a new {kind} called {name:?} in {namespace}\n"));
                continue;
            };
            let old = original.iter().find(|old| old.id() == object.id());
            let Some(old) = old else {
                let (kind, name) = (object.kind(), object.name());
                return Err(format!("no {kind} with the name {name:?} found"));
            };
            changed.updated.push(object.entry.clone());
            if let Err(why) = self.change(old, object, (&live, way), log).await {
                let name = object.name();
                log.say(self.now, format!("error updating the resource {name:?}:\n\t {why}"));
                errors.push(why);
            }
        }
        if !errors.is_empty() {
            return Err(errors.join(" && "));
        }
        let wanted: HashSet<_> = target.iter().map(Object::id).collect();
        for object in original.iter().filter(|object| !wanted.contains(object.id())) {
            changed.deleted += usize::from(self.drop(object, log).await);
        }
        Ok(())
    }

    /// Changes one object.
    async fn change(
        self,
        old: &Object,
        new: &Object,
        (live, way): (&Value, Way),
        log: &mut Log,
    ) -> Result<(), String> {
        let (kind, name) = (new.kind(), new.name());
        if way.applies {
            return self.apply(new, log).await;
        }
        if way.force {
            let replaced = self.cluster.replace(&new.value).await;
            replaced.map_err(|why| format!("failed to replace object: {why}"))?;
            log.say(self.now, format!("Replaced {name:?} with kind {kind} for kind {kind}"));
            return Ok(());
        }
        let (how, patch) = patch_of(&old.value, &new.value, live, way.with_live);
        if patch.as_object().is_none_or(serde_json::Map::is_empty) {
            log.say(self.now, format!("Looks like there are no changes for {kind} {name:?}"));
            return Ok(());
        }
        let namespace = &new.id().namespace;
        log.say(self.now, format!("Patch {kind} {name:?} in namespace {namespace}"));
        let patched = self.cluster.patch_with(&new.entry, how, &patch).await;
        patched.map(drop).map_err(|why| format!("cannot patch {name:?} with kind {kind}: {why}"))
    }

    /// Has the API server bring one object to what it shall be. What this controller or stock helm
    /// has written without that counts as applied, so that what is no longer wanted goes.
    async fn apply(self, new: &Object, log: &mut Log) -> Result<(), String> {
        let options = apply::Options {
            group: GROUP.to_owned(),
            force: false,
            concurrency: 1,
            override_managers: vec!["helm".to_owned()],
        };
        let compared = self.cluster.compare(vec![new.value.clone()], &options).await;
        let written = self.cluster.write(compared.map_err(|why| why.to_string())?).await;
        let (kind, name) = (new.kind(), new.name());
        match written.error {
            None => {
                log.say(self.now, format!("Applied {kind} {name:?} by server-side apply"));
                Ok(())
            }
            Some(why) => Err(format!("cannot apply {name:?} with kind {kind}: {why}")),
        }
    }

    /// Deletes an object that is no longer wanted, unless it says that it stays; failures are told
    /// in the log only.
    async fn drop(self, object: &Object, log: &mut Log) -> bool {
        let (kind, name, namespace) = (object.kind(), object.name(), &object.id().namespace);
        log.say(self.now, format!("Deleting {kind} {name:?} in namespace {namespace}..."));
        let live = match self.cluster.get(&object.entry).await {
            Ok(Some(live)) => live,
            Ok(None) => return false,
            Err(why) => {
                log.say(self.now, format!("Unable to get obj {name:?}, err: {why}"));
                return false;
            }
        };
        if is_kept(&live) {
            let why = format!("due to annotation [{POLICY}=keep]");
            log.say(self.now, format!("Skipping delete of {name:?} {why}"));
            return false;
        }
        match self.cluster.delete_with(&object.entry, Propagation::Background).await {
            Ok(()) => true,
            Err(why) => {
                log.say(self.now, format!("Failed to delete {name:?}, err: {why}"));
                false
            }
        }
    }

    /// Deletes objects, all of them; what is gone already counts as deleted.
    pub(super) async fn delete(
        self,
        objects: &[Object],
        propagation: Propagation,
        log: &mut Log,
    ) -> Result<(), Vec<String>> {
        for object in objects {
            log.say(self.now, format!("Starting delete for {:?} {}", object.name(), object.kind()));
        }
        let delete = |object: &Object| {
            let entry = object.entry.clone();
            async move { self.cluster.delete_with(&entry, propagation).await }
        };
        let results = object::each(objects, delete).await;
        let real = |it: Result<(), Refusal>| it.err().filter(|why| !why.is_not_found());
        let errors: Vec<String> =
            results.into_iter().filter_map(real).map(|why| why.to_string()).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Those of some objects that exist already, which the release takes over.
    ///
    /// # Errors
    /// One that belongs to somebody else, if ownership is not simply taken.
    pub(super) async fn existing(
        self,
        objects: &[Object],
        owner: Option<(&str, &str)>,
    ) -> Result<Vec<Object>, String> {
        let mut found = Vec::new();
        for object in objects {
            let live = self.cluster.get(&object.entry).await.map_err(|why| {
                let told = object.told();
                format!("could not get information about the resource {told}: {why}")
            })?;
            let Some(live) = live else { continue };
            if let Some((name, namespace)) = owner {
                object::ownership(&live, name, namespace).map_err(|why| {
                    let told = object.told();
                    format!("{told} exists and cannot be imported into the current release: {why}")
                })?;
            }
            found.push(object.clone());
        }
        Ok(found)
    }
}

/// The patch from an old manifest and what is to a new one.
pub(super) fn patch_of(
    old: &Value,
    new: &Value,
    live: &Value,
    three_way: bool,
) -> (PatchKind, Value) {
    let text = |field: &str| new[field].as_str().unwrap_or_default();
    match BuiltIn::of(text("apiVersion"), text("kind")) {
        Some(fields) => (PatchKind::Strategic, patch::strategic(old, new, live, &fields)),
        None if three_way => (PatchKind::Merge, patch::three_way_merge(old, new, live)),
        None => (PatchKind::Merge, patch::merge(old, new)),
    }
}

/// Whether an object stays when its release no longer has it.
pub(super) fn is_kept(live: &Value) -> bool {
    live["metadata"]["annotations"][POLICY] == "keep"
}

/// Whether the annotation of a manifest keeps its object when the release is uninstalled; nothing if
/// there is none.
pub(super) fn policy(head: &helm::manifest::Head) -> Option<bool> {
    let policy = head.annotation(POLICY)?;
    Some(policy.trim().eq_ignore_ascii_case("keep"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn custom_resources_are_compared_with_the_old_manifest_only() {
        let of =
            |kind: &str, data: Value| json!({"apiVersion": "e.com/v1", "kind": kind, "spec": data});
        let (old, live) = (of("X", json!({"a": 1})), of("X", json!({"a": 2})));
        let (how, patch) = patch_of(&old, &old, &live, false);
        assert_eq!((how, patch), (PatchKind::Merge, json!({})));
        let (_, patch) = patch_of(&old, &old, &live, true);
        assert_eq!(patch, json!({"spec": {"a": 1}}));
    }

    #[test]
    fn built_in_kinds_are_brought_back() {
        let of =
            |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": value}});
        let (how, patch) = patch_of(&of("a"), &of("a"), &of("edited"), false);
        assert_eq!((how, patch), (PatchKind::Strategic, json!({"data": {"k": "a"}})));
    }
}
