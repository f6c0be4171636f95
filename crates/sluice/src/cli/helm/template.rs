//! `sluice helm template`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use helm::Error;
use helm::capability::KubeVersion;
use helm::chart::Chart;
use helm::hook::Hook;
use helm::render::{self, Failure, Options, Rendered};
use regex::Regex;

use super::outside::Machine;
use super::{fetch, print, source, value, warn};

/// Locally render templates
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are Helm's")]
pub(super) struct Arguments {
    /// Name of the release, if the chart follows; otherwise the chart
    #[arg(value_name = "NAME")]
    first: String,
    /// Folder or .tgz of the chart, its name in --repo, or its oci:// address
    #[arg(value_name = "CHART")]
    second: Option<String>,
    /// Namespace scope for this request
    #[arg(short, long, default_value = "default", env = "HELM_NAMESPACE")]
    namespace: String,
    #[command(flatten)]
    values: value::Flags,
    #[command(flatten)]
    fetch: fetch::Flags,
    /// Only show manifests rendered from the given templates
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Writes the executed templates to files in output-dir instead of stdout
    #[arg(long, value_name = "DIR")]
    output_dir: Option<String>,
    /// Use release name in the output-dir path
    #[arg(long)]
    release_name: bool,
    /// Include CRDs in the templated output
    #[arg(long)]
    include_crds: bool,
    /// If set, no CRDs will be shown
    #[arg(long)]
    skip_crds: bool,
    /// Skip tests from templated output
    #[arg(long)]
    skip_tests: bool,
    /// Prevent hooks from being shown
    #[arg(long)]
    no_hooks: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    is_upgrade: bool,
    /// Kubernetes version used for Capabilities.KubeVersion
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Kubernetes api versions used for Capabilities.APIVersions
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// If set, disables JSON schema validation
    #[arg(long)]
    skip_schema_validation: bool,
    /// If set, render subchart notes along with the parent
    #[arg(long)]
    render_subchart_notes: bool,
    /// Enable DNS lookups when rendering templates
    #[arg(long)]
    enable_dns: bool,
    /// Generate the name (and omit the NAME parameter)
    #[arg(short, long)]
    generate_name: bool,
    /// Specify template used to name the release
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Enable verbose output, and show invalid YAML
    #[arg(long)]
    debug: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let options = arguments.options()?;
    let (name, path) = arguments.name_and_chart()?;
    let values = arguments.values.values()?;
    let chart = source::find(path, &arguments.fetch)?;
    check(&chart)?;
    let options = Options { release: render::Release { name, ..options.release }, ..options };
    let name_error = helm::release::check_name(&options.release.name);
    name_error.map_err(|error| format!("release name {:?}: {error}", options.release.name))?;
    match render::render(chart, &values, &options) {
        Ok(rendered) => {
            warn(&rendered.warnings);
            arguments.show(&rendered, &options.release.name)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => Err(arguments.failure(&failure)?),
    }
}

/// The name of a release by a template.
pub(in crate::cli) fn named(text: &str) -> Result<String, String> {
    let functions = gotemplate::FuncSet::text(Arc::new(Machine));
    let name = gotemplate::Template::parse("name-template", text, &functions)
        .and_then(|it| it.execute(&gotemplate::Value::Nil, &gotemplate::Options::default()));
    name.map_err(|error| error.to_string())
}

/// What cannot be installed: libraries, and charts that lack others.
pub(in crate::cli) fn check(chart: &Chart) -> Result<(), String> {
    let kind = &chart.metadata.kind;
    if !matches!(&**kind, "" | "application") {
        return Err(format!("{kind} charts are not installable"));
    }
    if chart.metadata.deprecated {
        warn(&["WARNING: This chart is deprecated".to_owned()]);
    }
    check_dependencies(chart)
}

/// What lacks other charts cannot be rendered.
pub(in crate::cli) fn check_dependencies(chart: &Chart) -> Result<(), String> {
    let is_there = |name: &str| chart.subcharts.iter().any(|subchart| subchart.name() == name);
    let asked = chart.metadata.dependencies.iter().map(|dependency| &*dependency.name);
    let missing: Vec<&str> = asked.filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "An error occurred while checking for chart dependencies. You may need to run `helm \
         dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in \
         charts/ directory: {}",
        missing.join(", ")
    ))
}

impl Arguments {
    fn options(&self) -> Result<Options, String> {
        let mut options = Options::new("release-name", &self.namespace);
        options.release.is_upgrade = self.is_upgrade;
        options.host = Arc::new(Machine);
        options.dns = self.enable_dns;
        options.skip_schema = self.skip_schema_validation;
        options.sub_notes = self.render_subchart_notes;
        if let Some(version) = &self.kube_version {
            let parsed = KubeVersion::parse(version);
            options.capabilities.kube_version =
                parsed.map_err(|error| format!("invalid kube version '{version}': {error}"))?;
        }
        options.capabilities.api_versions.extend(self.api_versions.iter().cloned());
        Ok(options)
    }

    fn name_and_chart(&self) -> Result<(String, &str), String> {
        if let Some(chart) = &self.second {
            if self.generate_name {
                return Err("cannot set --generate-name and also specify a name".to_owned());
            }
            if self.name_template.is_some() {
                return Err("cannot set --name-template and also specify a name".to_owned());
            }
            return Ok((self.first.clone(), chart));
        }
        if let Some(text) = &self.name_template {
            return Ok((named(text)?, &self.first));
        }
        if self.generate_name {
            let path = std::path::Path::new(&self.first);
            let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let base = base.split(".tgz").next().unwrap_or_default().to_owned();
            let now = jiff::Timestamp::now().as_second();
            return Ok((format!("{base}-{now}"), &self.first));
        }
        Ok(("release-name".to_owned(), &self.first))
    }

    /// The error as Helm tells it; with `--debug`, texts that are no YAML come first.
    fn failure(&self, failure: &Failure) -> Result<String, String> {
        let was_rendered = matches!(failure.error, Error::Render(_));
        if self.debug {
            let mut text = String::new();
            let full = failure.files.iter().filter(|(_, content)| !content.trim().is_empty());
            for (path, content) in full {
                render::push(&mut text, path, content);
            }
            if was_rendered {
                print(&format!("{}\n", text.trim()))?;
            }
            return Ok(failure.error.to_string());
        }
        let hint = "\n\nUse --debug flag to render out invalid YAML";
        Ok(format!("{}{}", failure.error, if was_rendered { hint } else { "" }))
    }

    fn show(&self, rendered: &Rendered, name: &str) -> Result<(), String> {
        let hidden = |hook: &&Hook| {
            !(self.no_hooks || self.skip_tests && hook.events.iter().any(|event| event == "test"))
        };
        let hooks: Vec<&Hook> = rendered.hooks.iter().filter(hidden).collect();
        let with_crds = self.include_crds && !self.skip_crds;
        let crds = if with_crds { rendered.crds() } else { Vec::new() };
        if let Some(folder) = &self.output_dir {
            let parts = crds.iter().map(|(path, content)| (&**path, &**content));
            let parts = parts.chain(rendered.manifests.iter().map(|it| (&*it.path, &*it.content)));
            let parts = parts.chain(hooks.iter().map(|hook| (&*hook.path, &*hook.manifest)));
            let folder =
                if self.release_name { format!("{folder}/{name}") } else { folder.clone() };
            let told = write_files(&folder, parts)?;
            return print(&format!("{told}\n"));
        }
        let mut text = String::new();
        for (path, content) in &crds {
            render::push(&mut text, path, content);
        }
        text.push_str(&rendered.manifest());
        let mut text = format!("{}\n", text.trim());
        for hook in hooks {
            render::push(&mut text, &hook.path, &hook.manifest);
        }
        if self.show_only.is_empty() {
            return print(&text);
        }
        print(&self.only(&text)?)
    }

    /// The documents that come from the templates asked for.
    fn only(&self, text: &str) -> Result<String, String> {
        let source = Regex::new("# Source: [^/]+/(.+)").map_err(|error| error.to_string())?;
        let documents = helm::manifest::split(text);
        let mut shown = String::new();
        for pattern in &self.show_only {
            let mut missing = true;
            for document in &documents {
                let Some(path) = source.captures(document).and_then(|it| it.get(1)) else {
                    continue;
                };
                if helm::chart::path_matches(pattern, path.as_str()) {
                    let _ = write!(shown, "---\n{document}\n");
                    missing = false;
                }
            }
            if missing {
                return Err(format!("could not find template {pattern} in chart"));
            }
        }
        Ok(shown)
    }
}

/// Writes documents below a folder, those of one template into one file, and tells which.
fn write_files<'a>(
    folder: &str,
    parts: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<String, String> {
    let mut written = BTreeSet::new();
    let mut told = String::new();
    for (path, content) in parts {
        let file = format!("{folder}/{path}");
        let failed = |error: std::io::Error| source::opening(&file, &error);
        if let Some(parent) = std::path::Path::new(&file).parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut text = String::new();
        render::push(&mut text, path, content);
        if written.insert(path) {
            std::fs::write(&file, text).map_err(failed)?;
        } else {
            let mut open = std::fs::OpenOptions::new().append(true).open(&file).map_err(failed)?;
            std::io::Write::write_all(&mut open, text.as_bytes()).map_err(failed)?;
        }
        let _ = writeln!(told, "wrote {file}");
    }
    Ok(told)
}
