//! One cluster as one identity sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Client;
use kube::api::{
    ApiResource, DeleteParams, GetParams, ListParams, Patch, PatchParams, Preconditions,
};
use kube::core::Request;
use serde_json::Value;

use crate::{Entry, Id, Kinds, Refusal};

/// Reads and writes objects of any kind as one identity.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kinds: Arc<Kinds>,
    field_manager: String,
}

/// To whom objects belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Group of the owner labels and the control annotations, such as
    /// `kustomize.toolkit.fluxcd.io`.
    pub group: String,
    /// Namespace of the owner.
    pub namespace: String,
    /// Name of the owner.
    pub name: String,
}

impl Owner {
    /// The labels that say so.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (format!("{}/name", self.group), self.name.clone()),
            (format!("{}/namespace", self.group), self.namespace.clone()),
        ])
    }
}

impl Cluster {
    /// A cluster seen through `client`, in which fields are managed as `field_manager`. What is
    /// known of its kinds is shared through `kinds`.
    pub fn new(client: Client, kinds: Arc<Kinds>, field_manager: impl Into<String>) -> Self {
        Self { client, kinds, field_manager: field_manager.into() }
    }

    /// One object as it is, or nothing if it or its kind does not exist.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses or cannot be asked.
    pub async fn get(&self, entry: &Entry) -> Result<Option<Value>, Refusal> {
        let path = self.collection(entry).await?;
        let request = Request::new(path).get(&entry.id.name, &GetParams::default());
        let request = request.map_err(kube::Error::BuildRequest)?;
        match self.client.request(request).await.map_err(Refusal::from) {
            Ok(object) => Ok(Some(object)),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The Pods that `spec.selector.matchLabels` of an object selects in its namespace.
    ///
    /// # Errors
    /// [`Refusal`] if the API server refuses or cannot be asked.
    pub async fn pods_of(&self, object: &Value) -> Result<Vec<Value>, Refusal> {
        let labels = object["spec"]["selector"]["matchLabels"].as_object();
        let pairs = labels.into_iter().flatten();
        let pairs = pairs.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
        let selector = pairs.collect::<Vec<_>>().join(",");
        if selector.is_empty() {
            return Ok(Vec::new());
        }
        let path = format!("/api/v1/namespaces/{}/pods", Id::of(object).namespace);
        let request = Request::new(path).list(&ListParams::default().labels(&selector));
        let list = request.map_err(kube::Error::BuildRequest)?;
        let list: Value = self.client.request(list).await?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// The entry of an object whose version nobody named: in the version its group prefers.
    ///
    /// # Errors
    /// [`Refusal`] if the group is not served or the API server cannot be asked.
    pub async fn in_preferred_version(&self, id: Id) -> Result<Entry, Refusal> {
        let version = self.kinds.preferred(&self.client, &id.group).await?;
        Ok(Entry { id, version })
    }

    /// How the kind of an object is served, for who wants to watch it.
    ///
    /// # Errors
    /// [`Refusal`] if the kind is not served or the API server cannot be asked.
    pub async fn resource(&self, entry: &Entry) -> Result<ApiResource, Refusal> {
        self.kinds.describe(&self.client, &entry.id, &entry.version).await
    }

    /// The client that is seen through.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    pub(crate) fn field_manager(&self) -> &str {
        &self.field_manager
    }

    /// Applies an object under our field manager, taking fields from others.
    pub(crate) async fn patch(&self, object: &Value, dry_run: bool) -> Result<Value, Refusal> {
        let entry = Entry::of(object);
        let path = self.collection(&entry).await?;
        let params = PatchParams {
            dry_run,
            force: true,
            field_manager: Some(self.field_manager.clone()),
            ..PatchParams::default()
        };
        let request = Request::new(path).patch(&entry.id.name, &params, &Patch::Apply(object));
        Ok(self.client.request(request.map_err(kube::Error::BuildRequest)?).await?)
    }

    /// Sends a JSON patch.
    pub(crate) async fn edit(&self, entry: &Entry, operations: &Value) -> Result<(), Refusal> {
        let path = self.collection(entry).await?;
        let params = PatchParams {
            field_manager: Some(self.field_manager.clone()),
            ..PatchParams::default()
        };
        // A patch as kube has it would need it typed; it is written by ourselves.
        let mut request = Request::new(path)
            .patch(&entry.id.name, &params, &Patch::Merge(operations))
            .map_err(kube::Error::BuildRequest)?;
        let kind = http::HeaderValue::from_static("application/json-patch+json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        self.client.request::<Value>(request).await?;
        Ok(())
    }

    /// Deletes the object with this uid in the background. One that is gone counts as deleted.
    pub(crate) async fn delete(&self, entry: &Entry, uid: Option<&str>) -> Result<(), Refusal> {
        let path = self.collection(entry).await?;
        let mut params = DeleteParams::background();
        params.preconditions =
            uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() });
        let request = Request::new(path).delete(&entry.id.name, &params);
        let request = request.map_err(kube::Error::BuildRequest)?;
        match self.client.request::<Value>(request).await.map_err(Refusal::from) {
            Err(refusal) if !refusal.is_not_found() => Err(refusal),
            _ => Ok(()),
        }
    }

    pub(crate) async fn collection(&self, entry: &Entry) -> Result<String, Refusal> {
        self.kinds.collection(&self.client, &entry.id, &entry.version).await
    }
}
