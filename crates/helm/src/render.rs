//! A chart with values to what is installed.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::{Host, Limits};

use crate::Error;
use crate::capability::Capabilities;
use crate::chart::Chart;
use crate::enable;
use crate::engine::{self, Mode, World};
use crate::hook::Hook;
use crate::manifest::{self, Manifest};
use crate::schema;
use crate::values::{Nulls, Values, coalesce};

pub use crate::engine::Cluster;

/// What `.Release` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Name of the release.
    pub name: String,
    /// Where it goes.
    pub namespace: String,
    /// The revision to be made, from 1.
    pub revision: i64,
    /// Whether there is one already.
    pub is_upgrade: bool,
}

/// How a chart is rendered.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent wishes")]
pub struct Options {
    /// What `.Release` shows.
    pub release: Release,
    /// What `.Capabilities` shows.
    pub capabilities: Capabilities,
    /// Time, randomness and keys.
    pub host: Arc<dyn Host>,
    /// Where `lookup` looks; without it, it finds nothing.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// `getHostByName` asks the host; otherwise it returns nothing.
    pub dns: bool,
    /// A key that is missing is an error.
    pub strict: bool,
    /// `required` and `fail` let everything through.
    pub lint: bool,
    /// The schemas of the charts are not asked.
    pub skip_schema: bool,
    /// The notes of subcharts count, too.
    pub sub_notes: bool,
    /// What all templates together may use.
    pub limits: Limits,
}

impl Options {
    /// For a first installation on a cluster that Helm makes up, with nothing from outside.
    pub fn new(name: &str, namespace: &str) -> Self {
        Self {
            release: Release {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                revision: 1,
                is_upgrade: false,
            },
            capabilities: Capabilities::default(),
            host: Arc::new(Nothing),
            cluster: None,
            dns: false,
            strict: false,
            lint: false,
            skip_schema: false,
            sub_notes: false,
            limits: limits(),
        }
    }
}

/// More than one template may use: a chart has hundreds.
fn limits() -> Limits {
    Limits { value_depth: 1_100, steps: 200_000_000, bytes: 2 << 30, ..Limits::default() }
}

/// A host that has nothing.
struct Nothing;

impl Host for Nothing {}

/// What a chart became.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The chart with the subcharts that are on, under their aliases, and imported values.
    pub chart: Chart,
    /// Hooks, by kind in the order of installation.
    pub hooks: Vec<Hook>,
    /// Objects, by kind in the order of installation.
    pub manifests: Vec<Manifest>,
    /// The text of NOTES.txt.
    pub notes: String,
    /// What was odd with the values.
    pub warnings: Vec<String>,
}

impl Rendered {
    /// The manifest of the release: every object with the path it came from.
    pub fn manifest(&self) -> String {
        let mut text = String::new();
        for manifest in &self.manifests {
            push(&mut text, &manifest.path, &manifest.content);
        }
        text
    }

    /// The files below `crds/` with their paths, those of the chart before those of its subcharts.
    pub fn crds(&self) -> Vec<(String, String)> {
        crds(&self.chart)
    }
}

/// Leaves the subcharts that are on with these values, under their aliases, as rendering does.
///
/// # Errors
/// With Helm's text.
pub fn choose(chart: &mut Chart, values: &Values) -> Result<(), Error> {
    enable::process(chart, values, &mut Vec::new())
}

/// The values that a chart's templates see: the user's over the defaults of the charts.
///
/// # Errors
/// With Helm's text.
pub fn coalesced(chart: &Chart, values: &Values) -> Result<Values, Error> {
    coalesce(chart, values.clone(), Nulls::Drop, &mut Vec::new())
}

/// Merges tables as Helm reuses values: `values` win over `below`, and a null takes a default away.
pub fn reuse(values: &mut Values, below: Values) {
    crate::values::merge_tables(values, below, Nulls::Drop, &mut Vec::new());
}

/// The files below `crds/` of a chart and of those in it, which are installed as they are.
pub fn crds(chart: &Chart) -> Vec<(String, String)> {
    let mut found = Vec::new();
    gather(chart, chart.name(), &mut found);
    found
}

fn gather(chart: &Chart, path: &str, found: &mut Vec<(String, String)>) {
    for file in &chart.files {
        let base = engine::base_name(&file.name);
        let extension = base.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_manifest =
            ["yaml", "yml", "json"].iter().any(|it| it.eq_ignore_ascii_case(extension));
        if file.name.starts_with("crds/") && is_manifest {
            found.push((format!("{path}/{}", file.name), file.text().into_owned()));
        }
    }
    let below = path.strip_suffix(chart.name()).unwrap_or_default();
    let shown = chart.path_name.as_deref().unwrap_or(chart.name());
    for subchart in &chart.subcharts {
        gather(subchart, &format!("{below}{shown}/charts/{}", subchart.name()), found);
    }
}

/// Appends one document with the path it came from.
pub fn push(text: &mut String, path: &str, content: &str) {
    text.push_str("---\n# Source: ");
    text.push_str(path);
    text.push('\n');
    text.push_str(content);
    text.push('\n');
}

/// Why a chart could not be rendered, and what there is of it: Helm shows texts that are no YAML.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// The texts by the paths of their templates, if it came so far.
    pub files: BTreeMap<String, String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, files: BTreeMap::new() }
    }
}

/// The texts that the templates of a chart make, by their paths, before they are cut and sorted.
///
/// # Errors
/// With Helm's text.
pub fn texts(
    mut chart: Chart,
    values: &Values,
    options: &Options,
) -> Result<BTreeMap<String, String>, Error> {
    prepare_and_execute(&mut chart, values, options, &mut Vec::new())
}

/// Renders a chart with the user's values: chooses the subcharts, brings the values together, asks
/// the schemas, executes the templates and sorts what they made.
///
/// # Errors
/// With Helm's text.
pub fn render(mut chart: Chart, values: &Values, options: &Options) -> Result<Rendered, Failure> {
    let mut warnings = Vec::new();
    let mut files = prepare_and_execute(&mut chart, values, options, &mut warnings)?;
    let notes = take_notes(&mut files, chart.name(), options.sub_notes);
    match manifest::sort(&files) {
        Ok((hooks, manifests)) => Ok(Rendered { chart, hooks, manifests, notes, warnings }),
        Err(error) => Err(Failure { error, files }),
    }
}

fn prepare_and_execute(
    chart: &mut Chart,
    values: &Values,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, String>, Error> {
    enable::process(chart, values, warnings)?;
    let all = coalesce(chart, values.clone(), Nulls::Drop, warnings)?;
    if !options.skip_schema {
        schema::check(chart, &all)?;
    }
    check_kube_version(chart, &options.capabilities)?;
    let mode = Mode {
        strict: options.strict,
        lint: options.lint,
        dns: options.dns,
        host: Arc::clone(&options.host),
        cluster: options.cluster.clone(),
    };
    let world = World {
        values: &all,
        release: &options.release,
        capabilities: &options.capabilities,
        mode: &mode,
        limits: &options.limits,
    };
    engine::render(chart, &world)
}

/// Takes the notes out of the files.
fn take_notes(files: &mut BTreeMap<String, String>, chart: &str, with_subcharts: bool) -> String {
    let own = format!("{chart}/templates/NOTES.txt");
    let mut notes: Vec<String> = Vec::new();
    files.retain(|path, text| {
        let is_note = path.ends_with("NOTES.txt");
        if is_note && (with_subcharts || *path == own) {
            notes.push(std::mem::take(text));
        }
        !is_note
    });
    notes.retain(|text| !text.is_empty() || !with_subcharts);
    notes.join("\n")
}

fn check_kube_version(chart: &Chart, capabilities: &Capabilities) -> Result<(), Error> {
    let (range, version) = (&chart.metadata.kube_version, &capabilities.kube_version.version);
    if range.is_empty() || enable::is_in_range(range, version) {
        return Ok(());
    }
    Err(Error::Render(format!(
        "chart requires kubeVersion: {range} which is incompatible with Kubernetes {version}"
    )))
}
