//! `sluice promotion get`.

use anyhow::{Context as _, Result};
use api::promotion::{Bundle, Promotion, Stage};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::place::{Place, span};
use crate::{cli::cluster, term::Term};

/// List stages, promotions or bundles
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to list
    #[arg(value_enum, default_value_t = What::Stages)]
    what: What,
    /// Form for machines
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Stages,
    Promotions,
    Bundles,
}

/// A form for machines.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Output {
    Json,
    Yaml,
}

impl Output {
    /// A value in this form.
    pub(super) fn text(self, value: &serde_json::Value) -> Result<String> {
        match self {
            Self::Json => Ok(serde_json::to_string_pretty(value)?),
            Self::Yaml => Ok(yaml::json_to_yaml(&value.to_string())?),
        }
    }
}

type Row = Vec<String>;

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let output = arguments.output;
    match arguments.what {
        What::Stages => {
            let head = ["NAME", "VERSION", "BUNDLE", "PHASE", "NEXT", "PROMOTION"];
            show::<Stage>(&place, output, &head, stage).await
        }
        What::Promotions => {
            let head = ["NAME", "STAGE", "BUNDLE", "KIND", "PHASE", "REASON", "AGE"];
            show::<Promotion>(&place, output, &head, promotion).await
        }
        What::Bundles => {
            let head = ["NAME", "VERSION", "ACTIVE IN", "VERIFIED IN", "AGE"];
            show::<Bundle>(&place, output, &head, bundle).await
        }
    }
}

async fn show<K>(
    place: &Place,
    output: Option<Output>,
    head: &[&str],
    row: impl Fn(&K) -> Row,
) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let list = place.all::<K>().list(&ListParams::default()).await;
    let items = list.with_context(|| format!("cannot read the {}s", K::kind(&())))?.items;
    let machine = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let text = match output {
        Some(output) => output.text(&machine)?,
        None => table(head, &items.iter().map(row).collect::<Vec<_>>()),
    };
    Term::detect().line(text.trim_end());
    Ok(())
}

fn or_dash(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
}

fn age(it: &impl ResourceExt) -> String {
    or_dash(it.creation_timestamp().map(|at| span(at.0, Timestamp::now())))
}

fn stage(it: &Stage) -> Row {
    let status = it.status.clone().unwrap_or_default();
    let current = status.current.unwrap_or_default();
    let next = status.candidate.map(|it| it.version.unwrap_or(it.bundle));
    vec![
        it.name_any(),
        or_dash(current.version),
        or_dash(Some(current.bundle)),
        or_dash(status.phase),
        or_dash(next),
        or_dash(status.promotion),
    ]
}

fn promotion(it: &Promotion) -> Row {
    let status = it.status.clone().unwrap_or_default();
    vec![
        it.name_any(),
        it.spec.stage.clone(),
        it.spec.bundle.clone(),
        format!("{:?}", it.spec.kind),
        format!("{:?}", status.phase.unwrap_or_default()),
        or_dash(status.reason),
        age(it),
    ]
}

fn bundle(it: &Bundle) -> Row {
    let status = it.status.clone().unwrap_or_default();
    let active: Vec<String> = status.active_in.into_iter().map(|it| it.stage).collect();
    let good = status.verified_in.into_iter().filter(|it| it.withdrawn.is_none());
    let verified: Vec<String> = good.map(|it| it.stage).collect();
    vec![
        it.name_any(),
        or_dash(it.spec.version.clone()),
        or_dash(Some(active.join(","))),
        or_dash(Some(verified.join(","))),
        age(it),
    ]
}

/// Columns as wide as what is in them.
pub(super) fn table(head: &[&str], rows: &[Row]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Row = head.iter().map(|cell| (*cell).to_owned()).collect();
    std::iter::once(&head).chain(rows).map(|row| line(row)).collect::<Vec<_>>().join("\n")
}
