//! What is known of a server, and how it is changed.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::known::{Key, Known, Object};

/// One server, as one turn sees it.
pub(super) struct Cluster {
    pub(super) known: Known,
    /// When this turn began.
    pub(super) now: Timestamp,
    client: Client,
}

impl Cluster {
    /// The server of `client`, of which nothing is known yet.
    pub(super) fn new(client: Client, now: Timestamp) -> Self {
        Self { known: Known::default(), now, client }
    }

    /// Creates an object; `None` if one of that name is there, or may not be made any more because
    /// its namespace is on its way out.
    pub(super) async fn create(&mut self, kind: Kind, mut object: Value) -> Result<Option<Object>> {
        let key = Key::of(kind, &object);
        let (api_version, name, _) = kind.names();
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(name);
        let params =
            PostParams { field_manager: Some(kind.manager().into()), ..PostParams::default() };
        let request = requests(&key).create(&params, object.to_string().into_bytes())?;
        match self.client.request::<Value>(request).await {
            Ok(made) => Ok(Some(self.seen(key, made))),
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 409) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Merges `patch` into an object; that it is gone is no error.
    pub(super) async fn patch(&mut self, key: &Key, patch: &Value) -> Result<()> {
        let request = requests(key).patch(&key.name, &manager(key.kind), &Patch::Merge(patch))?;
        self.change(key, request).await
    }

    /// Makes the status of an object what it shall be; writes only what differs.
    pub(super) async fn set_status(&mut self, key: &Key, wanted: &Value) -> Result<()> {
        let Some(object) = self.known.get(key) else { return Ok(()) };
        let Some(patch) = difference(&object["status"], wanted) else { return Ok(()) };
        let patch = json!({"status": patch});
        let params = manager(key.kind);
        let request =
            requests(key).patch_subresource("status", &key.name, &params, &Patch::Merge(&patch))?;
        self.change(key, request).await
    }

    /// Gives a Pod to a node.
    pub(super) async fn bind(&mut self, key: &Key, node: &str) -> Result<()> {
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let body = binding.to_string().into_bytes();
        let params = PostParams::default();
        let request = requests(key).create_subresource("binding", &key.name, &params, body)?;
        absent_is_fine(self.client.request::<Value>(request).await.map(drop))
    }

    /// Deletes an object, if it still is that one. `now` does not wait for it to end.
    pub(super) async fn delete(&mut self, key: &Key, object: &Value, now: bool) -> Result<()> {
        let uid = object["metadata"]["uid"].as_str().map(ToOwned::to_owned);
        let params = DeleteParams {
            grace_period_seconds: now.then_some(0),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::background()
        };
        let request = requests(key).delete(&key.name, &params)?;
        absent_is_fine(self.client.request::<Value>(request).await.map(drop))
    }

    async fn change(&mut self, key: &Key, request: http::Request<Vec<u8>>) -> Result<()> {
        let answer = self.client.request::<Value>(request).await;
        absent_is_fine(answer.map(|object| {
            self.seen(key.clone(), object);
        }))
    }

    fn seen(&mut self, key: Key, object: Value) -> Object {
        let object = Arc::new(object);
        self.known.note(key, object.clone());
        object
    }
}

/// What a turn changes may have gone, or been made anew, since it was seen; then there will be
/// another turn.
fn absent_is_fine(answer: kube::Result<()>) -> Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => Ok(other?),
    }
}

fn requests(key: &Key) -> Request {
    let resource = key.kind.resource();
    let group = if resource.group.is_empty() { "/api" } else { "/apis" };
    let namespace = if key.namespace.is_empty() {
        String::new()
    } else {
        format!("/namespaces/{}", key.namespace)
    };
    Request::new(format!("{group}/{}{namespace}/{}", resource.api_version, resource.plural))
}

fn manager(kind: Kind) -> PatchParams {
    PatchParams { field_manager: Some(kind.manager().into()), ..PatchParams::default() }
}

/// The merge patch that makes `wanted` of `old`; `None` if they are the same.
pub(super) fn difference(old: &Value, wanted: &Value) -> Option<Value> {
    let (Some(before), Some(after)) = (old.as_object(), wanted.as_object()) else {
        return (old != wanted).then(|| wanted.clone());
    };
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let mut patch: Map<_, _> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in after {
        if let Some(change) = difference(before.get(key).unwrap_or(&Value::Null), value) {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_written() {
        let old = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": 3});
        assert_eq!(difference(&old, &old), None);
        let new = json!({"a": 1, "b": {"c": [2], "d": 2}});
        assert_eq!(difference(&old, &new), Some(json!({"e": null, "b": {"c": [2]}})));
        assert_eq!(difference(&Value::Null, &json!({"a": 1})), Some(json!({"a": 1})));
    }
}
