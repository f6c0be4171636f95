//! Kustomizations on local files: what `build` and `diff` share.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use api::kustomize::Kustomization;
use clap::Args;
use kube::{Api, Client, ResourceExt as _};
use reconciler::kustomization::local::{self, Local};
use serde_json::Value;

use super::{kustomize::bases, mask};

/// Which Kustomization, and where its files are.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Name of the Kustomization
    pub(super) name: String,
    /// Folder that the Kustomization's spec.path stands for
    #[arg(long, value_name = "DIR")]
    path: PathBuf,
    /// Read the Kustomization from this file instead of the cluster; it need not exist there yet
    #[arg(long, value_name = "FILE")]
    pub(super) kustomization_file: Option<PathBuf>,
    /// Files to leave out, in the form of .gitignore
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    ignore_paths: Vec<String>,
    /// Fail if a variable without a default has no value
    #[arg(long)]
    strict_substitute: bool,
    /// Go on with the Kustomizations that are found in what is built
    #[arg(short, long)]
    pub(super) recursive: bool,
    /// Where sources of Kustomizations that are found are on this disk
    #[arg(long, value_name = "KIND/NAMESPACE/NAME=DIR,...", value_delimiter = ',', value_parser = source)]
    local_sources: Vec<Source>,
    /// Taken for flux' sake: files are never written to
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    in_memory_build: Option<bool>,
}

/// Builds Kustomizations from local files.
pub(super) struct Files<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) namespace: &'a str,
    /// Nothing is asked of a cluster if there is none.
    pub(super) client: Option<Client>,
}

impl Files<'_> {
    /// The Kustomization that was named, with the status it has in the cluster.
    pub(super) async fn root(&self) -> Result<Kustomization> {
        let live = self.live(self.namespace, &self.arguments.name).await?;
        let Some(file) = &self.arguments.kustomization_file else {
            return live.ok_or_else(|| {
                let Arguments { name, .. } = self.arguments;
                anyhow!(
                    "there is no Kustomization {}/{name}; to build one that is not in the cluster, \
                     give --kustomization-file",
                    self.namespace
                )
            });
        };
        let mut it = self.written(file)?;
        it.status = live.and_then(|live| live.status);
        Ok(it)
    }

    /// A Kustomization as it is in the cluster, if it is there.
    pub(super) async fn live(&self, namespace: &str, name: &str) -> Result<Option<Kustomization>> {
        let Some(client) = &self.client else { return Ok(None) };
        let all = Api::<Kustomization>::namespaced(client.clone(), namespace);
        all.get_opt(name).await.context("failed to get the Kustomization")
    }

    /// The Kustomization in a file that may hold others.
    fn written(&self, file: &Path) -> Result<Kustomization> {
        let name = &self.arguments.name;
        let shown = file.display();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
        let text = yaml::text(&bytes).with_context(|| format!("cannot read {shown}"))?;
        for document in yaml::parse_all(&text).with_context(|| format!("cannot read {shown}"))? {
            let object: Value = serde_json::from_str(&document.to_json()?)?;
            let place = &object["metadata"];
            let namespace = place["namespace"].as_str().unwrap_or(self.namespace);
            if is_kustomization(&object) && place["name"] == **name && namespace == self.namespace {
                let mut it = kustomization(&object).with_context(|| format!("in {shown}"))?;
                it.metadata.namespace = Some(self.namespace.to_owned());
                return Ok(it);
            }
        }
        bail!("there is no Kustomization {}/{name} in {shown}", self.namespace)
    }

    /// The folder of the Kustomization that was named.
    pub(super) fn root_folder(&self) -> Result<PathBuf> {
        folder(&self.arguments.path)
    }

    /// The folder of a Kustomization that was found.
    pub(super) fn folder_of(&self, it: &Kustomization) -> Result<PathBuf> {
        let source = &it.spec.source_ref;
        let namespace = source.namespace.clone().or_else(|| it.namespace()).unwrap_or_default();
        let key = format!("{}/{namespace}/{}", source.kind, source.name);
        let known = self.arguments.local_sources.iter().find(|(known, _)| *known == key);
        let Some((_, path)) = known else {
            bail!(
                "where is {key}, the source of Kustomization {}? Say so with --local-sources \
                 {key}=DIR",
                it.name_any()
            );
        };
        let inside = it.spec.path.as_deref().unwrap_or_default();
        folder(&path.join(inside.trim_start_matches('/')))
    }

    /// Builds a Kustomization. What is encrypted is masked.
    pub(super) async fn build(&self, it: &Kustomization, folder: &Path) -> Result<Vec<Value>> {
        let variables = match &self.client {
            Some(client) => local::variables(client, it).await.map_err(|why| anyhow!(why))?,
            None => local::inline_variables(it),
        };
        let local = Local {
            it,
            folder,
            variables,
            strict: self.arguments.strict_substitute,
            ignored: &self.arguments.ignore_paths.join("\n"),
        };
        // Remote bases are fetched into a folder that ends with the build.
        let (bases, _folder) = bases()?;
        let mut objects = local.build(&bases).await.map_err(|why| anyhow!(why))?;
        objects.iter_mut().for_each(mask::encrypted);
        Ok(objects)
    }
}

/// The Kustomizations among objects, each of which is gone into once.
pub(super) fn children(
    objects: &[Value],
    known: &mut HashSet<(String, String)>,
) -> Result<Vec<Kustomization>> {
    let mut children = Vec::new();
    for object in objects.iter().filter(|object| is_kustomization(object)) {
        let child = kustomization(object)?;
        if known.insert(key(&child)) {
            children.push(child);
        }
    }
    Ok(children)
}

/// What a Kustomization is known by.
pub(super) fn key(it: &Kustomization) -> (String, String) {
    (it.namespace().unwrap_or_default(), it.name_any())
}

pub(super) fn is_kustomization(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("kustomize.toolkit.fluxcd.io/") && object["kind"] == "Kustomization"
}

fn kustomization(object: &Value) -> Result<Kustomization> {
    serde_json::from_value(object.clone()).context("this is no valid Kustomization")
}

/// A folder without links in its path.
fn folder(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let found = path.canonicalize().with_context(|| format!("invalid resource path {shown}"))?;
    if !found.is_dir() {
        bail!("invalid resource path {shown}: it is no folder");
    }
    Ok(found)
}

/// `Kind/namespace/name` of a source, and where it is on this disk.
pub(super) type Source = (String, PathBuf);

pub(super) fn source(text: &str) -> Result<Source, String> {
    let (key, path) = text.split_once('=').ok_or("write it as Kind/namespace/name=folder")?;
    if key.split('/').count() != 3 {
        return Err(format!("'{key}' is no Kind/namespace/name"));
    }
    Ok((key.to_owned(), path.into()))
}
