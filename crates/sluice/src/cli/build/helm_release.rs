//! `sluice build helmrelease`.

use std::{io::Write as _, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result, bail};
use apply::{Cluster, Kinds};
use clap::Args;
use reconciler::helm_release::CONTROLLER;

use crate::cli::{
    cluster, mask,
    release::{self, Files},
};

/// Build a HelmRelease from local files, as the controller would
///
/// Shows the CRDs, the objects after post-renderers, and the hooks. The HelmRelease is read from the
/// cluster, or from --helmrelease-file. Values that SOPS encrypted are shown as **SOPS**, and
/// encrypted values files are left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice build helmrelease podinfo -n apps --path ./charts/podinfo\n  \
    sluice build hr podinfo -n apps --helmrelease-file ./apps/podinfo.yaml --dry-run \\\n      \
    --manifests ./apps --local-sources GitRepository/flux-system/fleet=.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: release::Arguments,
    /// Ask no cluster; templates look up nothing
    #[arg(long, requires = "helmrelease_file")]
    dry_run: bool,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { files, dry_run, cluster } = arguments;
    let target = if *dry_run {
        None
    } else {
        let client = cluster.access.client().await?;
        Some(Cluster::new(client, Arc::new(Kinds::default()), CONTROLLER))
    };
    let files = Files { arguments: files, namespace: &cluster.namespace, cluster: target };
    let Ok(previewed) = tokio::time::timeout(cluster.access.timeout, files.build()).await else {
        bail!("it took longer than {:?}; --timeout allows more", cluster.access.timeout);
    };
    let built = previewed?.built;
    let mut text = String::new();
    for mut object in built.crds.into_iter().chain(built.objects).chain(built.hooks) {
        mask::encrypted(&mut object);
        text += &yaml::json_to_yaml(&object.to_string())?;
        text += "---\n";
    }
    std::io::stdout().write_all(text.as_bytes()).context("cannot write")?;
    Ok(ExitCode::SUCCESS)
}
