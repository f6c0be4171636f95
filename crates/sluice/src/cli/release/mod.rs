//! `HelmRelease`s on local files: what `build` and `diff` share.

mod chart;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow, bail};
use api::helm::HelmRelease;
use apply::Cluster;
use clap::Args;
use helm::{
    capability::{Capabilities, KubeVersion},
    release::Record,
};
use kube::{Api, Client, ResourceExt as _};
use reconciler::helm_release::local::{self, Built, Local};
use serde_json::{Value, json};

use super::{
    helm::Machine,
    local::{self as sources, Source},
    mask, object,
};
use crate::manifest;

/// Which HelmRelease, and where its chart and values are.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Name of the HelmRelease
    name: String,
    /// Folder or .tgz of the chart that the HelmRelease names
    #[arg(long, value_name = "DIR|FILE")]
    path: Option<PathBuf>,
    /// Read the HelmRelease from this file or folder instead of the cluster; it need not exist there
    /// yet
    #[arg(long, value_name = "FILE|DIR")]
    pub(super) helmrelease_file: Option<PathBuf>,
    /// Files and folders with ConfigMaps and Secrets that hold values, and with sources; what is not
    /// there is looked for in the cluster
    #[arg(long, value_name = "FILE|DIR,...", value_delimiter = ',')]
    manifests: Vec<PathBuf>,
    /// Where sources of charts are on this disk: the folder of a GitRepository, a Bucket or a
    /// HelmRepository, the chart of an OCIRepository
    #[arg(long, value_name = "KIND/NAMESPACE/NAME=PATH,...", value_delimiter = ',', value_parser = sources::source)]
    local_sources: Vec<Source>,
    /// Kubernetes version that the chart is told of instead of the cluster's
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Further API versions and kinds that the chart is told of
    #[arg(long, value_name = "VERSION,...", value_delimiter = ',')]
    api_versions: Vec<String>,
}

/// Builds a HelmRelease from local files.
pub(super) struct Files<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) namespace: &'a str,
    /// Nothing is asked of a cluster if there is none.
    pub(super) cluster: Option<Cluster>,
}

/// A HelmRelease as it was built.
pub(super) struct Previewed {
    pub(super) it: HelmRelease,
    pub(super) built: Built,
    /// The revision that an upgrade would start from.
    pub(super) current: Option<Record>,
}

impl Files<'_> {
    fn client(&self) -> Option<&Client> {
        self.cluster.as_ref().map(Cluster::client)
    }

    /// Builds the HelmRelease that was named. What is encrypted is masked.
    pub(super) async fn build(&self) -> Result<Previewed> {
        let mut manifests = self.manifests()?;
        let it = self.release(&manifests).await?;
        blank(&it, &mut manifests);
        let chart = self.chart(&it, &manifests).await?;
        let values = local::values(&it, &manifests, self.client()).await;
        let values = values.map_err(|why| match self.client() {
            Some(_) => anyhow!(why),
            None => anyhow!("{why} (--manifests says where it is)"),
        })?;
        let current = match self.client().filter(|_| it.spec.kube_config.is_none()) {
            Some(client) => local::current(client, &it).await.map_err(|why| anyhow!(why))?,
            None => None,
        };
        let release = Local {
            it: &it,
            chart,
            values,
            capabilities: self.capabilities().await?,
            templates: Arc::new(Machine),
            current: current.as_ref(),
        };
        let built = release.build(self.cluster.as_ref()).await.map_err(|why| anyhow!(why))?;
        Ok(Previewed { it, built, current })
    }

    /// Everything that is on the disk; what names no namespace is in that of the release.
    fn manifests(&self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let file = self.arguments.helmrelease_file.iter();
        for path in file.chain(&self.arguments.manifests) {
            for found in manifest::read(std::slice::from_ref(path))? {
                let mut object = serde_json::to_value(found.object)?;
                if object["metadata"]["namespace"].is_null() {
                    object["metadata"]["namespace"] = json!(self.namespace);
                }
                mask::encrypted(&mut object);
                all.push(object);
            }
        }
        Ok(all)
    }

    /// The HelmRelease: from a file if one is given, else from the cluster.
    async fn release(&self, manifests: &[Value]) -> Result<HelmRelease> {
        let (namespace, name) = (self.namespace, &self.arguments.name);
        if let Some(file) = &self.arguments.helmrelease_file {
            let found = manifests.iter().find(|it| is_release(it, (namespace, name)));
            let shown = file.display();
            let found = found.with_context(|| {
                format!("there is no HelmRelease {namespace}/{name} in {shown}")
            })?;
            return serde_json::from_value(found.clone())
                .with_context(|| format!("in {shown}: this is no valid HelmRelease"));
        }
        let Some(client) = self.client() else { bail!("--dry-run needs --helmrelease-file") };
        let all = Api::<HelmRelease>::namespaced(client.clone(), namespace);
        let found = all.get_opt(name).await.context("failed to get the HelmRelease")?;
        found.with_context(|| {
            format!(
                "there is no HelmRelease {namespace}/{name}; to build one that is not in the \
                 cluster, give --helmrelease-file"
            )
        })
    }

    /// What the chart is told of the cluster.
    async fn capabilities(&self) -> Result<Capabilities> {
        let mut told = match &self.cluster {
            Some(cluster) => local::capabilities(cluster).await.map_err(|why| anyhow!(why))?,
            None => Capabilities::default(),
        };
        if let Some(version) = &self.arguments.kube_version {
            told.kube_version = KubeVersion::parse(version)
                .with_context(|| format!("invalid kube version '{version}'"))?;
        }
        told.api_versions.extend(self.arguments.api_versions.iter().cloned());
        Ok(told)
    }

    /// An object that a release refers to: among the manifests, else in the cluster.
    async fn referred(
        &self,
        kind: &str,
        (namespace, name): (&str, &str),
        manifests: &[Value],
    ) -> Result<Option<Value>> {
        let is_meant = |it: &&Value| {
            it["kind"] == kind
                && it["metadata"]["name"] == name
                && it["metadata"]["namespace"] == namespace
        };
        if let Some(found) = manifests.iter().find(is_meant) {
            return Ok(Some(found.clone()));
        }
        let Some(client) = self.client() else { return Ok(None) };
        let found = object::flux(client, kind, namespace)?.get_opt(name).await;
        let found = found.with_context(|| format!("failed to get {kind} {namespace}/{name}"))?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }
}

/// Whether a manifest is the HelmRelease of this namespace and name.
fn is_release(object: &Value, (namespace, name): (&str, &str)) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("helm.toolkit.fluxcd.io/")
        && object["kind"] == "HelmRelease"
        && object["metadata"]["namespace"] == namespace
        && object["metadata"]["name"] == name
}

/// Values files that are encrypted have no values here.
fn blank(it: &HelmRelease, manifests: &mut [Value]) {
    for from in it.spec.values_from.iter().flatten().filter(|it| it.target_path.is_none()) {
        let key = from.values_key.as_deref().unwrap_or("values.yaml");
        let secrets = manifests.iter_mut().filter(|it| mask::is_masked(it));
        for secret in secrets.filter(|it| it["metadata"]["name"] == *from.name) {
            for field in ["data", "stringData"] {
                if !secret[field][key].is_null() {
                    secret[field][key] = json!("");
                }
            }
        }
    }
}

/// The chart at a path.
fn read(path: &Path) -> Result<helm::chart::Chart> {
    let shown = path.to_str().context("the path of the chart is not UTF-8")?;
    super::helm::source::chart(shown).map_err(|why| anyhow!(why))
}

/// The namespace that a release is in.
fn own(it: &HelmRelease) -> String {
    it.namespace().unwrap_or_default()
}
