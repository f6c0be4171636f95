//! `sluice promotion promote` and `rollback`.

use anyhow::{Result, anyhow, bail};
use api::promotion::{Bundle, Promotion, PromotionKind, PromotionSpec, STAGE, Stage};
use clap::Args;
use kube::{ResourceExt as _, api::ObjectMeta};

use super::place::{Place, shown};
use crate::{cli::cluster, term::Term};

/// Start a promotion by hand
///
/// Without --bundle and --version it is the candidate that goes. Gates hold all the same; a gate can
/// be skipped by who has the verb `bypass` on the stage.
#[derive(Debug, Args)]
pub(super) struct Promote {
    /// Name of the stage
    stage: String,
    /// Bundle to promote instead of the candidate
    #[arg(long, value_name = "NAME", conflicts_with = "version")]
    bundle: Option<String>,
    /// Version of the bundle to promote instead of the candidate
    #[arg(long)]
    version: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// End after the plan; `sluice promotion diff` shows it
    #[arg(long)]
    dry_run: bool,
    /// Gate to skip; may be given several times
    #[arg(long = "skip-gate", value_name = "NAME")]
    skip_gates: Vec<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Promote what a stage ran well before
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// Name of the stage
    stage: String,
    /// Bundle to go back to; the last good one that does not run now if not given
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn promote(arguments: Promote) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let stage = place.stage(&arguments.stage).await?;
    let bundles = place.bundles().await?;
    let candidate = stage.status.as_ref().and_then(|status| status.candidate.as_ref());
    let bundle = match (&arguments.bundle, &arguments.version) {
        (Some(name), _) => found(&bundles, &stage, |it| it.name_any() == *name)?,
        (_, Some(version)) => {
            found(&bundles, &stage, |it| it.spec.version.as_ref() == Some(version))?
        }
        _ => {
            let candidate = candidate.ok_or_else(|| {
                anyhow!("{} has no candidate; name a --bundle or --version", arguments.stage)
            })?;
            found(&bundles, &stage, |it| it.name_any() == candidate.bundle)?
        }
    };
    let spec = PromotionSpec {
        reason: arguments.reason,
        dry_run: arguments.dry_run.then_some(true),
        skip_gates: arguments.skip_gates,
        ..PromotionSpec::default()
    };
    start(&place, &arguments.stage, bundle, spec).await
}

pub(super) async fn rollback(arguments: Rollback) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let stage = place.stage(&arguments.stage).await?;
    let bundles = place.bundles().await?;
    let target = match arguments.to {
        Some(name) => name,
        None => before(&stage)?,
    };
    let bundle = found(&bundles, &stage, |it| it.name_any() == target)?;
    let reason = arguments.reason.unwrap_or_else(|| "rolled back by hand".to_owned());
    let spec = PromotionSpec { reason: Some(reason), ..PromotionSpec::default() };
    start(&place, &arguments.stage, bundle, spec).await
}

/// The bundle that was good before the one that runs.
fn before(stage: &Stage) -> Result<String> {
    let status = stage.status.clone().unwrap_or_default();
    let current = status.current.map(|it| it.bundle).unwrap_or_default();
    if let Some(good) = status.last_good.filter(|good| good.bundle != current) {
        return Ok(good.bundle);
    }
    let good = |it: &&api::promotion::HistoryEntry| {
        it.phase == api::promotion::Phase::Succeeded && it.bundle != current
    };
    let newest = status.history.iter().filter(good).max_by_key(|it| it.finished_at.0);
    newest.map(|it| it.bundle.clone()).ok_or_else(|| {
        anyhow!("{} ran nothing else well before; name a bundle with --to", stage.name_any())
    })
}

fn found<'a>(
    bundles: &'a [Bundle],
    stage: &Stage,
    wanted: impl Fn(&Bundle) -> bool,
) -> Result<&'a Bundle> {
    let own = |it: &&Bundle| it.spec.pipeline_ref.name == stage.spec.pipeline_ref.name;
    let Some(found) = bundles.iter().filter(own).find(|it| wanted(it)) else {
        bail!(
            "pipeline {} has no such bundle; `sluice promotion get bundles` shows all",
            stage.spec.pipeline_ref.name
        );
    };
    Ok(found)
}

async fn start(place: &Place, stage: &str, bundle: &Bundle, spec: PromotionSpec) -> Result<()> {
    let (who, _) = place.asker().await?;
    let spec = PromotionSpec {
        stage: stage.to_owned(),
        bundle: bundle.name_any(),
        kind: PromotionKind::Manual,
        requested_by: Some(who),
        ..spec
    };
    let metadata = ObjectMeta {
        generate_name: Some(format!("{stage}-")),
        labels: Some([(STAGE.to_owned(), stage.to_owned())].into()),
        ..ObjectMeta::default()
    };
    let made = place.create(&Promotion { metadata, spec, status: None }).await?;
    let what = shown(bundle.spec.version.as_deref(), &bundle.name_any());
    let term = Term::detect();
    term.done(&format!("promotion {} of {what} to {stage}", made.name_any()));
    term.command(&format!("sluice promotion why {stage}"));
    Ok(())
}
