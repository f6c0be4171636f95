//! `sluice promotion freeze` and `unfreeze`.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use api::promotion::{Freeze as Object, FreezeSpec};
use clap::Args;
use jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::json;

use super::place::Place;
use crate::{
    cli::{cluster, flag},
    term::Term,
};

/// Stop promotions to many stages at once
///
/// Rollbacks go on. Without labels it holds for every stage of the cluster.
#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// Name of the freeze
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Label that the stages have; may be given several times
    #[arg(long = "stage-label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// How long; until it is taken back if not given
    #[arg(long = "for", value_name = "DURATION", value_parser = flag::duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Take a freeze back
#[derive(Debug, Args)]
pub(super) struct Unfreeze {
    /// Name of the freeze
    name: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn freeze(arguments: Freeze) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let (who, _) = place.asker().await?;
    let labels: BTreeMap<String, String> = arguments.labels.into_iter().collect();
    let stages = if labels.is_empty() {
        None
    } else {
        Some(serde_json::from_value(json!({ "matchLabels": labels }))?)
    };
    let end = arguments.duration.map(|length| Timestamp::now() + length);
    let end = end.map(|end| serde_json::from_value(json!(end))).transpose()?;
    let spec = FreezeSpec {
        stages,
        end,
        reason: arguments.reason,
        by: Some(who),
        ..FreezeSpec::default()
    };
    let metadata = ObjectMeta { name: Some(arguments.name), ..ObjectMeta::default() };
    let all = Api::<Object>::all(place.client);
    let made = all.create(&PostParams::default(), &Object { metadata, spec, status: None }).await;
    let made = made.context("cannot create the Freeze")?;
    Term::detect().done(&format!("freeze {} stands", made.name_any()));
    Ok(())
}

pub(super) async fn unfreeze(arguments: Unfreeze) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let all = Api::<Object>::all(place.client);
    let found = all.get_opt(&arguments.name).await.context("cannot read the Freeze")?;
    found.ok_or_else(|| anyhow!("there is no Freeze {}", arguments.name))?;
    let deleted = all.delete(&arguments.name, &DeleteParams::default()).await;
    deleted.context("cannot delete the Freeze")?;
    Term::detect().done(&format!("freeze {} is taken back", arguments.name));
    Ok(())
}
