//! `sluice promotion why`.

use anyhow::Result;
use api::promotion::{GateState, GateStatus, Promotion, Stage, StageCandidate, StageStatus};
use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::place::{Place, shown, span};
use crate::{cli::cluster, term::Term};

/// Say what a stage runs, what would come next, and what that waits for
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the stage
    stage: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let stage = place.stage(&arguments.stage).await?;
    let status = stage.status.clone().unwrap_or_default();
    let mut promotions = place.promotions(&arguments.stage).await?;
    promotions.retain(|it| Some(it.name_any()) == status.promotion);
    let text = told(&stage, &status, promotions.first(), Timestamp::now());
    Term::detect().line(text.trim_end());
    Ok(())
}

fn told(
    stage: &Stage,
    status: &StageStatus,
    promotion: Option<&Promotion>,
    now: Timestamp,
) -> String {
    let mut lines = vec![runs(stage, status, now)];
    lines.extend(stopped(stage, status, now));
    match (promotion, &status.candidate) {
        (Some(promotion), _) => lines.extend(under_way(promotion, now)),
        (None, Some(candidate)) => lines.extend(waiting(stage, candidate, now)),
        (None, None) => lines.push("candidate  none: nothing newer may come here yet".to_owned()),
    }
    let skipped = status.skipped.iter().rev().take(5);
    lines.extend(skipped.map(|it| {
        let name = shown(it.version.as_deref(), &it.bundle);
        format!("skipped    {name}  {}, {} ago", it.reason, span(it.at.0, now))
    }));
    if let Some(next) = &status.next_transition {
        lines.push(format!("next possible change: {} (in {})", next.0, span(now, next.0)));
    }
    lines.join("\n")
}

fn runs(stage: &Stage, status: &StageStatus, now: Timestamp) -> String {
    let name = stage.name_any();
    let Some(current) = &status.current else { return format!("{name} runs nothing known yet") };
    let since = current.since.as_ref().map(|at| format!(" since {}", span(at.0, now)));
    let good = status.last_good.as_ref().is_some_and(|good| good.bundle == current.bundle);
    let phase = status.phase.clone().unwrap_or_default();
    format!(
        "{name} runs {}{}, {}{}",
        shown(current.version.as_deref(), &current.bundle),
        since.unwrap_or_default(),
        phase.to_lowercase(),
        if good { ", lastGood" } else { "" }
    )
}

/// What keeps anything from being started.
fn stopped(stage: &Stage, status: &StageStatus, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(hold) = &status.hold {
        let since = span(hold.since.0, now);
        lines.push(format!(
            "held       by {} since {since}: {}; `sluice promotion resume {}` ends it",
            hold.by,
            hold.reason,
            stage.name_any()
        ));
    }
    if stage.spec.suspend == Some(true) {
        lines.push("suspended  spec.suspend is set".to_owned());
    }
    for condition in status.conditions.iter().flatten() {
        if ["Frozen", "Stalled", "Drifted"].contains(&&*condition.type_)
            && condition.status == "True"
        {
            let title = condition.type_.to_lowercase();
            lines.push(format!("{title:<10} {}", condition.message));
        }
    }
    lines
}

fn under_way(it: &Promotion, now: Timestamp) -> Vec<String> {
    let status = it.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_default();
    let mut lines = vec![format!(
        "promoting  {}  {phase:?} ({:?}, {})",
        it.spec.bundle,
        it.spec.kind,
        it.name_any()
    )];
    if let Some(message) = status.message.filter(|message| !message.is_empty()) {
        lines.push(format!("  {message}"));
    }
    if let Some(request) = &status.pull_request {
        let url = request.url.clone().unwrap_or_else(|| format!("#{}", request.number));
        lines.push(format!("  pull request {url} is {:?}", request.state));
    }
    lines.extend(gates(&status.gates, now));
    for target in &status.deploy {
        let mark = if target.ready { "ok  " } else { "wait" };
        let message = target.message.clone().unwrap_or_default();
        lines.push(format!("  {mark}  {}  {message}", target.target).trim_end().to_owned());
    }
    lines.extend(gates(&status.verify, now));
    lines
}

fn waiting(stage: &Stage, candidate: &StageCandidate, now: Timestamp) -> Vec<String> {
    let name = shown(candidate.version.as_deref(), &candidate.bundle);
    let mut lines = vec![format!("candidate  {name}")];
    if let Some(why) = candidate.blocked_by.as_ref().filter(|why| !why.is_empty()) {
        lines.push(format!("  waits for {why}"));
    } else if stage.spec.promote.unwrap_or_default() == api::promotion::Promote::Manual {
        let name = stage.name_any();
        lines.push(format!("  waits for a person: `sluice promotion promote {name}`"));
    }
    lines.extend(gates(&candidate.gates, now));
    lines
}

fn gates(gates: &[GateStatus], now: Timestamp) -> Vec<String> {
    let line = |gate: &GateStatus| {
        let mark = match gate.state {
            GateState::Passed => "ok",
            GateState::Pending => "wait",
            GateState::Failed => "fail",
            GateState::Error => "error",
            GateState::Bypassed => "skip",
        };
        let message = gate.message.clone().unwrap_or_default();
        let next = gate.next_check.as_ref().filter(|at| at.0 > now);
        let next = next.map(|at| format!(" (in {})", span(now, at.0))).unwrap_or_default();
        format!("  {mark:<5} {:<12} {message}{next}", gate.name).trim_end().to_owned()
    };
    gates.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wait_says_what_it_waits_for() {
        let stage: Stage = serde_json::from_value(json!({
            "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Stage",
            "metadata": {"name": "prod"}, "spec": {"pipelineRef": {"name": "shop"}, "promote": "Auto"},
            "status": {
                "phase": "Held",
                "current": {"bundle": "shop-a", "version": "1.8.1", "since": "2026-09-01T00:00:00Z"},
                "lastGood": {"bundle": "shop-a"},
                "candidate": {"bundle": "shop-k", "version": "1.8.3", "gates": [
                    {"name": "hours", "type": "window", "state": "Pending",
                     "message": "window opens 09:00", "nextCheck": "2026-09-04T14:00:00Z"},
                    {"name": "health", "type": "health", "state": "Passed"}]},
                "hold": {"kind": "Requested", "by": "alice", "reason": "fair",
                         "since": "2026-09-03T23:00:00Z"},
                "skipped": [{"bundle": "shop-7", "version": "1.8.2",
                             "reason": "superseded by 1.8.3", "at": "2026-09-03T22:00:00Z"}],
                "nextTransition": "2026-09-04T14:00:00Z",
            },
        }))
        .unwrap();
        let status = stage.status.clone().unwrap();
        let now = "2026-09-04T00:00:00Z".parse().unwrap();
        assert_eq!(
            told(&stage, &status, None, now),
            "prod runs 1.8.1 (shop-a) since 3d, held, lastGood\n\
             held       by alice since 1h: fair; `sluice promotion resume prod` ends it\n\
             candidate  1.8.3 (shop-k)\n  \
             wait  hours        window opens 09:00 (in 14h)\n  \
             ok    health\n\
             skipped    1.8.2 (shop-7)  superseded by 1.8.3, 2h ago\n\
             next possible change: 2026-09-04T14:00:00Z (in 14h)"
        );
    }
}
