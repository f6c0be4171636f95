//! `sluice helm lint`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use helm::capability::KubeVersion;
use helm::lint::{Message, Severity, lint};
use helm::render::Options;
use helm::values::Values;

use super::outside::Machine;
use super::{print, source, value};

/// Examine a chart for possible issues
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are Helm's")]
pub(super) struct Arguments {
    /// Folders or archives of charts
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<String>,
    /// Namespace scope for this request
    #[arg(short, long, default_value = "default", env = "HELM_NAMESPACE")]
    namespace: String,
    #[command(flatten)]
    values: value::Flags,
    /// Fail on lint warnings
    #[arg(long)]
    strict: bool,
    /// Lint dependent charts
    #[arg(long)]
    with_subcharts: bool,
    /// Print only warnings and errors
    #[arg(long)]
    quiet: bool,
    /// If set, disables JSON schema validation
    #[arg(long)]
    skip_schema_validation: bool,
    /// Kubernetes version used for capabilities and deprecation checks
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut options = Options::new("test-release", &arguments.namespace);
    options.host = Arc::new(Machine);
    options.skip_schema = arguments.skip_schema_validation;
    if let Some(version) = &arguments.kube_version {
        options.capabilities.kube_version = KubeVersion::parse(version)
            .map_err(|error| format!("invalid kube version '{version}': {error}"))?;
    }
    let values = arguments.values.values()?;
    let mut paths = arguments.paths.clone();
    if arguments.with_subcharts {
        for path in &arguments.paths {
            subcharts(&Path::new(path).join("charts"), 0, &mut paths);
        }
    }
    let (mut text, mut failed, mut noted) = (String::new(), 0, 0);
    for path in &paths {
        let found = one(path, &values, &options);
        let outcome = Outcome::of(&found, arguments.strict);
        noted += usize::from(outcome.is_noted);
        if arguments.quiet && !outcome.is_noted {
            continue;
        }
        failed += usize::from(outcome.is_failed);
        tell(path, &found, arguments.quiet, &mut text);
    }
    print(&text)?;
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", paths.len());
    if failed > 0 {
        return Err(summary);
    }
    if !arguments.quiet || noted > 0 {
        print(&format!("{summary}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

type Found = Result<Vec<Message>, String>;

/// What the findings mean.
struct Outcome {
    /// There are warnings or errors.
    is_noted: bool,
    is_failed: bool,
}

impl Outcome {
    fn of(found: &Found, strict: bool) -> Self {
        let least = if strict { Severity::Warning } else { Severity::Error };
        match found {
            Err(_) => Self { is_noted: true, is_failed: true },
            Ok(messages) => Self {
                is_noted: messages.iter().any(|it| it.severity > Severity::Info),
                is_failed: messages.iter().any(|it| it.severity >= least),
            },
        }
    }
}

fn tell(path: &str, found: &Found, quiet: bool, text: &mut String) {
    let _ = writeln!(text, "==> Linting {path}");
    match found {
        Err(error) => {
            let _ = writeln!(text, "Error {error}");
        }
        Ok(messages) => {
            for message in messages.iter().filter(|it| !quiet || it.severity > Severity::Info) {
                let _ = writeln!(text, "{message}");
            }
        }
    }
    text.push('\n');
}

fn one(path: &str, values: &Values, options: &Options) -> Found {
    let (files, folder) = if is_archive(path) {
        let archive = std::fs::read(path).map_err(|error| {
            format!("unable to open tarball: {}", source::opening(path, &error))
        })?;
        let files = helm::chart::archive_files(&archive)
            .map_err(|error| format!("unable to extract tarball: {error}"))?;
        (files, path.to_owned())
    } else {
        let folder = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let head = Path::new(path).join("Chart.yaml");
        if std::fs::metadata(&head).is_err() {
            return Err(format!(
                "unable to check Chart.yaml file in chart: stat {}: no such file or directory",
                head.display()
            ));
        }
        (source::folder(Path::new(path))?, folder.display().to_string())
    };
    Ok(lint(&files, &folder, values, options))
}

/// Whether a name is that of an archive; Helm looks at small letters only.
fn is_archive(path: &str) -> bool {
    [".tgz", ".tar.gz"].iter().any(|end| path.ends_with(end))
}

/// The charts in a folder `charts/`, however deep.
fn subcharts(folder: &Path, depth: usize, paths: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let shown = path.display().to_string();
        if path.is_dir() {
            if depth < 32 {
                subcharts(&path, depth + 1, paths);
            }
        } else if path.file_name().is_some_and(|name| name == "Chart.yaml") {
            paths.push(folder.display().to_string());
        } else if is_archive(&shown) {
            paths.push(shown);
        }
    }
}
