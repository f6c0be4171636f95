//! `sluice build kustomization`.

use std::{collections::HashSet, io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::cli::{
    cluster,
    local::{self, Files},
};

/// Build a Kustomization from local files, as the controller would
///
/// The Kustomization is read from the cluster, or from --kustomization-file. What SOPS encrypted is
/// shown as **SOPS**. Nothing is written to the folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice build kustomization my-app --path ./apps/my-app\n  \
    sluice build ks my-app --path ./apps --kustomization-file ./clusters/dev/my-app.yaml --dry-run\n  \
    sluice build ks flux-system --path ./clusters/dev -r \\\n      \
    --local-sources GitRepository/flux-system/flux-system=.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: local::Arguments,
    /// Ask no cluster; values from Secrets and ConfigMaps are left out
    #[arg(long, requires = "kustomization_file")]
    dry_run: bool,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { files, dry_run, cluster } = arguments;
    let client = if *dry_run { None } else { Some(cluster.access.client().await?) };
    let files = Files { arguments: files, namespace: &cluster.namespace, client };
    let Ok(objects) = tokio::time::timeout(cluster.access.timeout, built(&files)).await else {
        bail!("it took longer than {:?}; --timeout allows more", cluster.access.timeout);
    };
    let mut text = String::new();
    for object in objects? {
        text += &yaml::json_to_yaml(&object.to_string())?;
        text += "---\n";
    }
    std::io::stdout().write_all(text.as_bytes()).context("cannot write")?;
    Ok(ExitCode::SUCCESS)
}

/// All objects: those of a Kustomization before those of the Kustomizations in it.
async fn built(files: &Files<'_>) -> Result<Vec<Value>> {
    let root = files.root().await?;
    let mut known = HashSet::from([local::key(&root)]);
    let mut open = vec![(root, files.root_folder()?)];
    let mut all = Vec::new();
    while let Some((it, folder)) = open.pop() {
        let objects = files.build(&it, &folder).await?;
        if files.arguments.recursive {
            for child in local::children(&objects, &mut known)?.into_iter().rev() {
                let folder = files.folder_of(&child)?;
                open.push((child, folder));
            }
        }
        all.extend(objects);
    }
    Ok(all)
}
