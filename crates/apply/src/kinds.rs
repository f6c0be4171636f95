//! Which path a kind is served at.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIResourceList};
use kube::Client;
use kube::api::ApiResource;
use kube::core::Request;
use parking_lot::Mutex;

use crate::{Id, Refusal};

/// What the API server says of its kinds, asked once for a version of a group and again when a
/// kind is not among them. Shared by all identities of a cluster.
#[derive(Debug, Default)]
pub struct Kinds {
    known: Mutex<HashMap<String, HashMap<String, Resource>>>,
    /// What was read, by path.
    documents: Mutex<HashMap<String, Document>>,
}

/// An answer that the API server has marked.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) tag: http::HeaderValue,
    pub(crate) content: Arc<serde_json::Value>,
}

/// How a kind is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

impl Kinds {
    /// The marked answer of a path, as it was last.
    pub(crate) fn document(&self, path: &str) -> Option<Document> {
        self.documents.lock().get(path).cloned()
    }

    pub(crate) fn keep(&self, path: &str, document: Document) {
        self.documents.lock().insert(path.to_owned(), document);
    }

    /// Path of the collection that an object is in.
    ///
    /// A namespaced object without a namespace gets the path of a cluster-wide one, which the API
    /// server does not find: no namespace is guessed.
    pub(crate) async fn collection(
        &self,
        client: &Client,
        id: &Id,
        version: &str,
    ) -> Result<String, Refusal> {
        let base = base(&id.group, version);
        let resource = self.resource(client, &base, &id.kind).await?;
        let Resource { plural, namespaced } = resource
            .ok_or_else(|| Refusal::no_match(&id.kind, &api_version(&id.group, version)))?;
        Ok(match id.namespace.as_str() {
            namespace if namespaced && !namespace.is_empty() => {
                format!("{base}/namespaces/{namespace}/{plural}")
            }
            _ => format!("{base}/{plural}"),
        })
    }

    /// How a kind is served.
    pub(crate) async fn describe(
        &self,
        client: &Client,
        id: &Id,
        version: &str,
    ) -> Result<ApiResource, Refusal> {
        let api_version = api_version(&id.group, version);
        let resource = self.resource(client, &base(&id.group, version), &id.kind).await?;
        let plural = resource.ok_or_else(|| Refusal::no_match(&id.kind, &api_version))?.plural;
        let (group, kind) = (id.group.clone(), id.kind.clone());
        Ok(ApiResource { group, version: version.to_owned(), api_version, kind, plural })
    }

    /// Whether a kind lives in namespaces.
    pub(crate) async fn is_namespaced(
        &self,
        client: &Client,
        id: &Id,
        version: &str,
    ) -> Result<bool, Refusal> {
        let resource = self.resource(client, &base(&id.group, version), &id.kind).await?;
        let missing = || Refusal::no_match(&id.kind, &api_version(&id.group, version));
        Ok(resource.ok_or_else(missing)?.namespaced)
    }

    /// The version of a group that is served for a kind nobody named a version for.
    pub(crate) async fn preferred(&self, client: &Client, group: &str) -> Result<String, Refusal> {
        if group.is_empty() {
            return Ok("v1".to_owned());
        }
        let group: APIGroup = get(client, &format!("/apis/{group}")).await?;
        let preferred = group.preferred_version.or_else(|| group.versions.into_iter().next());
        Ok(preferred.map(|version| version.version).unwrap_or_default())
    }

    async fn resource(
        &self,
        client: &Client,
        base: &str,
        kind: &str,
    ) -> Result<Option<Resource>, Refusal> {
        let known = |kinds: &HashMap<String, Resource>| kinds.get(kind).cloned();
        if let Some(found) = self.known.lock().get(base).and_then(known) {
            return Ok(Some(found));
        }
        let list: APIResourceList = match get(client, base).await {
            Err(refusal) if refusal.is_not_found() => return Ok(None),
            answer => answer?,
        };
        let found = by_kind(list);
        let resource = known(&found);
        self.known.lock().insert(base.to_owned(), found);
        Ok(resource)
    }
}

/// What a version serves, without subresources.
fn by_kind(list: APIResourceList) -> HashMap<String, Resource> {
    let whole = list.resources.into_iter().filter(|resource| !resource.name.contains('/'));
    whole
        .map(|resource| {
            let (plural, namespaced) = (resource.name, resource.namespaced);
            (resource.kind, Resource { plural, namespaced })
        })
        .collect()
}

fn base(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, Refusal> {
    let request = Request::new(path).list(&kube::api::ListParams::default());
    let request = request.map_err(kube::Error::BuildRequest)?;
    Ok(client.request(request).await?)
}
