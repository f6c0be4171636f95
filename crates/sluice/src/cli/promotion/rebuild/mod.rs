//! `sluice promotion rebuild`.

pub(super) mod history;
mod ledger;
mod write;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use api::promotion::{Pipeline, Stage};
use clap::Args;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::json;

use self::{history::Trusted, ledger::Ledger};
use super::{get::Output, place::Place};
use crate::{cli::cluster, term::Term};

/// Make Bundles, Promotions and what Stages know anew from the commits of promotions
///
/// For a cluster that was lost: once Pipelines, Stages and each GitRepository are applied again, the history
/// of each stage's branch tells what was promoted when, by whom approved, and what was rolled back. Bundles
/// and Promotions are made again, and each Stage gets what it runs, what was good last, its history and,
/// after a rollback, its hold. What failed without being rolled back, and times that are in no commit,
/// cannot be told from Git. Only commits with a good signature count, unless --unsigned is given. Nothing
/// is written to Git.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice promotion rebuild --public-keys keys.asc --dry-run\n  \
    sluice promotion rebuild shop-prod --unsigned")]
pub(super) struct Arguments {
    /// Names of the stages; all of the namespace if there are none
    stages: Vec<String>,
    /// File with the public keys that commits of promotions are signed with (OpenPGP, or SSH with the
    /// ending .sshpub)
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    public_keys: Option<PathBuf>,
    /// Believe commits without a signature, too
    #[arg(long)]
    unsigned: bool,
    /// Show what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Form for machines
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let trusted = match (&arguments.public_keys, arguments.unsigned) {
        (Some(path), _) => Trusted::read(path)?,
        (None, true) => Trusted::All,
        (None, false) => bail!(
            "say whose commits count: --public-keys FILE for those that are signed, or --unsigned for all"
        ),
    };
    let all = ListParams::default();
    let pipelines =
        place.all::<Pipeline>().list(&all).await.context("cannot read the Pipelines")?;
    let pipelines: BTreeMap<String, Pipeline> =
        pipelines.items.into_iter().map(|it| (it.name_any(), it)).collect();
    let stages = place.all::<Stage>().list(&all).await.context("cannot read the Stages")?.items;
    let wanted =
        |it: &&Stage| arguments.stages.is_empty() || arguments.stages.contains(&it.name_any());
    let stages: Vec<&Stage> = stages.iter().filter(wanted).collect();
    if stages.is_empty() {
        bail!("there are no such Stages in namespace {}", place.namespace);
    }
    let mut ledger = Ledger::default();
    let mut branches = history::Branches::open(&place)?;
    for stage in stages {
        let name = stage.name_any();
        let pipe = pipelines.get(&stage.spec.pipeline_ref.name);
        let pipe = pipe.with_context(|| format!("the Pipeline of stage {name} does not exist"))?;
        let records = branches.records(stage, pipe, &trusted).await?;
        ledger.add(stage, pipe, records);
    }
    let term = Term::detect();
    match arguments.output {
        Some(output) => term.line(output.text(&json!({ "items": ledger.objects() }))?.trim_end()),
        None => ledger.show(term),
    }
    if !arguments.dry_run {
        write::all(&place, &arguments.cluster, &ledger).await?;
        if arguments.output.is_none() {
            term.done("what Git tells is in the cluster again");
        }
    }
    Ok(())
}
