//! `sluice promotion tree`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Context as _, Result, bail};
use api::promotion::{Pipeline, Stage};
use clap::Args;
use kube::{ResourceExt as _, api::ListParams};

use super::place::{Place, shown};
use crate::{cli::cluster, term::Term};

/// Print pipelines with their stages, what each runs and where it stands
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of a pipeline; all if not given
    pipeline: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let all = ListParams::default();
    let pipelines =
        place.all::<Pipeline>().list(&all).await.context("cannot read the Pipelines")?;
    let stages = place.all::<Stage>().list(&all).await.context("cannot read the Stages")?.items;
    let wanted =
        |it: &Pipeline| arguments.pipeline.as_ref().is_none_or(|name| it.name_any() == *name);
    let pipelines: Vec<_> = pipelines.items.into_iter().filter(wanted).collect();
    if pipelines.is_empty() {
        bail!("there is no such Pipeline in namespace {}", place.namespace);
    }
    let term = Term::detect();
    for pipeline in pipelines {
        let latest = pipeline.status.as_ref().and_then(|status| status.latest_bundle.as_ref());
        let latest = latest.map(|it| format!(": {}", shown(it.version.as_deref(), &it.name)));
        term.line(&format!("{}{}", pipeline.name_any(), latest.unwrap_or_default()));
        let own = |it: &&Stage| it.spec.pipeline_ref.name == pipeline.name_any();
        term.line(drawn(&stages.iter().filter(own).collect::<Vec<_>>()).trim_end());
    }
    Ok(())
}

/// The stages, each below the first of those that feed it.
fn drawn(stages: &[&Stage]) -> String {
    let names: BTreeSet<String> = stages.iter().map(|it| it.name_any()).collect();
    let mut below: BTreeMap<Option<String>, Vec<&Stage>> = BTreeMap::new();
    for stage in stages {
        let feeder = stage.spec.from.iter().map(|it| &it.stage).find(|it| names.contains(*it));
        below.entry(feeder.cloned()).or_default().push(stage);
    }
    let mut text = String::new();
    branch(None, &below, ("", &mut BTreeSet::new()), &mut text);
    text
}

fn branch(
    under: Option<&String>,
    below: &BTreeMap<Option<String>, Vec<&Stage>>,
    (margin, seen): (&str, &mut BTreeSet<String>),
    text: &mut String,
) {
    let stages = below.get(&under.cloned()).map_or(&[][..], Vec::as_slice);
    for (at, stage) in stages.iter().enumerate() {
        let (mark, more) =
            if at + 1 == stages.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = writeln!(text, "{margin}{mark}{}", told(stage));
        // A circle is told by the stage itself.
        if seen.insert(stage.name_any()) {
            branch(Some(&stage.name_any()), below, (&format!("{margin}{more}"), seen), text);
        }
    }
}

fn told(stage: &Stage) -> String {
    let status = stage.status.clone().unwrap_or_default();
    let runs = status.current.map(|it| shown(it.version.as_deref(), &it.bundle));
    let phase = status.phase.unwrap_or_else(|| "Unknown".to_owned());
    let next = status.candidate.map(|it| {
        let why = it.blocked_by.map(|why| format!(", waits for {why}")).unwrap_or_default();
        format!("  next {}{why}", shown(it.version.as_deref(), &it.bundle))
    });
    let others: Vec<&str> = stage.spec.from.iter().skip(1).map(|it| it.stage.as_str()).collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!("  also from {}", others.join(", "))
    };
    format!(
        "{}  {}  {phase}{}{also}",
        stage.name_any(),
        runs.unwrap_or_else(|| "-".to_owned()),
        next.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stage(name: &str, from: &[&str]) -> Stage {
        let from: Vec<_> = from.iter().map(|stage| json!({ "stage": stage })).collect();
        serde_json::from_value(json!({
            "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Stage",
            "metadata": {"name": name}, "spec": {"pipelineRef": {"name": "p"}, "from": from},
            "status": {"phase": "Steady", "current": {"bundle": "p-1", "version": "1.0"}},
        }))
        .unwrap()
    }

    #[test]
    fn stages_stand_below_what_feeds_them() {
        let stages = [
            stage("dev", &[]),
            stage("eu", &["dev"]),
            stage("us", &["dev"]),
            stage("prod", &["eu", "us"]),
        ];
        assert_eq!(
            drawn(&stages.iter().collect::<Vec<_>>()),
            "└── dev  1.0 (p-1)  Steady\n    ├── eu  1.0 (p-1)  Steady\n    \
             │   └── prod  1.0 (p-1)  Steady  also from us\n    └── us  1.0 (p-1)  Steady\n"
        );
    }

    #[test]
    fn a_circle_ends() {
        let stages = [stage("a", &["b"]), stage("b", &["a"]), stage("c", &[])];
        assert!(drawn(&stages.iter().collect::<Vec<_>>()).contains("c  1.0"));
    }
}
