//! `sluice kustomize build`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use kustomize::{Access, Budget, Error, Inputs, Manifest, Options, Output, Reorder};

use super::{disk::Disk, remote::Remote};

/// Build a kustomization target from a directory or URL
///
/// The output is that of `kustomize build`, byte for byte.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A directory with a kustomization.yaml, or the URL of a Git repository
    #[arg(value_name = "DIR", default_value = ".")]
    target: String,
    /// Write the output to this file, or a file for each resource into this directory
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Whether files may be loaded from outside of a kustomization's own directory
    #[arg(long, value_enum, default_value_t = LoadRestrictor::LoadRestrictionsRootOnly)]
    load_restrictor: LoadRestrictor,
    /// The order of the output; deprecated, use `sortOptions` in kustomization.yaml
    #[arg(long, value_enum)]
    reorder: Option<Order>,
    /// Put the label app.kubernetes.io/managed-by on everything; deprecated, use `buildMetadata`
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    enable_managedby_label: bool,
    #[command(flatten)]
    helm: Charts,
    #[command(flatten)]
    functions: Functions,
}

#[derive(Debug, Args)]
struct Charts {
    /// Allow `helmCharts`
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    enable_helm: bool,
    /// Not used: charts are inflated in process
    #[arg(long, default_value = "helm", value_name = "COMMAND")]
    helm_command: String,
    /// Kubernetes API versions that charts may ask for
    #[arg(long, value_name = "VERSION")]
    helm_api_versions: Vec<String>,
    /// The version of Kubernetes that charts see
    #[arg(long, default_value = "", value_name = "VERSION")]
    helm_kube_version: String,
    /// Not used: charts are inflated in process
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    helm_debug: bool,
}

/// Flags for what is never run here.
#[derive(Debug, Args)]
struct Functions {
    /// Refused: only built-in plugins run
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    enable_alpha_plugins: bool,
    /// Refused: functions do not run
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    as_current_user: bool,
    /// Refused: functions do not run
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Refused: functions do not run
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Refused: functions do not run
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    network: bool,
    /// Refused: functions do not run
    #[arg(long, value_name = "NAME")]
    network_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum LoadRestrictor {
    LoadRestrictionsRootOnly,
    #[value(alias = "none")]
    LoadRestrictionsNone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Legacy,
    None,
}

/// More questions than any tree has; a tree that asks on and on is up to something.
const QUESTIONS: usize = 500;

#[expect(clippy::unnecessary_wraps, reason = "every verb is called in this form")]
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Err(error) = refuse(&arguments.functions).and_then(|()| build_and_write(arguments)) {
        // As kustomize writes it, so that what reads its errors can read ours.
        let _ = writeln!(std::io::stderr(), "Error: {error:#}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(functions: &Functions) -> Result<()> {
    let used = [
        ("--enable-alpha-plugins", functions.enable_alpha_plugins),
        ("--as-current-user", functions.as_current_user),
        ("--env", !functions.env.is_empty()),
        ("--mount", !functions.mount.is_empty()),
        ("--network", functions.network),
        ("--network-name", functions.network_name.is_some()),
    ];
    match used.iter().find(|(_, used)| *used) {
        Some((flag, _)) => bail!(
            "{flag} is refused: nothing is executed here, so plugins and functions do not run; use \
             kustomize itself for those, or built-in transformers"
        ),
        None => Ok(()),
    }
}

fn options(arguments: &Arguments) -> Options {
    const MANAGED_BY: &str = "KUSTOMIZE_ENABLE_MANAGEDBY_LABEL";
    Options {
        unrestricted: arguments.load_restrictor == LoadRestrictor::LoadRestrictionsNone,
        reorder: match arguments.reorder {
            Some(Order::None) => Reorder::None,
            Some(Order::Legacy) | None => Reorder::Legacy,
        },
        managed_by_label: arguments.enable_managedby_label
            || std::env::var(MANAGED_BY).is_ok_and(|value| value == "on"),
        helm: Access {
            enabled: arguments.helm.enable_helm,
            kube_version: arguments.helm.helm_kube_version.clone(),
            api_versions: arguments.helm.helm_api_versions.clone(),
        },
    }
}

fn build_and_write(arguments: &Arguments) -> Result<()> {
    warn_of_flags(arguments);
    let target = target(&arguments.target)?;
    let output = build(&target, &options(arguments))?;
    for warning in &output.warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    match &arguments.output {
        Some(folder) if folder.is_dir() => write_files(folder, &output),
        Some(file) => std::fs::write(file, output.to_yaml()?)
            .with_context(|| format!("cannot write {}", file.display())),
        None => {
            let mut stdout = std::io::stdout().lock();
            let text = output.to_yaml()?;
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())?;
            Ok(())
        }
    }
}

fn warn_of_flags(arguments: &Arguments) {
    let deprecated = [
        (
            arguments.reorder.is_some(),
            "reorder",
            "use the new 'sortOptions' field in kustomization.yaml instead.",
        ),
        (
            arguments.enable_managedby_label,
            "enable-managedby-label",
            "The flag `enable-managedby-label` has been deprecated. Use the `managedByLabel` option in \
             the `buildMetadata` field instead.",
        ),
    ];
    for (_, flag, why) in deprecated.iter().filter(|(used, ..)| *used) {
        let _ = writeln!(std::io::stderr(), "Flag --{flag} has been deprecated, {why}");
    }
}

/// The absolute path of a folder, or a URL as it is.
fn target(target: &str) -> Result<String> {
    if kustomize::is_repository(target) {
        return Ok(target.to_owned());
    }
    let path = std::path::absolute(target).context("cannot tell the current directory")?;
    let path = path.to_str().context("the directory's name is not valid UTF-8")?;
    Ok(path.to_owned())
}

/// Builds; what the tree asks for is fetched, and then it is built again.
fn build(target: &str, options: &Options) -> Result<Output> {
    let mut remote = Remote::default();
    let mut answers = Vec::new();
    loop {
        let mut inputs = Inputs::new(&Disk, Budget::default());
        for (question, answer) in &answers {
            inputs.answer(Clone::clone(question), Clone::clone(answer));
        }
        match kustomize::build(&inputs, target, options) {
            Err(Error::Asked(question)) if answers.len() < QUESTIONS => {
                let answer = remote.answer(&question)?;
                answers.push((question, answer));
            }
            built => return Ok(built?),
        }
    }
}

/// One file for each resource, named as kustomize names them.
fn write_files(folder: &Path, output: &Output) -> Result<()> {
    let namespace = |manifest: &Manifest<'_>| match manifest.namespace() {
        "" => "default".to_owned(),
        namespace => namespace.to_owned(),
    };
    let namespaces: std::collections::BTreeSet<String> = output
        .manifests()
        .filter(|manifest| !manifest.is_cluster_scoped())
        .map(|manifest| namespace(&manifest))
        .collect();
    for manifest in output.manifests() {
        let kind = [manifest.api_version().replace('/', "_"), manifest.kind().to_owned()];
        let mut name = format!("{}_{}.yaml", kind.join("_"), manifest.name()).to_lowercase();
        if namespaces.len() > 1 && !manifest.is_cluster_scoped() {
            name = format!("{}_{name}", namespace(&manifest).to_lowercase());
        }
        // A name with a slash would be a path of its own.
        let file = folder.join(name.replace('/', "_"));
        std::fs::write(&file, manifest.to_yaml()?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
