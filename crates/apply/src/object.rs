//! Single objects, written as Helm writes them: created, patched, replaced and deleted one by one.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::client::Body;
use kube::core::Request;
use serde_json::Value;

use crate::{Cluster, Entry, Id, Refusal, kinds::Document};

/// How a patch is laid over an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// Operations one after the other (RFC 6902).
    Json,
    /// What is named is replaced, lists whole (RFC 7386).
    Merge,
    /// Lists are merged by the keys that built-in kinds name.
    Strategic,
}

impl PatchKind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }
}

/// What happens to the dependents of an object that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

impl Cluster {
    /// Creates an object.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses, also because there is one of that name.
    pub async fn create(&self, object: &Value) -> Result<Value, Refusal> {
        let path = self.collection(&Entry::of(object)).await?;
        let params = self.post_params();
        let body = serde_json::to_vec(object).unwrap_or_default();
        let request = Request::new(path).create(&params, body);
        Ok(self.client().request(request.map_err(kube::Error::BuildRequest)?).await?)
    }

    /// Puts an object in the place of the one of its name, whatever version that has.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses, or there is none.
    pub async fn replace(&self, object: &Value) -> Result<Value, Refusal> {
        let entry = Entry::of(object);
        let mut object = object.clone();
        if object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty)
            && let Some(live) = self.get(&entry).await?
        {
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        }
        let path = self.collection(&entry).await?;
        let body = serde_json::to_vec(&object).unwrap_or_default();
        let request = Request::new(path).replace(&entry.id.name, &self.post_params(), body);
        Ok(self.client().request(request.map_err(kube::Error::BuildRequest)?).await?)
    }

    /// Patches an object.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses, or there is none.
    pub async fn patch_with(
        &self,
        entry: &Entry,
        kind: PatchKind,
        patch: &Value,
    ) -> Result<Value, Refusal> {
        self.patched(entry, (kind, patch), false).await
    }

    /// What an object would be after a patch.
    ///
    /// # Errors
    /// [`Refusal`] if the API server would refuse it, or there is none.
    pub async fn try_patch(
        &self,
        entry: &Entry,
        kind: PatchKind,
        patch: &Value,
    ) -> Result<Value, Refusal> {
        self.patched(entry, (kind, patch), true).await
    }

    async fn patched(
        &self,
        entry: &Entry,
        (kind, patch): (PatchKind, &Value),
        dry_run: bool,
    ) -> Result<Value, Refusal> {
        let collection = self.collection(entry).await?;
        let params = PatchParams {
            dry_run,
            field_manager: Some(self.field_manager().to_owned()),
            ..PatchParams::default()
        };
        // A patch as kube has it would need it typed; only its media type differs.
        let mut request = Request::new(collection)
            .patch(&entry.id.name, &params, &Patch::Merge(patch))
            .map_err(kube::Error::BuildRequest)?;
        let kind = HeaderValue::from_static(kind.media_type());
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(self.client().request(request).await?)
    }

    /// What an object would be after a server-side apply that takes fields from others.
    ///
    /// # Errors
    /// [`Refusal`] if the API server would refuse it.
    pub async fn dry_run(&self, object: &Value) -> Result<Value, Refusal> {
        self.patch(object, true).await
    }

    /// Applies an object, taking fields from others.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses it.
    pub async fn apply(&self, object: &Value) -> Result<Value, Refusal> {
        self.patch(object, false).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses, or there is none.
    pub async fn delete_with(
        &self,
        entry: &Entry,
        propagation: Propagation,
    ) -> Result<(), Refusal> {
        let path = self.collection(entry).await?;
        let policy = match propagation {
            Propagation::Background => PropagationPolicy::Background,
            Propagation::Foreground => PropagationPolicy::Foreground,
            Propagation::Orphan => PropagationPolicy::Orphan,
        };
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        let request = Request::new(path).delete(&entry.id.name, &params);
        let request = request.map_err(kube::Error::BuildRequest)?;
        self.client().request::<Value>(request).await?;
        Ok(())
    }

    /// All objects of a kind: in a namespace, or everywhere, that labels select.
    ///
    /// # Errors
    /// [`Refusal`] if the kind is not served or the API server cannot be asked.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        selector: &str,
    ) -> Result<Value, Refusal> {
        let object = serde_json::json!({"apiVersion": api_version, "kind": kind,
                                        "metadata": {"namespace": namespace}});
        let path = self.collection(&Entry::of(&object)).await?;
        let params = ListParams::default();
        let params = if selector.is_empty() { params } else { params.labels(selector) };
        let request = Request::new(path).list(&params).map_err(kube::Error::BuildRequest)?;
        Ok(self.client().request(request).await?)
    }

    /// Whether objects of a kind live in namespaces.
    ///
    /// # Errors
    /// [`Refusal`] if the kind is not served or the API server cannot be asked.
    pub async fn is_namespaced(&self, id: &Id, version: &str) -> Result<bool, Refusal> {
        self.kinds().is_namespaced(self.client(), id, version).await
    }

    /// What the API server answers at a path, in one of the forms that `accept` lists. What it has
    /// marked with an `ETag` is not sent again while it is the same.
    ///
    /// # Errors
    /// [`Refusal`] if it refuses or cannot be asked.
    pub async fn read(&self, path: &str, accept: &'static str) -> Result<Arc<Value>, Refusal> {
        let request = Request::new(path).list(&ListParams::default());
        let mut request = request.map_err(kube::Error::BuildRequest)?;
        let accept = HeaderValue::from_static(accept);
        request.headers_mut().insert(header::ACCEPT, accept);
        let mut ask = request.clone();
        let known = self.kinds().document(path);
        if let Some(known) = &known {
            ask.headers_mut().insert(header::IF_NONE_MATCH, known.tag.clone());
        }
        let answer = self.client().send(ask.map(Body::from)).await?;
        match known {
            Some(known) if answer.status() == StatusCode::NOT_MODIFIED => Ok(known.content),
            _ if answer.status().is_success() => {
                let tag = answer.headers().get(header::ETAG).cloned();
                let bytes = answer.into_body().collect_bytes().await?;
                let content: Arc<Value> =
                    serde_json::from_slice(&bytes).map_err(kube::Error::SerdeError)?;
                if let Some(tag) = tag {
                    self.kinds().keep(path, Document { tag, content: Arc::clone(&content) });
                }
                Ok(content)
            }
            // Asked once more for what the client makes of a refusal.
            _ => Ok(self.client().request(request).await?),
        }
    }

    fn post_params(&self) -> PostParams {
        PostParams { field_manager: Some(self.field_manager().to_owned()), dry_run: false }
    }
}
