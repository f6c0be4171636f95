//! The charts that a chart needs and does not hold.

use std::path::Path;

use helm::{
    chart::{Chart, Dependency},
    requirement::{self, Origin},
};

use super::{
    build::Ended,
    local::{self, Root},
    lookup::{Charts, Missing},
};
use crate::source::Context;

/// Where the chart is.
pub(super) struct At<'a> {
    pub(super) root: &'a Root,
    pub(super) folder: &'a Path,
    pub(super) namespace: &'a str,
}

/// Adds what is missing; says how many that were.
pub(super) async fn resolve(
    chart: &mut Chart,
    at: &At<'_>,
    context: &Context,
) -> Result<usize, String> {
    let missing: Vec<Dependency> = requirement::missing(chart).into_iter().cloned().collect();
    for wanted in &missing {
        let name = wanted.effective_name();
        let origin = Origin::of(&wanted.repository)
            .map_err(|why| format!("failed to add remote dependency '{name}': {why}"))?;
        let mut found = match origin {
            Origin::Included => folder(wanted, &format!("charts/{}", wanted.name), at)
                .map_err(|why| format!("failed to add local dependency '{name}': {why}"))?,
            Origin::Folder(path) => folder(wanted, &path, at)
                .map_err(|why| format!("failed to add local dependency '{name}': {why}"))?,
            Origin::Repository(url) | Origin::Registry(url) => remote(wanted, &url, (at, context))
                .await
                .map_err(|why| format!("failed to add remote dependency '{name}': {why}"))?,
            Origin::Alias(_) => {
                return Err(format!(
                    "failed to add remote dependency '{name}': aliased repository dependency is \
                     not supported: {}",
                    wanted.repository
                ));
            }
        };
        if !wanted.alias.is_empty() {
            found.metadata.name.clone_from(&wanted.alias);
        }
        chart.subcharts.push(found);
    }
    Ok(missing.len())
}

/// A chart in the same source.
fn folder(wanted: &Dependency, path: &str, at: &At<'_>) -> Result<Chart, String> {
    let reference = &wanted.repository;
    let place = at
        .root
        .find_from(at.folder, path)
        .map_err(|_| format!("no chart found at '/{path}' (reference '{reference}')"))?;
    let chart = local::load(&place, at.root).map_err(|why| {
        format!("failed to load chart from '/{path}' (reference '{reference}'): {why}")
    })?;
    requirement::check_version(wanted, &chart).map_err(|why| why.to_string())?;
    Ok(chart)
}

/// A chart of a repository: one that an object of the same namespace describes, or any other.
async fn remote(
    wanted: &Dependency,
    url: &str,
    (at, context): (&At<'_>, &Context),
) -> Result<Chart, String> {
    let lost = |why: String| format!("failed to get chart repository for URL '{url}': {why}");
    let described = super::lookup::described(url, at.namespace, context).await;
    let charts = match described.map_err(lost)? {
        Some(repository) => Charts::of(&repository, context).await.map_err(|ended| {
            let (Ended::At(_, why) | Ended::Before(_, why) | Ended::Stalled(_, why)) = ended;
            lost(why)
        })?,
        None => Charts::unknown(url, at.namespace, context).map_err(lost)?,
    };
    let Dependency { name, version, repository, .. } = wanted;
    let found = charts.find(name, version, context).await.map_err(|missing| {
        let (Missing::Reference(why) | Missing::External(why)) = missing;
        format!("failed to get chart '{name}' version '{version}' from '{repository}': {why}")
    })?;
    let archive = charts
        .download(&found, context)
        .await
        .map_err(|why| format!("chart download of version '{}' failed: {why}", found.version))?;
    Chart::from_archive(&archive).map_err(|why| {
        format!("failed to load downloaded archive of version '{}': {why}", found.version)
    })
}
