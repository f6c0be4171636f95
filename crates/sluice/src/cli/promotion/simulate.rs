//! `sluice promotion simulate`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use api::promotion::{ADOPTED, Bundle, DISCOVERED_AT, Freeze, Stage};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use kube::{
    ResourceExt as _,
    core::{Selector, SelectorExt as _},
};
use pipeline::{
    bundle::{Bundle as Known, Verified},
    simulation::{self, Event, Scenario, Story, What, play},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    bundle::part,
    get::{Output, table},
    given::{self, Given},
    place::span,
};
use crate::{cli::flag, term::Term};

/// Say what would happen to bundles on their way through the stages, when and why
///
/// Pipelines, Stages, Bundles and Freezes come from files or from the cluster; what happens comes from
/// --events. Decisions are those of the controllers, with a clock that jumps from one change to the next:
/// soaks, windows, freezes and expiries come at their real times. Deployments and gates that ask the
/// outside take the time that is given and go well, unless an event says otherwise. Nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "The events are YAML; `at` is a time or a duration since the start:\n\n  \
    - {at: 0s, pipeline: shop, bundle: 1.8.3}         # new values make a bundle\n  \
    - {at: 5h, approve: prod, by: alice, group: sre}\n  \
    - {at: 6h, promote: prod, bundle: 1.8.3, by: bob}  # the candidate without a bundle\n  \
    - {at: 7h, reject: prod, by: bob}\n  \
    - {at: 8h, hold: prod, by: bob}\n  \
    - {at: 9h, resume: prod}\n  \
    - {at: 0s, fails: prod, bundle: 1.8.3}             # it does not work there\n\n\
    Examples:\n  \
    sluice promotion simulate stages.yaml --events release.yaml --start 2026-09-01T08:00:00Z\n  \
    sluice promotion simulate --for 168h           # what comes next in the cluster")]
pub(super) struct Arguments {
    #[command(flatten)]
    given: given::Arguments,
    /// File with what happens
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// When it begins; now if not given
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,
    /// How much time passes
    #[arg(long = "for", default_value = "168h", value_parser = flag::duration, value_name = "DURATION")]
    length: Duration,
    /// How long it takes until a commit runs
    #[arg(long, default_value = "1m", value_parser = flag::duration, value_name = "DURATION")]
    deploy: Duration,
    /// How long a gate that asks the outside takes
    #[arg(long, default_value = "1m", value_parser = flag::duration, value_name = "DURATION")]
    outside: Duration,
    /// Form for machines
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let given = Given::of(&arguments.given).await?;
    let start = arguments.start.unwrap_or_else(Timestamp::now);
    let events = match &arguments.events {
        None => Vec::new(),
        Some(path) => {
            let cannot = || format!("cannot read {}", path.display());
            let text = std::fs::read_to_string(path).with_context(cannot)?;
            events(&text, start).with_context(cannot)?
        }
    };
    let length = |it: Duration| SignedDuration::try_from(it).unwrap_or(SignedDuration::MAX);
    let stages = given.stages.iter().map(|it| stage(it, &given)).collect::<Result<Vec<_>>>()?;
    if stages.is_empty() {
        bail!("there are no Stages to simulate");
    }
    let scenario = Scenario {
        stages,
        bundles: given.bundles.iter().map(bundle).collect(),
        parts: given
            .bundles
            .iter()
            .map(|it| {
                Ok((it.name_any(), it.spec.components.iter().map(part).collect::<Result<_>>()?))
            })
            .collect::<Result<_>>()?,
        events,
        start,
        end: start.saturating_add(length(arguments.length)).unwrap_or(Timestamp::MAX),
        deploy: length(arguments.deploy),
        outside: length(arguments.outside),
    };
    let story = play(&scenario);
    let term = Term::detect();
    match arguments.output {
        Some(output) => term.line(output.text(&machine(&story))?.trim_end()),
        None => term.line(told(&story, start).trim_end()),
    }
    Ok(())
}

/// A stage with what selects it.
fn stage(it: &Stage, given: &Given) -> Result<simulation::Stage> {
    let name = it.name_any();
    let pipe = given.pipeline(it);
    let pipe = pipe.ok_or_else(|| anyhow!("stage {name}: its Pipeline is not here"))?;
    let rules = promotion::rules(it, pipe);
    let rules = rules.map_err(|why| anyhow!("stage {name}: {}: {}", why.reason, why.message))?;
    let selects = |freeze: &&Freeze| {
        let matches = |selector: Option<&api::meta::LabelSelector>, labels| {
            selector
                .is_none_or(|it| Selector::try_from(it.clone()).is_ok_and(|it| it.matches(labels)))
        };
        matches(freeze.spec.pipelines.as_ref(), pipe.labels())
            && matches(freeze.spec.stages.as_ref(), it.labels())
    };
    Ok(simulation::Stage {
        pipeline: pipe.name_any(),
        wants: rules.wants,
        auto: rules.auto,
        replaces: rules.replaces,
        on_failure: rules.on_failure,
        drift: rules.drift,
        gates: rules.gates,
        verify: rules.verify,
        bake: rules.bake,
        timeout: rules.timeout,
        freezes: given.freezes.iter().filter(selects).map(promotion::freeze_rules).collect(),
        labels: it.labels().clone(),
    })
}

fn bundle(it: &Bundle) -> (String, Known) {
    let status = it.status.clone().unwrap_or_default();
    let told = it.annotations().get(DISCOVERED_AT).and_then(|text| text.parse().ok());
    let created = it.creation_timestamp().map(|at| at.0);
    let verified = status.verified_in.into_iter();
    let verified = verified.map(|it| {
        let withdrawn = it.withdrawn.is_some();
        (it.stage, Verified { at: it.at.0, withdrawn })
    });
    let rejected = it.spec.rejections.iter().map(|it| (it.stage.clone(), it.by.clone()));
    let known = Known {
        name: it.name_any(),
        version: it.spec.version.clone(),
        discovered: told.or(created).unwrap_or_default(),
        adopted: it.labels().get(ADOPTED).is_some_and(|value| value == "true"),
        unavailable: None,
        rejected: rejected.collect(),
        verified: verified.collect(),
        failed: status.failed_in.into_iter().map(|it| it.stage).collect(),
    };
    (it.spec.pipeline_ref.name.clone(), known)
}

/// An event as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    at: String,
    pipeline: Option<String>,
    bundle: Option<String>,
    promote: Option<String>,
    approve: Option<String>,
    reject: Option<String>,
    hold: Option<String>,
    resume: Option<String>,
    fails: Option<String>,
    by: Option<String>,
    group: Option<String>,
}

fn events(text: &str, start: Timestamp) -> Result<Vec<Event>> {
    let value: Value = serde_json::from_str(&yaml::parse(text)?.to_json()?)?;
    let list = value.as_array().context("want a list of events")?;
    let event = |(at, it): (usize, &Value)| {
        // Versions such as 1.10 are numbers to YAML.
        let written: Written = serde_json::from_value(it.clone())
            .with_context(|| format!("event {}: {it}; put numbers in quotes", at + 1))?;
        event(written, start).with_context(|| format!("event {}", at + 1))
    };
    list.iter().enumerate().map(event).collect()
}

fn event(it: Written, start: Timestamp) -> Result<Event> {
    let at = if let Ok(at) = it.at.parse::<Timestamp>() {
        at
    } else {
        let after = flag::duration(&it.at);
        let after = after.map_err(|_| anyhow!("at: '{}' is neither time nor duration", it.at))?;
        start.checked_add(SignedDuration::try_from(after)?)?
    };
    let by = it.by.unwrap_or_else(|| "somebody".to_owned());
    let what = match (it.promote, it.approve, it.reject, it.hold, it.resume, it.fails) {
        (Some(stage), None, None, None, None, None) => {
            What::Promote { stage, bundle: it.bundle, by }
        }
        (None, Some(stage), None, None, None, None) => What::Approve { stage, by, group: it.group },
        (None, None, Some(stage), None, None, None) => What::Reject { stage, by },
        (None, None, None, Some(stage), None, None) => What::Hold { stage, by },
        (None, None, None, None, Some(stage), None) => What::Resume { stage },
        (None, None, None, None, None, Some(stage)) => {
            What::Fails { stage, bundle: it.bundle.context("which bundle fails?")? }
        }
        (None, None, None, None, None, None) => {
            let pipeline = it.pipeline.context("it says nothing that happens")?;
            let version = it.bundle.context("which bundle is new?")?;
            What::Bundle { name: format!("{pipeline}-{version}"), pipeline, version }
        }
        _ => bail!("one event says one thing"),
    };
    Ok(Event { at, what })
}

fn machine(story: &Story) -> Value {
    let entry = |it: &simulation::Entry| json!({"at": it.at, "stage": it.stage, "bundle": it.bundle, "what": it.what, "why": it.why});
    let standing = |it: &simulation::Standing| {
        let (next, why) = it.next.clone().unzip();
        json!({"stage": it.stage, "runs": it.runs, "next": next, "waitsFor": why, "until": it.until})
    };
    json!({
        "entries": story.entries.iter().map(entry).collect::<Vec<_>>(),
        "standings": story.standings.iter().map(standing).collect::<Vec<_>>(),
        "cut": story.cut,
    })
}

fn told(story: &Story, start: Timestamp) -> String {
    let row = |it: &simulation::Entry| {
        vec![
            it.at.to_string(),
            format!("+{}", span(start, it.at)),
            if it.stage.is_empty() { "-".to_owned() } else { it.stage.clone() },
            if it.bundle.is_empty() { "-".to_owned() } else { it.bundle.clone() },
            it.what.clone(),
            it.why.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = story.entries.iter().map(row).collect();
    let mut text = table(&["TIME", "AFTER", "STAGE", "BUNDLE", "WHAT", "WHY"], &rows);
    text += "\n\n";
    let row = |it: &simulation::Standing| {
        let (next, why) = it.next.clone().unwrap_or_else(|| ("-".to_owned(), String::new()));
        vec![it.stage.clone(), it.runs.clone(), next, why]
    };
    let rows: Vec<Vec<String>> = story.standings.iter().map(row).collect();
    text += &table(&["STAGE", "RUNS", "NEXT", "WAITS FOR"], &rows);
    if story.cut {
        text += "\nthere is no end to it; the rest is left out";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(events: &str, length: i64) -> String {
        let manifests = "apiVersion: promotion.sluice.dev/v1alpha1\nkind: Pipeline\n\
            metadata: {name: shop}\nspec: {components: [{name: api, imagePolicyRef: {name: api}}]}\n---\n\
            apiVersion: promotion.sluice.dev/v1alpha1\nkind: Stage\nmetadata: {name: dev}\n\
            spec: {pipelineRef: {name: shop}, promote: Auto}\n---\n\
            apiVersion: promotion.sluice.dev/v1alpha1\nkind: Stage\nmetadata: {name: prod}\n\
            spec: {pipelineRef: {name: shop}, promote: Auto, from: [{stage: dev, soak: 1h}],\n  \
            onFailure: {action: Rollback},\n  \
            gates: [{name: signoff, approval: {min: 1}},\n          \
            {name: hours, window: {allow: [{cron: '0 9 * * *', duration: 8h}]}}]}\n";
        let manifests = crate::manifest::parse(manifests, "test").unwrap();
        let given = Given::read(&manifests, "flux-system").unwrap();
        let start: Timestamp = "2026-09-01T06:00:00Z".parse().unwrap();
        let scenario = Scenario {
            stages: given.stages.iter().map(|it| stage(it, &given).unwrap()).collect(),
            bundles: Vec::new(),
            parts: std::collections::BTreeMap::new(),
            events: super::events(events, start).unwrap(),
            start,
            end: start + SignedDuration::from_hours(length),
            deploy: SignedDuration::from_mins(1),
            outside: SignedDuration::from_mins(1),
        };
        told(&play(&scenario), start)
    }

    #[test]
    fn a_release_soaks_waits_for_hours_and_people_and_comes() {
        let events = "- {at: 0s, pipeline: shop, bundle: 1.1.0}\n\
                      - {at: 2026-09-01T08:30:00Z, approve: prod, by: alice}\n";
        let told = story(events, 24);
        for line in [
            "+0s     -      1.1.0   new bundle",
            "+1m     dev    1.1.0   verified",
            "+1h1m   prod   1.1.0   promotion",
            "hours: window shut; opens 2026-09-01T09:00:00Z",
            "+2h30m  prod   1.1.0   approved by alice",
            "+3h     prod   1.1.0   committed",
            "+3h1m   prod   1.1.0   verified",
            "prod   1.1.0",
        ] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
    }

    #[test]
    fn a_release_that_fails_is_rolled_back_and_holds() {
        let events = "- {at: 0s, pipeline: shop, bundle: '2.0'}\n\
                      - {at: 0s, fails: prod, bundle: '2.0'}\n\
                      - {at: 4h, approve: prod, by: alice}\n";
        let told = story(events, 24);
        for line in ["failed", "rolls back", "held", "prod   initial"] {
            assert!(told.contains(line), "{line}:\n{told}");
        }
    }

    #[test]
    fn events_that_say_nothing_or_too_much_are_refused() {
        let start = Timestamp::UNIX_EPOCH;
        for (text, want) in [
            ("- {at: soon, hold: a}", "neither time nor duration"),
            ("- {at: 1m}", "says nothing that happens"),
            ("- {at: 1m, hold: a, resume: a}", "one event says one thing"),
            ("- {at: 1m, fails: a}", "which bundle fails"),
            ("- {at: 1m, bundle: 1.10, pipeline: p}", "put numbers in quotes"),
            ("- {at: 1m, hodl: a}", "unknown field"),
            ("a: b", "want a list"),
        ] {
            let why = format!("{:#}", events(text, start).unwrap_err());
            assert!(why.contains(want), "{text}: {why}");
        }
    }
}
