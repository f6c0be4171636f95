//! `sluice promotion bundle create`.

use anyhow::{Context as _, Result, bail};
use api::{
    meta::LocalObjectReference,
    promotion::{
        Bundle, BundleComponent, BundleSpec, ChartValue, GitValue, ImageValue, OciValue, PIPELINE,
        Pipeline,
    },
};
use clap::{Args, Subcommand};
use kube::{ResourceExt as _, api::ObjectMeta};
use pipeline::value::{Part, Value, bundle_name};

use super::place::Place;
use crate::{cli::cluster, term::Term};

/// Make a bundle by hand
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a bundle of what the pipeline sees now
    Create(Create),
}

#[derive(Debug, Args)]
struct Create {
    /// Name of the pipeline
    pipeline: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let Verb::Create(arguments) = arguments.verb;
    let place = Place::of(&arguments.cluster).await?;
    let pipeline = place.all::<Pipeline>().get(&arguments.pipeline).await;
    let pipeline =
        pipeline.with_context(|| format!("cannot read Pipeline {}", arguments.pipeline))?;
    let candidate = pipeline.status.map(|status| status.candidate).unwrap_or_default();
    let mut components = Vec::new();
    for it in candidate {
        match it.value {
            Some(value) => components.push(value),
            None => bail!(
                "{} has no value yet: {}",
                it.component,
                it.reason.unwrap_or_else(|| "it was not seen".to_owned())
            ),
        }
    }
    if components.is_empty() {
        bail!("pipeline {} has seen no values yet", arguments.pipeline);
    }
    let parts: Vec<Part> = components.iter().map(part).collect::<Result<_>>()?;
    let metadata = ObjectMeta {
        name: Some(bundle_name(&arguments.pipeline, &parts)),
        labels: Some([(PIPELINE.to_owned(), arguments.pipeline.clone())].into()),
        ..ObjectMeta::default()
    };
    let spec = BundleSpec {
        pipeline_ref: LocalObjectReference { name: arguments.pipeline },
        components,
        ..BundleSpec::default()
    };
    let made = place.create(&Bundle { metadata, spec, status: None }).await?;
    Term::detect().done(&format!("bundle {}", made.name_any()));
    Ok(())
}

/// A value as a bundle has it.
pub(super) fn component(part: &Part) -> BundleComponent {
    let mut it = BundleComponent { name: part.component.clone(), ..BundleComponent::default() };
    match part.value.clone() {
        Value::Image { name, tag, digest } => {
            it.image = Some(ImageValue { name, tag, digest, ..ImageValue::default() });
        }
        Value::Chart { url, name, version, digest } => {
            it.chart = Some(ChartValue { url, name, version, digest });
        }
        Value::Oci { url, tag, digest } => it.oci = Some(OciValue { url, tag, digest }),
        Value::Git { url, tag, commit } => {
            it.git = Some(GitValue { url, tag, commit, ..GitValue::default() });
        }
    }
    it
}

/// What a component's value is named by.
pub(super) fn part(it: &BundleComponent) -> Result<Part> {
    let value = if let Some(image) = &it.image {
        let (name, tag, digest) = (image.name.clone(), image.tag.clone(), image.digest.clone());
        Value::Image { name, tag, digest }
    } else if let Some(chart) = &it.chart {
        let (url, name) = (chart.url.clone(), chart.name.clone());
        Value::Chart { url, name, version: chart.version.clone(), digest: chart.digest.clone() }
    } else if let Some(oci) = &it.oci {
        Value::Oci { url: oci.url.clone(), tag: oci.tag.clone(), digest: oci.digest.clone() }
    } else if let Some(git) = &it.git {
        Value::Git { url: git.url.clone(), tag: git.tag.clone(), commit: git.commit.clone() }
    } else {
        bail!("component {} has no value", it.name);
    };
    Ok(Part { component: it.name.clone(), value })
}
