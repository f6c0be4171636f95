//! Writing one object: its status and its finalizers, only what differs, never over somebody else.
//!
//! The status goes to `/status` as a merge patch under the field manager of the controller. Every
//! patch names the resourceVersion it was computed from; on a conflict the object is read again and
//! what this turn changed is carried over onto it, conditions by type, everything else by field.

use api::meta::Condition;
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde_json::{Map, Value, json};
use std::error::Error as _;

use crate::condition;

/// How often a patch is tried on newer versions of the object (upstream: 5).
const ATTEMPTS: usize = 5;

/// Takes note of an object as the API server answered it.
pub(crate) type Note = Box<dyn Fn(&Value) + Send + Sync>;

/// Writes one object.
pub(crate) struct Writer {
    client: Client,
    place: Place,
    note: Note,
    /// The object as the API server has it, as far as known.
    latest: Value,
    /// The status this turn started from or wrote last: what a new status is compared with.
    seen: Value,
}

/// Where the object is, and who writes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Path of the collection.
    pub(crate) collection: String,
    /// Name of the object.
    pub(crate) name: String,
    /// Field manager.
    pub(crate) manager: &'static str,
    /// The finalizer of its kind.
    pub(crate) finalizer: &'static str,
}

/// Why something was not written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The object is gone, or another one has its name.
    Gone,
    /// The API server refused or could not be asked.
    Refused(kube::Error),
}

impl Writer {
    /// A writer for `object`, as read.
    pub(crate) fn new(client: Client, place: Place, object: Value, note: Note) -> Self {
        let seen = object.get("status").cloned().unwrap_or_else(|| json!({}));
        Self { client, place, note, latest: object, seen }
    }

    /// The resourceVersion of the object as the API server has it, as far as known.
    pub(crate) fn version(&self) -> Option<String> {
        self.latest["metadata"]["resourceVersion"].as_str().map(str::to_owned)
    }

    /// Makes `status` the status; says whether anything had to be written.
    pub(crate) async fn status(&mut self, status: Value) -> Result<bool, Unwritten> {
        let status = without_empty_conditions(status);
        let mut conflict = None;
        for _ in 0..ATTEMPTS {
            let latest = self.latest.get("status").cloned().unwrap_or_else(|| json!({}));
            let target = rebase(&self.seen, &status, &latest);
            let Some(patch) = difference(&latest, &target) else {
                self.seen = status;
                return Ok(false);
            };
            let body = json!({
                "metadata": { "resourceVersion": self.latest["metadata"]["resourceVersion"] },
                "status": patch,
            });
            match self.send(Some("status"), &body).await {
                Ok(()) => {
                    self.seen = status;
                    return Ok(true);
                }
                Err(error) if code(&error) == Some(409) => conflict = Some(error),
                Err(error) => return Err(error.into()),
            }
            self.read_again().await?;
        }
        Err(conflict.map_or(Unwritten::Gone, Unwritten::Refused))
    }

    /// Adds the finalizer. An object that is being deleted cannot get one any more.
    pub(crate) async fn add_finalizer(&mut self) -> Result<(), Unwritten> {
        let own = self.place.finalizer;
        self.finalize(|finalizers| finalizers.push(own.to_owned()), true).await
    }

    /// Removes the finalizer.
    pub(crate) async fn remove_finalizer(&mut self) -> Result<(), Unwritten> {
        let own = self.place.finalizer;
        self.finalize(|finalizers| finalizers.retain(|f| f != own), false).await
    }

    async fn finalize(
        &mut self,
        edit: impl Fn(&mut Vec<String>),
        add: bool,
    ) -> Result<(), Unwritten> {
        let mut conflict = None;
        for _ in 0..ATTEMPTS {
            let mut finalizers = self.finalizers();
            if add == finalizers.iter().any(|f| f == self.place.finalizer) {
                return Ok(());
            }
            if add && !self.latest["metadata"]["deletionTimestamp"].is_null() {
                return Err(Unwritten::Gone);
            }
            edit(&mut finalizers);
            let body = json!({ "metadata": {
                "resourceVersion": self.latest["metadata"]["resourceVersion"],
                "finalizers": finalizers,
            }});
            match self.send(None, &body).await {
                Ok(()) => return Ok(()),
                Err(error) if code(&error) == Some(409) => conflict = Some(error),
                Err(error) => return Err(error.into()),
            }
            self.read_again().await?;
        }
        Err(conflict.map_or(Unwritten::Gone, Unwritten::Refused))
    }

    fn finalizers(&self) -> Vec<String> {
        let list = self.latest["metadata"]["finalizers"].as_array();
        list.into_iter().flatten().filter_map(|f| f.as_str().map(str::to_owned)).collect()
    }

    async fn send(&mut self, subresource: Option<&str>, body: &Value) -> kube::Result<()> {
        let request = Request::new(&self.place.collection);
        let params = PatchParams {
            field_manager: Some(self.place.manager.into()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(body);
        let request = match subresource {
            Some(part) => request.patch_subresource(part, &self.place.name, &params, &patch),
            None => request.patch(&self.place.name, &params, &patch),
        };
        let request = request.map_err(kube::Error::BuildRequest)?;
        let answer: Value = self.client.request(request).await?;
        self.take_note(answer);
        Ok(())
    }

    /// What nobody reads is not copied on: managed fields are often half of an object.
    fn take_note(&mut self, mut answer: Value) {
        if let Some(metadata) = answer["metadata"].as_object_mut() {
            metadata.shift_remove("managedFields");
        }
        (self.note)(&answer);
        self.latest = answer;
    }

    async fn read_again(&mut self) -> Result<(), Unwritten> {
        let request = Request::new(&self.place.collection)
            .get(&self.place.name, &kube::api::GetParams::default())
            .map_err(kube::Error::BuildRequest)?;
        let now: Value = self.client.request(request).await?;
        if now["metadata"]["uid"] != self.latest["metadata"]["uid"] {
            return Err(Unwritten::Gone);
        }
        self.take_note(now);
        Ok(())
    }
}

impl From<kube::Error> for Unwritten {
    fn from(error: kube::Error) -> Self {
        if code(&error) == Some(404) { Self::Gone } else { Self::Refused(error) }
    }
}

/// HTTP status code of an answer of the API server.
pub(crate) fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// What an error of the API client says, in upstream's words where it has them.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => {
            // What went wrong with a connection is said by the last of the causes only.
            let (mut text, mut cause) = (other.to_string(), other.source());
            while let Some(next) = cause {
                let said = next.to_string();
                if !text.ends_with(&said) {
                    text = format!("{text}: {said}");
                }
                cause = next.source();
            }
            text
        }
    }
}

/// The merge patch (RFC 7386) that makes `new` of `old`, if they differ.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        let change =
            before.get(key).map_or_else(|| Some(value.clone()), |old| difference(old, value));
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

/// What changed from `seen` to `want`, done to `latest`.
fn rebase(seen: &Value, want: &Value, latest: &Value) -> Value {
    let mut target = latest.clone();
    if let Some(mut patch) = difference(seen, want) {
        if let Some(fields) = patch.as_object_mut() {
            fields.remove("conditions");
        }
        merge(&mut target, &patch);
    }
    let conditions = rebase_conditions(&list(seen), &list(want), list(latest));
    if conditions != list(latest) {
        target["conditions"] = json!(conditions);
    }
    without_empty_conditions(target)
}

fn rebase_conditions(
    seen: &[Condition],
    want: &[Condition],
    mut latest: Vec<Condition>,
) -> Vec<Condition> {
    for kind in seen.iter().chain(want).map(|c| &c.type_) {
        let wanted = condition::find(want, kind);
        if condition::find(seen, kind) != wanted {
            latest.retain(|c| &c.type_ != kind);
            latest.extend(wanted.cloned());
        }
    }
    condition::sort(&mut latest);
    latest
}

fn list(status: &Value) -> Vec<Condition> {
    let conditions = status.get("conditions").cloned().unwrap_or_default();
    serde_json::from_value(conditions).unwrap_or_default()
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            if let Some(fields) = target.as_object_mut() {
                fields.shift_remove(key);
            }
        } else {
            merge(&mut target[key.as_str()], change);
        }
    }
}

/// An empty list of conditions is the same as none.
fn without_empty_conditions(mut status: Value) -> Value {
    if status["conditions"].as_array().is_some_and(Vec::is_empty)
        && let Some(fields) = status.as_object_mut()
    {
        fields.shift_remove("conditions");
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str, message: &str) -> Value {
        json!({
            "type": kind, "status": "True", "reason": "R", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    #[test]
    fn a_patch_holds_only_what_differs() {
        let old = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        let new = json!({"a": 1, "b": {"c": 4}, "e": [1, 2], "f": null});
        let patch = difference(&old, &new).unwrap();
        assert_eq!(patch, json!({"b": {"d": null, "c": 4}, "e": [1, 2], "f": null}));
        assert_eq!(difference(&old, &old), None);
    }

    #[test]
    fn changes_are_carried_over_to_a_newer_version() {
        let seen = json!({"a": 1, "b": 2, "conditions": [condition("Ready", "old")]});
        let want = json!({"a": 5, "conditions": [condition("Ready", "new")]});
        let latest = json!({
            "a": 1, "b": 2, "c": 3,
            "conditions": [condition("Ready", "old"), condition("Other", "theirs")],
        });
        let target = rebase(&seen, &want, &latest);
        assert_eq!(target["a"], 5);
        assert_eq!(target.get("b"), None);
        assert_eq!(target["c"], 3);
        let kinds: Vec<_> = list(&target).into_iter().map(|c| (c.type_, c.message)).collect();
        assert_eq!(kinds, [("Ready".into(), "new".into()), ("Other".into(), "theirs".into())]);
    }

    #[test]
    fn no_conditions_and_an_empty_list_are_the_same() {
        let seen = json!({"observedGeneration": -1});
        let want = json!({"observedGeneration": -1, "conditions": []});
        let target = rebase(&seen, &without_empty_conditions(want), &seen);
        assert_eq!(difference(&seen, &target), None);
    }
}
