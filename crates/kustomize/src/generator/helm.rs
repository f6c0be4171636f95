//! Helm charts, inflated by the caller.

use yaml::{Mapping, Value};

use super::Generator;
use crate::fields::Fields;
use crate::inputs::{Answer, Chart, Question};
use crate::resource::Resource;
use crate::transformer::Setup;
use crate::{Error, documents, path};

/// What the caller says about charts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Charts may be inflated at all.
    pub enabled: bool,
    /// The version of Kubernetes that templates see, in place of the charts' own.
    pub kube_version: String,
    /// API versions that templates may ask for, in place of the charts' own.
    pub api_versions: Vec<String>,
}

/// The fields of an entry of `helmCharts`.
pub(crate) const FIELDS: [&str; 17] = [
    "name",
    "version",
    "repo",
    "releaseName",
    "namespace",
    "additionalValuesFiles",
    "valuesFile",
    "valuesInline",
    "valuesMerge",
    "includeCRDs",
    "skipHooks",
    "apiVersions",
    "kubeVersion",
    "nameTemplate",
    "skipTests",
    "debug",
    "devel",
];

/// An entry of the old `helmChartInflationGenerator` as one of `helmCharts`, and the globals in it.
pub(crate) fn modernised(old: &Fields<'_>) -> Result<(Value, Option<Value>), Error> {
    const RENAMED: [(&str, &str); 7] = [
        ("chartName", "name"),
        ("chartVersion", "version"),
        ("chartRepoUrl", "repo"),
        ("values", "valuesFile"),
        ("valuesLocal", "valuesInline"),
        ("valuesMerge", "valuesMerge"),
        ("releaseName", "releaseName"),
    ];
    let others =
        ["chartHome", "chartRepoName", "helmBin", "helmHome", "releaseNamespace", "extraArgs"];
    let known: Vec<&str> = RENAMED.iter().map(|(old, _)| *old).chain(others).collect();
    old.only(&known)?;
    let mut chart = Mapping::new();
    for (from, to) in RENAMED {
        if let Some(value) = old.get(from) {
            chart.insert(to.to_owned(), value.clone());
        }
    }
    let home = old
        .get("chartHome")
        .map(|home| Value::Mapping([("chartHome".to_owned(), home.clone())].into_iter().collect()));
    Ok((Value::Mapping(chart), home))
}

/// Inflates a chart.
pub(crate) struct HelmChart {
    chart: Chart,
}

impl HelmChart {
    /// From an entry of `helmCharts` and the `helmGlobals` beside it.
    pub(crate) fn read(
        entry: &Fields<'_>,
        globals: &Fields<'_>,
        access: &Access,
        setup: Setup<'_, '_>,
    ) -> Result<Self, Error> {
        if !access.enabled {
            return Err(Error::Refused("must specify --enable-helm".to_owned()));
        }
        let name = entry.text("name")?;
        if name.is_empty() {
            return Err(Error::Invalid("chart name cannot be empty".to_owned()));
        }
        let or = |own: String, other: &str| if other.is_empty() { own } else { other.to_owned() };
        let home = globals.text("chartHome")?;
        let home = if home.is_empty() { "charts" } else { &home };
        let mut chart = Chart {
            version: entry.text("version")?,
            repository: entry.text("repo")?,
            home: if home.starts_with('/') {
                home.to_owned()
            } else {
                path::join(&setup.loader.root, home)
            },
            release: entry.text("releaseName")?,
            namespace: entry.text("namespace")?,
            name_template: entry.text("nameTemplate")?,
            include_crds: entry.flag("includeCRDs")?,
            skip_hooks: entry.flag("skipHooks")?,
            skip_tests: entry.flag("skipTests")?,
            api_versions: entry.texts("apiVersions")?,
            kube_version: or(entry.text("kubeVersion")?, &access.kube_version),
            values: Vec::new(),
            name,
        };
        if !access.api_versions.is_empty() {
            chart.api_versions.clone_from(&access.api_versions);
        }
        if !chart.version.is_empty() && !chart.repository.is_empty() {
            chart.home = path::join(&chart.home, &format!("{}-{}", chart.name, chart.version));
        }
        chart.values = values(entry, setup)?;
        Ok(Self { chart })
    }
}

/// The texts of all values, later ones win. The chart's own are not among them.
fn values(entry: &Fields<'_>, setup: Setup<'_, '_>) -> Result<Vec<String>, Error> {
    let file = entry.text("valuesFile")?;
    let file = if file.is_empty() { None } else { Some(setup.loader.load_text(&file)?) };
    let inline = match entry.get("valuesInline") {
        Some(Value::Mapping(map)) if !map.is_empty() => {
            Some(Value::Mapping(Mapping::clone(map)).to_yaml()?)
        }
        _ => None,
    };
    let mut values: Vec<String> = match (entry.text("valuesMerge")?.as_str(), inline) {
        ("" | "override", inline) => file.into_iter().chain(inline).collect(),
        ("merge", inline) => inline.into_iter().chain(file).collect(),
        ("replace", Some(inline)) => vec![inline],
        ("replace", None) => file.into_iter().collect(),
        _ => {
            return Err(Error::Invalid(
                "valuesMerge must be one of [merge override replace]".to_owned(),
            ));
        }
    };
    for file in entry.texts("additionalValuesFiles")? {
        values.push(
            setup
                .loader
                .load_text(&file)
                .map_err(|error| error.within("could not load additionalValuesFile"))?,
        );
    }
    Ok(values)
}

impl Generator for HelmChart {
    fn generate(&self, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error> {
        let question = Question::Chart(Box::new(self.chart.clone()));
        match setup.loader.inputs.ask(question)? {
            Answer::Text(text) => {
                documents::resources(&String::from_utf8_lossy(text), setup.budget(), setup.schema)
            }
            Answer::Failed(why) => Err(Error::Load(why.clone())),
            Answer::Checkout(_) | Answer::Status(..) => Err(Error::Load(format!(
                "chart {} is answered with something else",
                self.chart.name
            ))),
        }
    }
}
