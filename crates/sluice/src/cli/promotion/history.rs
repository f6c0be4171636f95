//! `sluice promotion history`.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::{
    get::table,
    place::{Place, span},
};
use crate::{cli::cluster, term::Term};

/// List what came to a stage, newest first
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the stage
    stage: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
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
