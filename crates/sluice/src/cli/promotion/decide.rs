//! `sluice promotion hold`, `resume` and `verify`.

use anyhow::{Result, anyhow};
use api::promotion::{HOLD, RESUME_AT, Stage, VERIFY_AT};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::place::{Place, shown};
use crate::{cli::cluster, term::Term};

/// Start nothing by itself in a stage, until it is resumed
#[derive(Debug, Args)]
pub(super) struct Hold {
    /// Name of the stage
    stage: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// End what holds a stage
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// Name of the stage
    stage: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Verify once more what a stage runs
///
/// Nothing is written and no gate is asked, but it must be healthy as long as ever and pass what the stage
/// verifies. What fails is not verified any more: stages that it feeds do not get it.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Name of the stage
    stage: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn hold(arguments: Hold) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let (who, _) = place.asker().await?;
    let reason = arguments.reason.unwrap_or_else(|| "held by hand".to_owned());
    // A new value is what counts, also for the same reason.
    let text = format!("{reason} ({who}, {})", Timestamp::now());
    note(&place, &arguments.stage, HOLD, &text).await?;
    Term::detect().done(&format!("{} is held: {reason}", arguments.stage));
    Ok(())
}

pub(super) async fn resume(arguments: Resume) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    note(&place, &arguments.stage, RESUME_AT, &Timestamp::now().to_string()).await?;
    Term::detect().done(&format!("{} goes on", arguments.stage));
    Ok(())
}

pub(super) async fn verify(arguments: Verify) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let name = &arguments.stage;
    let status = place.stage(name).await?.status.unwrap_or_default();
    let runs = status.current.ok_or_else(|| anyhow!("{name} runs nothing yet"))?;
    note(&place, name, VERIFY_AT, &Timestamp::now().to_string()).await?;
    let runs = shown(runs.version.as_deref(), &runs.bundle);
    let after = status.promotion.map(|it| format!(", after {it}")).unwrap_or_default();
    Term::detect().done(&format!("{runs} is verified once more in {name}{after}"));
    Ok(())
}

async fn note(place: &Place, stage: &str, key: &str, text: &str) -> Result<()> {
    place.stage(stage).await?;
    let patch = json!({ "metadata": { "annotations": { key: text } } });
    place.patch::<Stage>(stage, &patch).await.map(drop)
}
