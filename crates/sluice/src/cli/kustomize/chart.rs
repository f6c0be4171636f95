//! `helmCharts`, inflated in process.

use std::{path::Path, sync::Arc};

use anyhow::{Result, anyhow};
use helm::{
    capability::KubeVersion,
    chart::Chart,
    hook::Hook,
    render::{self, Options, Rendered},
    values::{self, Values},
};

use crate::cli::helm::{fetch, outside::Machine, source, template};

/// The manifests of a chart, as `helm template` prints them for kustomize. A chart that is not in
/// its folder yet is fetched; unlike kustomize, nothing is written there.
pub(super) async fn inflate(asked: &kustomize::Chart) -> Result<String> {
    let chart = chart(asked).await.map_err(|why| anyhow!(why))?;
    let (name, values) = (release(asked)?, values(asked)?);
    let namespace = if asked.namespace.is_empty() { "default" } else { &asked.namespace };
    let mut options = Options::new(&name, namespace);
    options.host = Arc::new(Machine);
    if !asked.kube_version.is_empty() {
        options.capabilities.kube_version = KubeVersion::parse(&asked.kube_version)?;
    }
    options.capabilities.api_versions.extend(asked.api_versions.iter().cloned());
    template::check(&chart).map_err(|why| anyhow!(why))?;
    let rendered = render::render(chart, &values, &options).map_err(|failure| failure.error)?;
    Ok(text(asked, &rendered))
}

async fn chart(asked: &kustomize::Chart) -> Result<Chart, String> {
    let place = format!("{}/{}", asked.home, asked.name);
    if asked.repository.is_empty() || Path::new(&place).exists() {
        return source::chart(&place);
    }
    let flags = fetch::Flags::open(&asked.repository, &asked.version);
    let archive = flags.fetch(&asked.name).await?;
    Chart::from_archive(&archive).map_err(|error| error.to_string())
}

fn release(asked: &kustomize::Chart) -> Result<String> {
    if !asked.release.is_empty() {
        return Ok(asked.release.clone());
    }
    if asked.name_template.is_empty() {
        return Ok(format!("{}-{}", asked.name, jiff::Timestamp::now().as_second()));
    }
    template::named(&asked.name_template).map_err(|why| anyhow!(why))
}

fn values(asked: &kustomize::Chart) -> Result<Values> {
    let mut all = Values::new();
    for text in &asked.values {
        values::merge(&mut all, &values::parse(text.as_bytes())?);
    }
    Ok(all)
}

fn text(asked: &kustomize::Chart, rendered: &Rendered) -> String {
    let is_shown = |hook: &&Hook| {
        !(asked.skip_hooks || asked.skip_tests && hook.events.iter().any(|event| event == "test"))
    };
    let mut text = String::new();
    for (path, content) in rendered.crds().iter().filter(|_| asked.include_crds) {
        render::push(&mut text, path, content);
    }
    text.push_str(&rendered.manifest());
    for hook in rendered.hooks.iter().filter(is_shown) {
        render::push(&mut text, &hook.path, &hook.manifest);
    }
    text
}
