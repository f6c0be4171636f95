//! What is wrong, or could be better, with a chart: the rules of `helm lint`.

mod chartfile;
mod deprecation;
mod manifest;
mod name;

use std::fmt;

use crate::chart::{Chart, File};
use crate::enable;
use crate::render::{self, Options};
use crate::values::{self, Nulls, Values, merge_tables};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It could be better.
    Info,
    /// It may go wrong.
    Warning,
    /// It will go wrong.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How bad it is.
    pub severity: Severity,
    /// The file it is in.
    pub path: String,
    /// What it is.
    pub text: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)
    }
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Message>);

impl Findings {
    /// Notes what a rule says; whether it is content.
    fn rule(&mut self, severity: Severity, path: &str, result: Result<(), String>) -> bool {
        let Err(text) = result else { return true };
        self.0.push(Message { severity, path: path.to_owned(), text });
        false
    }
}

/// Lints a chart from the files of its folder, as it is rendered with `values`. `folder` is how
/// the folder is called in findings about the chart as a whole.
pub fn lint(files: &[File], folder: &str, values: &Values, options: &Options) -> Vec<Message> {
    let mut findings = Findings::default();
    chartfile::check(files, &mut findings);
    check_values(files, values, options, &mut findings);
    let chart = Chart::from_folder(files.to_vec());
    match &chart {
        Ok(chart) => check_templates(chart, values, options, &mut findings),
        Err(error) => {
            findings.rule(Severity::Error, "templates/", Err(error.to_string()));
        }
    }
    check_dependencies(chart.map_err(|error| error.to_string()), folder, &mut findings);
    findings.0
}

fn check_values(files: &[File], values: &Values, options: &Options, findings: &mut Findings) {
    let Some(file) = files.iter().find(|file| file.name == "values.yaml") else {
        let missing = Err("file does not exist".to_owned());
        findings.rule(Severity::Info, "values.yaml", missing);
        return;
    };
    let result = values::parse(&file.data)
        .map_err(|error| format!("unable to parse YAML: {error}"))
        .and_then(|defaults| {
            let mut all = values.clone();
            merge_tables(&mut all, defaults, Nulls::Drop, &mut Vec::new());
            let schema = files.iter().find(|file| file.name == "values.schema.json");
            match schema.filter(|it| !it.data.is_empty() && !options.skip_schema) {
                Some(schema) => crate::schema::one(&schema.data, &all),
                None => Ok(()),
            }
        });
    findings.rule(Severity::Error, "values.yaml", result);
}

fn check_templates(chart: &Chart, values: &Values, options: &Options, findings: &mut Findings) {
    let options = Options { lint: true, ..options.clone() };
    let mut probe = chart.clone();
    // Helm says nothing of dependencies that cannot be processed here.
    if enable::process(&mut probe, values, &mut Vec::new()).is_err() {
        return;
    }
    let texts = match render::texts(chart.clone(), values, &options) {
        Ok(texts) => texts,
        Err(error) => {
            findings.rule(Severity::Error, "templates/", Err(error.to_string()));
            return;
        }
    };
    for template in &chart.templates {
        let rendered = texts.get(&format!("{}/{}", chart.name(), template.name));
        let rendered = rendered.map_or("", String::as_str);
        if !manifest::check(template, rendered, &options.capabilities.kube_version, findings) {
            return;
        }
    }
}

fn check_dependencies(chart: Result<Chart, String>, folder: &str, findings: &mut Findings) {
    let chart = match chart {
        Ok(chart) => chart,
        Err(error) => {
            findings.rule(Severity::Error, "", Err(format!("unable to load chart\n\t{error}")));
            return;
        }
    };
    let asked: Vec<&str> = chart.metadata.dependencies.iter().map(|it| &*it.name).collect();
    let there: Vec<&str> = chart.subcharts.iter().map(Chart::name).collect();
    let without = |all: &[&str], known: &[&str]| {
        all.iter().filter(|name| !known.contains(name)).copied().collect::<Vec<_>>().join(",")
    };
    let told = |what: &str, names: String| {
        if names.is_empty() { Ok(()) } else { Err(format!("{what}: {names}")) }
    };
    let unasked = told("chart metadata is missing these dependencies", without(&there, &asked));
    findings.rule(Severity::Error, folder, unasked);
    let missing = told("chart directory is missing these dependencies", without(&asked, &there));
    findings.rule(Severity::Warning, folder, missing);
}
