//! Objects from files, or from a cluster if there are no files.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use api::{
    image::{ImagePolicy, ImageUpdateAutomation},
    promotion::{Bundle, Freeze, Pipeline, Stage},
    source::{GitRepository, OciRepository},
};
use clap::Args;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::place::Place;
use crate::{
    cli::cluster,
    manifest::{self, Manifest},
};

/// Which objects.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Files or folders with manifests; `-` is standard input; the cluster's objects if there are none
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: cluster::Arguments,
}

/// The objects that matter.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) stages: Vec<Stage>,
    pub(super) bundles: Vec<Bundle>,
    pub(super) freezes: Vec<Freeze>,
    pub(super) policies: Vec<ImagePolicy>,
    pub(super) automations: Vec<ImageUpdateAutomation>,
    pub(super) repositories: Vec<GitRepository>,
    pub(super) artifacts: Vec<OciRepository>,
}

impl Given {
    pub(super) async fn of(arguments: &Arguments) -> Result<Self> {
        if arguments.files.is_empty() {
            return Self::cluster(&Place::of(&arguments.cluster).await?).await;
        }
        Self::read(&manifest::read(&arguments.files)?, &arguments.cluster.namespace)
    }

    /// The objects among manifests; those without a namespace are in `namespace`.
    pub(super) fn read(manifests: &[Manifest], namespace: &str) -> Result<Self> {
        let mut given = Self::default();
        for it in manifests {
            let mut it = it.clone();
            if it.kind() != Some("Freeze") && it.object.metadata.namespace.is_none() {
                it.object.metadata.namespace = Some(namespace.to_owned());
            }
            match it.kind().unwrap_or_default() {
                "Pipeline" => given.pipelines.push(typed(&it)?),
                "Stage" => given.stages.push(typed(&it)?),
                "Bundle" => given.bundles.push(typed(&it)?),
                "Freeze" => given.freezes.push(typed(&it)?),
                "ImagePolicy" => given.policies.push(typed(&it)?),
                "ImageUpdateAutomation" => given.automations.push(typed(&it)?),
                "GitRepository" => given.repositories.push(typed(&it)?),
                "OCIRepository" => given.artifacts.push(typed(&it)?),
                _ => {}
            }
        }
        Ok(given)
    }

    async fn cluster(place: &Place) -> Result<Self> {
        async fn all<K>(place: &Place) -> Result<Vec<K>>
        where
            K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
                + Clone
                + std::fmt::Debug
                + DeserializeOwned,
        {
            let list = place.all::<K>().list(&ListParams::default()).await;
            Ok(list.with_context(|| format!("cannot read the {}s", K::kind(&())))?.items)
        }
        let freezes = Api::<Freeze>::all(place.client.clone()).list(&ListParams::default()).await;
        Ok(Self {
            pipelines: all(place).await?,
            stages: all(place).await?,
            bundles: all(place).await?,
            freezes: freezes.context("cannot read the Freezes")?.items,
            policies: all(place).await?,
            automations: all(place).await?,
            repositories: all(place).await?,
            artifacts: all(place).await?,
        })
    }

    /// The Pipeline of a stage.
    pub(super) fn pipeline(&self, stage: &Stage) -> Option<&Pipeline> {
        let name = &stage.spec.pipeline_ref.name;
        let same = |it: &&Pipeline| it.namespace() == stage.namespace() && it.name_any() == *name;
        self.pipelines.iter().find(same)
    }
}

fn typed<K: DeserializeOwned + Serialize>(it: &Manifest) -> Result<K> {
    let value = serde_json::to_value(&it.object)?;
    let typed: K =
        serde_json::from_value(value.clone()).map_err(|why| anyhow!("{}: {why}", it.origin))?;
    let known = serde_json::to_value(&typed)?;
    if let Some(field) = undeclared(&value["spec"], &known["spec"], "spec") {
        let kind = it.kind().unwrap_or_default();
        // YAML reads a key `on` as true.
        bail!("{}: {kind} has no field {field}; put keys such as on into quotes", it.origin);
    }
    Ok(typed)
}

/// The first field that the kind does not have, by its path.
fn undeclared(written: &Value, known: &Value, path: &str) -> Option<String> {
    let is_empty = |it: &Value| {
        it.is_null()
            || it.as_array().is_some_and(Vec::is_empty)
            || it.as_object().is_some_and(serde_json::Map::is_empty)
    };
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => {
            written.iter().filter(|(_, value)| !is_empty(value)).find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                known.get(key).map_or(Some(path.clone()), |known| undeclared(value, known, &path))
            })
        }
        (Value::Array(written), Value::Array(known)) => {
            let mut both = written.iter().zip(known).enumerate();
            both.find_map(|(at, (one, other))| undeclared(one, other, &format!("{path}.{at}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_the_kind_does_not_have_is_told() {
        let stage = |spec: &str| {
            let text = format!(
                "apiVersion: promotion.sluice.dev/v1alpha1\nkind: Stage\nmetadata: {{name: a}}\n\
                 spec: {{pipelineRef: {{name: p}}, {spec}}}\n"
            );
            Given::read(&manifest::parse(&text, "a.yaml").unwrap(), "x").map(drop)
        };
        stage("from: [], onFailure: {action: Rollback, 'on': [Deploy]}").unwrap();
        for (spec, field) in [
            ("onFailure: {on: [Deploy]}", "spec.onFailure.true"),
            ("gates: [{name: a, approvals: {min: 1}}]", "spec.gates.0.approvals"),
        ] {
            let why = stage(spec).unwrap_err().to_string();
            assert!(why.contains(&format!("Stage has no field {field}")), "{why}");
        }
    }
}
