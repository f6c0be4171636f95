//! `sluice promotion approve`, `reject` and `abort`.

use anyhow::{Result, bail};
use api::promotion::{Bundle, Promotion};
use clap::Args;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::place::{Place, is_over};
use crate::{cli::cluster, term::Term};

/// Approve what waits in a stage
///
/// Needs the verb `approve` on the stage. Whose approval it is, the API server says.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// Name of a promotion, or of a stage for what is under way there
    name: String,
    /// Group of yours in whose name you approve
    #[arg(long)]
    group: Option<String>,
    /// What to remember with it
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Refuse what waits in a stage; its bundle never comes there by itself again
#[derive(Debug, Args)]
pub(super) struct Reject {
    /// Name of a promotion, or of a stage for what is under way there
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Refuse its bundle for all stages
    #[arg(long)]
    everywhere: bool,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Stop following a promotion; what was pushed stays, and the stage is held
#[derive(Debug, Args)]
pub(super) struct Abort {
    /// Name of a promotion, or of a stage for what is under way there
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

async fn open(place: &Place, name: &str) -> Result<Promotion> {
    let it = place.promotion(name).await?;
    if is_over(&it) {
        let phase = it.status.as_ref().and_then(|status| status.phase).unwrap_or_default();
        bail!("promotion {} is {phase:?} already", it.name_any());
    }
    Ok(it)
}

pub(super) async fn approve(arguments: Approve) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let it = open(&place, &arguments.name).await?;
    let (who, groups) = place.asker().await?;
    if let Some(group) = arguments.group.as_ref().filter(|group| !groups.contains(group)) {
        bail!("{who} is not in group {group}; the API server knows {}", groups.join(", "));
    }
    if it.spec.approvals.iter().any(|known| known.by == who && known.group == arguments.group) {
        bail!("{who} has approved {} already", it.name_any());
    }
    let mut approvals = serde_json::to_value(&it.spec.approvals)?;
    let mut own = json!({ "by": who });
    for (key, value) in [("group", &arguments.group), ("comment", &arguments.comment)] {
        if let Some(value) = value {
            own[key] = value.clone().into();
        }
    }
    approvals.as_array_mut().into_iter().for_each(|list| list.push(own.clone()));
    // Approvals of others that come in meanwhile are not lost: the version must still be this one.
    let patch = json!({ "metadata": { "resourceVersion": it.resource_version() },
                        "spec": { "approvals": approvals } });
    place.patch::<Promotion>(&it.name_any(), &patch).await?;
    Term::detect().done(&format!("{who} approved {} ({})", it.name_any(), it.spec.bundle));
    Ok(())
}

pub(super) async fn reject(arguments: Reject) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let it = open(&place, &arguments.name).await?;
    let (who, _) = place.asker().await?;
    let note = said(&who, arguments.reason.as_ref());
    let patch = json!({ "spec": { "rejected": note } });
    place.patch::<Promotion>(&it.name_any(), &patch).await?;
    let bundle = place.all::<Bundle>().get(&it.spec.bundle).await?;
    let mut rejections = serde_json::to_value(&bundle.spec.rejections)?;
    let mut own = note;
    own["stage"] = if arguments.everywhere { "*".into() } else { it.spec.stage.clone().into() };
    rejections.as_array_mut().into_iter().for_each(|list| list.push(own.clone()));
    let patch = json!({ "metadata": { "resourceVersion": bundle.resource_version() },
                        "spec": { "rejections": rejections } });
    place.patch::<Bundle>(&bundle.name_any(), &patch).await?;
    Term::detect().done(&format!("{who} rejected {} ({})", it.name_any(), it.spec.bundle));
    Ok(())
}

pub(super) async fn abort(arguments: Abort) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let it = open(&place, &arguments.name).await?;
    let (who, _) = place.asker().await?;
    let patch = json!({ "spec": { "abort": said(&who, arguments.reason.as_ref()) } });
    place.patch::<Promotion>(&it.name_any(), &patch).await?;
    let term = Term::detect();
    term.done(&format!("{who} ended promotion {}", it.name_any()));
    term.detail("what was pushed stays in Git; `sluice promotion rollback` changes it back");
    Ok(())
}

fn said(who: &str, reason: Option<&String>) -> Value {
    let mut said = json!({ "by": who });
    if let Some(reason) = reason {
        said["reason"] = reason.clone().into();
    }
    said
}
