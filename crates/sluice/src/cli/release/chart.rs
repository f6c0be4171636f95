//! The chart that a HelmRelease names: on this disk, or fetched from where its source says.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use api::{helm::HelmRelease, source::HelmChartSpec};
use helm::{chart::Chart, values};
use serde_json::{Value, json};

use super::{Files, own, read};
use crate::cli::helm::{fetch, template};

/// Which chart of which source.
struct Wanted {
    kind: String,
    namespace: String,
    name: String,
    /// What is taken of the source; nothing if the source is the chart.
    spec: Option<HelmChartSpec>,
}

impl Wanted {
    /// As `--local-sources` names the source.
    fn key(&self) -> String {
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }

    fn chart(&self) -> &str {
        self.spec.as_ref().map_or("", |spec| &spec.chart)
    }

    /// The range of versions.
    fn range(&self) -> &str {
        let range = self.spec.as_ref().and_then(|spec| spec.version.as_deref());
        range.filter(|range| !range.is_empty()).unwrap_or("*")
    }

    fn is_repository(&self) -> bool {
        self.kind == "HelmRepository"
    }
}

impl Files<'_> {
    /// The chart of a release, with the values files that the spec asks for.
    pub(super) async fn chart(&self, it: &HelmRelease, manifests: &[Value]) -> Result<Chart> {
        let wanted = self.wanted(it, manifests).await?;
        let known = self.arguments.local_sources.iter().find(|(key, _)| *key == wanted.key());
        let (mut chart, root) = match (&self.arguments.path, known) {
            (Some(path), _) => (read(path)?, path.clone()),
            (None, Some((_, path))) => {
                let place = place(&wanted, path)?;
                let root = if wanted.is_repository() { place.clone() } else { path.clone() };
                (read(&place)?, root)
            }
            (None, None) => (self.fetched(&wanted, manifests).await?, PathBuf::new()),
        };
        template::check_dependencies(&chart).map_err(|why| anyhow!(why))?;
        if let Some(spec) = &wanted.spec {
            choose_values(&mut chart, spec, &root)?;
        }
        Ok(chart)
    }

    async fn wanted(&self, it: &HelmRelease, manifests: &[Value]) -> Result<Wanted> {
        let here = |namespace: &Option<String>| {
            namespace.clone().filter(|given| !given.is_empty()).unwrap_or_else(|| own(it))
        };
        if let Some(template) = &it.spec.chart {
            let from = &template.spec.source_ref;
            let spec = json!(template.spec);
            return Ok(Wanted {
                kind: from.kind.clone(),
                namespace: here(&from.namespace),
                name: from.name.clone(),
                spec: Some(spec_of(spec, &it.spec.interval)?),
            });
        }
        let from = it.spec.chart_ref.as_ref().context("either chart or chartRef must be set")?;
        let (kind, namespace, name) = (from.kind.clone(), here(&from.namespace), from.name.clone());
        let direct = Wanted { kind, namespace, name, spec: None };
        if direct.kind != "HelmChart" {
            return Ok(direct);
        }
        let place = (&*direct.namespace, &*direct.name);
        let Some(chart) = self.referred("HelmChart", place, manifests).await? else {
            return Ok(direct);
        };
        let spec = spec_of(chart["spec"].clone(), &it.spec.interval)?;
        let from = &spec.source_ref;
        Ok(Wanted { kind: from.kind.clone(), name: from.name.clone(), spec: Some(spec), ..direct })
    }

    /// Fetches a chart from a repository or a registry that is open to everybody.
    async fn fetched(&self, wanted: &Wanted, manifests: &[Value]) -> Result<Chart> {
        let place = (&*wanted.namespace, &*wanted.name);
        let lost = || {
            let key = wanted.key();
            anyhow!(
                "where is {key}, the source of the chart? Say so with --path or --local-sources {key}=PATH"
            )
        };
        if !["HelmRepository", "OCIRepository"].contains(&&*wanted.kind) {
            return Err(lost());
        }
        let source = self.referred(&wanted.kind, place, manifests).await?.ok_or_else(lost)?;
        let url = source["spec"]["url"].as_str().unwrap_or_default();
        let plain = source["spec"]["insecure"] == true;
        let archive = if wanted.is_repository() {
            let flags = fetch::Flags::open(url, wanted.range());
            flags.plain(plain).fetch(wanted.chart()).await
        } else {
            let of = &source["spec"]["ref"];
            let range = [&of["semver"], &of["tag"]].into_iter().find_map(Value::as_str);
            if of["digest"].is_string() {
                bail!("OCIRepositories with a digest are not fetched: give --path");
            }
            fetch::Flags::at(range.unwrap_or("latest")).plain(plain).fetch(url).await
        };
        let archive = archive.map_err(|why| anyhow!(why))?;
        Ok(Chart::from_archive(&archive)?)
    }
}

/// The spec of a chart; a template has all of it but for the interval.
fn spec_of(mut spec: Value, interval: &str) -> Result<HelmChartSpec> {
    if spec["interval"].is_null() {
        spec["interval"] = json!(interval);
    }
    serde_json::from_value(spec).context("this is no valid chart")
}

/// Where a chart of a local source is.
fn place(wanted: &Wanted, root: &Path) -> Result<PathBuf> {
    match wanted.kind.as_str() {
        "GitRepository" | "Bucket" => Ok(root.join(wanted.chart().trim_start_matches('/'))),
        "HelmRepository" => archived(wanted, root),
        _ => Ok(root.to_owned()),
    }
}

/// The chart of a repository that is a folder: a folder of its name, or the archive of the highest
/// version that fits.
fn archived(wanted: &Wanted, root: &Path) -> Result<PathBuf> {
    let (shown, name) = (root.display(), wanted.chart());
    let folder = root.join(name);
    if folder.join("Chart.yaml").is_file() {
        return Ok(folder);
    }
    let entries = std::fs::read_dir(root).with_context(|| format!("cannot read {shown}"))?;
    let version = |file: &str| -> Option<String> {
        let version = file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".tgz")?;
        Some(version.to_owned())
    };
    let found = entries.flatten().filter_map(|it| version(it.file_name().to_str()?)).collect();
    let highest = fetch::highest(wanted.range(), found).map_err(|why| {
        anyhow!("there is neither a folder {name} nor an archive of it in {shown}: {why}")
    })?;
    Ok(root.join(format!("{name}-{highest}.tgz")))
}

/// Merges the values files that the spec names into the chart's values. `root` is the folder of the
/// source, or of the chart.
fn choose_values(chart: &mut Chart, spec: &HelmChartSpec, root: &Path) -> Result<()> {
    let files = spec.values_files.as_deref().unwrap_or_default();
    let (mut merged, mut found) = (values::Values::new(), false);
    for file in files {
        let text = if spec.source_ref.kind == "HelmRepository" {
            packed(chart, file)
        } else {
            written(spec, root, file)?
        };
        let Some(text) = text else {
            if spec.ignore_missing_values_files == Some(true) {
                continue;
            }
            bail!("there is no values file {file}");
        };
        let values = values::parse(&text).with_context(|| format!("in values file {file}"))?;
        values::merge(&mut merged, &values);
        found = true;
    }
    if found {
        chart.overwrite_values(values::to_yaml(&merged)?.as_bytes())?;
    }
    Ok(())
}

/// A file in a chart.
fn packed(chart: &Chart, file: &str) -> Option<Vec<u8>> {
    if file == "values.yaml" {
        return chart.values_text.as_ref().map(|text| text.to_vec());
    }
    chart.files.iter().find(|it| it.name == file).map(|it| it.data.to_vec())
}

/// A file of a source; it may be one of the chart.
fn written(spec: &HelmChartSpec, root: &Path, file: &str) -> Result<Option<Vec<u8>>> {
    let file = file.trim_start_matches(['.', '/']);
    let folder = spec.chart.trim_matches(['.', '/']);
    let in_chart = file.strip_prefix(folder).map(|rest| rest.trim_start_matches('/'));
    let places = [Some(file), in_chart].into_iter().flatten().map(|it| root.join(it));
    let Some(path) = places.into_iter().find(|it| it.is_file()) else { return Ok(None) };
    std::fs::read(&path).map(Some).with_context(|| format!("cannot read {}", path.display()))
}
