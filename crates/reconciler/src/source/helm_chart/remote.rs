//! A chart of a repository.

use api::source::{HelmChart, HelmChartStatus, HelmRepository};
use helm::chart::{Chart, package};
use jiff::Timestamp;
use kube::ResourceExt as _;
use registry::Call;
use verification::{Subject, Verdict};

use super::{
    build::{Build, Ended, Step, Wanted, with_metadata},
    lookup::{Charts, Found, Missing, tag_of},
    provenance,
    values::{self, Found as Values},
};
use crate::source::Context;

/// Finds the chart, checks its signature, and fetches it if it is not the artifact already.
pub(super) async fn build(
    it: &HelmChart,
    status: &HelmChartStatus,
    (repository, now): (&HelmRepository, Timestamp),
    context: &Context,
) -> Result<Build, Ended> {
    let charts = Charts::of(repository, context).await?;
    check_name(&it.spec.chart)?;
    let range = it.spec.version.as_deref().unwrap_or("*");
    let mut found = charts.find(&it.spec.chart, range, context).await.map_err(|missing| {
        let what = "failed to get chart version for remote reference";
        match missing {
            Missing::Reference(why) => Step::Reference.failed(format!("{what}: {why}")),
            Missing::External(why) => Step::Pull.failed(format!("{what}: {why}")),
        }
    })?;
    let verified = verify(it, (&charts, &mut found), now, context).await?;
    let wanted = Wanted::new(it, status);
    let metadata = wanted.metadata(None);
    let version = with_metadata(&found.version, &metadata)?;
    let packaged = !metadata.is_empty();
    let settled = provenance::is_settled(it, &version);
    if let Some(stored) = wanted.stored(&found.name, &version, packaged).filter(|_| settled) {
        let verified = verified || provenance::keyring(it).is_some();
        return Ok(Build { verified, ..stored });
    }
    let archive = charts.download(&found, context).await.map_err(|why| {
        Step::Pull.failed(format!("failed to download chart for remote reference: {why}"))
    })?;
    let proven = provenance::check(it, (&charts, &found), &archive, context).await?;
    let verified = verified || proven;
    let build = Build {
        name: found.name,
        version,
        values_files: Vec::new(),
        dependencies: 0,
        packaged,
        verified,
        bytes: None,
    };
    let (files, ignores) = (wanted.values_files().to_vec(), wanted.ignores_missing());
    let bytes = archive.len();
    let work = move || make(build, archive, (&files, ignores));
    let made = context.compute.run(bytes, work).await;
    made.unwrap_or_else(|panicked| Err(Step::Package.failed(panicked)))
}

/// The chart as it is, or packed anew with other values.
fn make(
    mut build: Build,
    archive: Vec<u8>,
    (files, ignores_missing): (&[String], bool),
) -> Result<Build, Ended> {
    if !build.packaged {
        Chart::from_archive(&archive).map_err(|error| {
            let what = "failed to load chart metadata from written chart";
            Step::Pull.failed(format!("{what}: {error}"))
        })?;
        build.bytes = Some(archive);
        return Ok(build);
    }
    let mut chart = Chart::from_archive(&archive).map_err(|error| {
        Step::Package.failed(format!("failed to load downloaded chart: {error}"))
    })?;
    chart.metadata.version.clone_from(&build.version);
    let found = own_files(&chart, files, ignores_missing)
        .map_err(|why| Step::Values.failed(format!("failed to merge chart values: {why}")))?;
    build.values_files = values::overwrite(&mut chart, found)?;
    let bytes = package(&chart)
        .map_err(|error| Step::Package.failed(format!("failed to package chart: {error}")))?;
    build.bytes = Some(bytes);
    Ok(build)
}

/// Values files in the chart itself.
fn own_files(
    chart: &Chart,
    paths: &[String],
    ignores_missing: bool,
) -> Result<Vec<Values>, String> {
    let mut found = Vec::new();
    for path in paths {
        let clean = values::clean(path);
        let text = if clean == "values.yaml" {
            Some(chart.values_text.as_deref().unwrap_or_default().to_vec())
        } else {
            chart.files.iter().find(|it| it.name == clean).map(|it| it.data.to_vec())
        };
        match text {
            Some(text) => found.push(Values { path: path.clone(), text }),
            None if ignores_missing => {}
            None => return Err(format!("no values file found at path '{path}'")),
        }
    }
    Ok(found)
}

/// Names are parts of small letters, digits and dashes between slashes and dots
/// (`^([-a-z0-9]+/?\.?)+$`).
fn check_name(name: &str) -> Result<(), Ended> {
    if name.is_empty() {
        return Err(Step::Reference.failed("no name set for remote chart reference"));
    }
    let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-/.".contains(&it);
    let starts = name.bytes().next().is_some_and(|it| !b"/.".contains(&it));
    let odd = ["//", "..", "./"].iter().any(|it| name.contains(it));
    if starts && !odd && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Step::Reference.failed(format!(
        "invalid chart name '{name}': a valid name must be lower case letters and numbers and MAY \
         be separated with dashes (-), slashes (/) or periods (.)"
    )))
}

/// Checks the signature, in every pass; says whether there was one to check.
async fn verify(
    it: &HelmChart,
    (charts, found): (&Charts, &mut Found),
    now: Timestamp,
    context: &Context,
) -> Result<bool, Ended> {
    let Some(verify) = &it.spec.verify else { return Ok(false) };
    let Charts::Registry(registry) = charts else {
        return Err(Step::Verification.failed("not implemented"));
    };
    let address = registry.address(&found.name, &found.version);
    let failed =
        |why: String| Step::Verification.failed(format!("failed to verify {address}: {why}"));
    let repository = registry.repository(&found.name).map_err(&failed)?;
    let call =
        Call { repository: &repository, access: &registry.access, timeout: registry.timeout };
    let tag = tag_of(&found.version);
    let resolved = context.registry.resolve(&call, &tag).await;
    let resolved = resolved.map_err(|error| failed(error.to_string()))?;
    let digest = registry::Digest::parse(&resolved).map_err(|error| failed(error.to_string()))?;
    let shown = format!("{}:{tag}", repository.canonical());
    let subject =
        Subject { registry: &context.registry, call: &call, shown: &shown, digest: &digest };
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = context.reader(&namespace, ("HelmChart", &name));
    let work = verification::verify(subject, verify, (&reader, now));
    let result = tokio::time::timeout(call.timeout, work).await;
    let result = result.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
    let verdict = result.map_err(failed)?;
    // What was verified is what is pulled, whatever the tag means by then.
    found.digest = Some(digest);
    Ok(verdict == Verdict::Verified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_upstream_does() {
        for good in ["podinfo", "a/b/podinfo", "a.b", "-a", "a/"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "Podinfo", "/a", "../a", "a//b", ".a", "a b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
