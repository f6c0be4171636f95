//! Reading and writing objects as plain JSON, as a person with kubectl would.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::{Value, json};

/// How long something that must happen may take; far beyond what it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The objects of one API server.
#[derive(Clone)]
pub struct Objects {
    client: Client,
}

/// An object that the API server did not take, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl Objects {
    /// The objects that `client` sees.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Applies a CRD and waits until it is served.
    ///
    /// # Errors
    /// When it is refused or not established in time.
    pub async fn apply_crd(&self, crd: &Value) -> Result<()> {
        let name = crd["metadata"]["name"].as_str().context("a CRD has a name")?.to_owned();
        self.create(None, crd).await?.map_err(|Refused(why)| anyhow::anyhow!(why))?;
        let established = || async {
            let crd = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", &name);
            let conditions = crd.await.map(|crd| crd["status"]["conditions"].clone());
            let list = conditions.unwrap_or_default();
            list.as_array()
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "Established" && c["status"] == "True")
        };
        self.eventually(&format!("{name} is established"), established).await
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.create(None, &namespace).await?.map_err(|Refused(why)| anyhow::anyhow!(why))
    }

    /// Creates an object, in `namespace` unless it lives outside namespaces.
    ///
    /// # Errors
    /// When the API server cannot be asked; a refusal is not an error.
    pub async fn create(
        &self,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<Result<(), Refused>> {
        let api_version = object["apiVersion"].as_str().context("apiVersion")?;
        let kind = object["kind"].as_str().context("kind")?;
        let api = self.api(api_version, kind, namespace.unwrap_or_default()).await?;
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => Ok(Ok(())),
            Err(kube::Error::Api(status)) => Ok(Err(Refused(status.message.clone()))),
            Err(error) => Err(error.into()),
        }
    }

    /// One object; `None` when there is none.
    pub async fn get(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        let api = self.api(api_version, kind, namespace).await.ok()?;
        serde_json::to_value(api.get_opt(name).await.ok()??).ok()
    }

    /// All objects of a kind in a namespace.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let api = self.api(api_version, kind, namespace).await?;
        let list = api.list(&ListParams::default()).await?;
        list.items.into_iter().map(|item| Ok(serde_json::to_value(item)?)).collect()
    }

    /// Merges `patch` into an object.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn patch(&self, kind: (&str, &str), at: (&str, &str), patch: &Value) -> Result<()> {
        let api = self.api(kind.0, kind.1, at.0).await?;
        api.patch(at.1, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Merges `patch` into the status of an object.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn patch_status(
        &self,
        kind: (&str, &str),
        at: (&str, &str),
        patch: &Value,
    ) -> Result<()> {
        let api = self.api(kind.0, kind.1, at.0).await?;
        api.patch_status(at.1, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn delete(&self, kind: (&str, &str), at: (&str, &str)) -> Result<()> {
        self.api(kind.0, kind.1, at.0).await?.delete(at.1, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until `holds`.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn eventually<F: Future<Output = bool>>(
        &self,
        what: &str,
        holds: impl Fn() -> F,
    ) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if holds().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it never came true that {what}");
    }

    /// The API of a kind, in `namespace` unless it lives outside namespaces.
    ///
    /// # Errors
    /// When the API server does not serve the kind.
    pub async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
    ) -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let wanted = GroupVersionKind::gvk(group, version, kind);
        let (resource, scope): (ApiResource, Scope) = if let Some((plural, scope)) =
            well_known(kind)
        {
            (ApiResource::from_gvk_with_plural(&wanted, plural), scope)
        } else {
            let (resource, capabilities) = discovery::pinned_kind(&self.client, &wanted).await?;
            (resource, capabilities.scope)
        };
        Ok(match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, &resource),
        })
    }
}

/// Kinds that are asked for so often that looking them up would be most of the work.
fn well_known(kind: &str) -> Option<(&'static str, Scope)> {
    Some(match kind {
        "CustomResourceDefinition" => ("customresourcedefinitions", Scope::Cluster),
        "Namespace" => ("namespaces", Scope::Cluster),
        "Event" => ("events", Scope::Namespaced),
        "Secret" => ("secrets", Scope::Namespaced),
        "ConfigMap" => ("configmaps", Scope::Namespaced),
        "ServiceAccount" => ("serviceaccounts", Scope::Namespaced),
        "ImageRepository" => ("imagerepositories", Scope::Namespaced),
        "ImagePolicy" => ("imagepolicies", Scope::Namespaced),
        "ImageUpdateAutomation" => ("imageupdateautomations", Scope::Namespaced),
        "GitRepository" => ("gitrepositories", Scope::Namespaced),
        "Kustomization" => ("kustomizations", Scope::Namespaced),
        _ => return None,
    })
}
