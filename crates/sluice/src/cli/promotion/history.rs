//! `sluice promotion history`.

use anyhow::{Context as _, Result};
use api::promotion::Pipeline;
use clap::Args;
use jiff::Timestamp;

use super::{
    get::table,
    place::{Place, span},
    rebuild::history::{Branches, Trusted},
};
use crate::{cli::cluster, term::Term};

/// List what came to a stage, newest first
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the stage
    stage: String,
    /// Read the commits of its branch instead of what the cluster remembers
    #[arg(long)]
    from_git: bool,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    if arguments.from_git {
        return Box::pin(from_git(&place, &arguments.stage)).await;
    }
    let status = place.stage(&arguments.stage).await?.status.unwrap_or_default();
    let mut history = status.history;
    history.sort_by_key(|it| std::cmp::Reverse(it.finished_at.0));
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = history
        .into_iter()
        .map(|it| {
            let commit = it.commit.unwrap_or_else(|| "-".to_owned());
            vec![
                span(it.finished_at.0, now),
                it.version.unwrap_or_else(|| "-".to_owned()),
                it.bundle,
                format!("{:?}", it.kind),
                format!("{:?}", it.phase),
                commit.chars().take(8).collect(),
                it.reason.unwrap_or_default(),
            ]
        })
        .collect();
    let head = ["AGO", "VERSION", "BUNDLE", "KIND", "RESULT", "COMMIT", "REASON"];
    Term::detect().line(&table(&head, &rows));
    Ok(())
}

/// What the commits on the stage's branch say, whoever made them.
async fn from_git(place: &Place, stage: &str) -> Result<()> {
    let stage = place.stage(stage).await?;
    let name = &stage.spec.pipeline_ref.name;
    let pipe = place.all::<Pipeline>().get_opt(name).await.context("cannot read the Pipeline")?;
    let pipe = pipe.with_context(|| format!("there is no Pipeline {name}"))?;
    let mut records = Branches::open(place)?.records(&stage, &pipe, &Trusted::All).await?;
    records.reverse();
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = records
        .into_iter()
        .map(|it| {
            let by: Vec<&str> =
                it.approvals.iter().filter_map(|text| text.split(' ').next()).collect();
            let commit = it.commit.chars().take(8).collect();
            vec![span(it.at, now), it.label, it.bundle, it.kind, commit, by.join(", ")]
        })
        .collect();
    let head = ["AGO", "VERSION", "BUNDLE", "KIND", "COMMIT", "APPROVED BY"];
    Term::detect().line(&table(&head, &rows));
    Ok(())
}
