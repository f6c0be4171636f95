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

    fn stage(spec: &serde_json::Value, status: &serde_json::Value) -> Stage {
        let mut all = json!({"pipelineRef": {"name": "shop"}, "promote": "Auto"});
        for (key, value) in spec.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Stage",
            "metadata": {"name": "prod"}, "spec": all, "status": status,
        }))
        .unwrap()
    }

    fn said(spec: &serde_json::Value, status: &serde_json::Value) -> String {
        let stage = stage(spec, status);
        let now = "2026-09-04T00:00:00Z".parse().unwrap();
        told(&stage, &stage.status.clone().unwrap_or_default(), None, now)
    }

    #[test]
    fn what_keeps_a_stage_from_starting_is_said() {
        let candidate = |why: &str| json!({"candidate": {"bundle": "b", "blockedBy": why}});
        let condition = |kind: &str, message: &str| {
            json!({"conditions": [{"type": kind, "status": "True", "reason": kind, "message": message,
                                   "lastTransitionTime": "2026-09-01T00:00:00Z"}]})
        };
        for (spec, status, want) in [
            (
                json!({}),
                candidate("not verified in staging yet"),
                "waits for not verified in staging",
            ),
            (
                json!({}),
                candidate("soaks in staging until 04:00"),
                "waits for soaks in staging until",
            ),
            (json!({}), candidate("rejected by alice"), "waits for rejected by alice"),
            (json!({}), candidate("failed in this stage before"), "waits for failed in this stage"),
            (
                json!({}),
                candidate("not available: digest is gone"),
                "waits for not available: digest",
            ),
            (json!({"promote": "Manual"}), candidate(""), "`sluice promotion promote prod`"),
            (json!({"suspend": true}), json!({}), "suspended  spec.suspend is set"),
            (json!({}), condition("Frozen", "year-end: holidays"), "frozen     year-end: holidays"),
            (
                json!({}),
                condition("Drifted", "somebody changed it"),
                "drifted    somebody changed it",
            ),
            (
                json!({}),
                condition("Stalled", "a circle: a -> b -> a"),
                "stalled    a circle: a -> b",
            ),
            (json!({}), json!({}), "none: nothing newer may come here yet"),
        ] {
            let text = said(&spec, &status);
            assert!(text.contains(want), "{want}:\n{text}");
        }
    }

    #[test]
    fn what_a_promotion_waits_for_is_said_for_each_kind_of_gate() {
        let now = "2026-09-04T00:00:00Z".parse().unwrap();
        for (kind, state, message, mark) in [
            ("implicit", "Pending", "soaks in staging until 04:00", "wait"),
            ("health", "Pending", "stage 'staging' is not healthy", "wait"),
            ("window", "Pending", "window shut; opens 09:00", "wait"),
            ("cel", "Pending", "does not hold: bundle.version != '2'", "wait"),
            ("approval", "Pending", "1 of 2; alice; needs 1 more with verb approve", "wait"),
            ("commitStatus", "Pending", "build is pending", "wait"),
            ("http", "Error", "the server answers 500", "error"),
            ("metric", "Failed", "result 7.5", "fail"),
            ("job", "Pending", "Job smoke runs", "wait"),
            ("approval", "Bypassed", "skipped by bob", "skip"),
            ("window", "Passed", "open; shuts 16:00", "ok"),
        ] {
            let promotion: Promotion = serde_json::from_value(json!({
                "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Promotion",
                "metadata": {"name": "p"},
                "spec": {"stage": "prod", "bundle": "b", "kind": "Auto"},
                "status": {"phase": "Gating", "message": format!("gate: {message}"), "gates": [
                    {"name": "gate", "type": kind, "state": state, "message": message,
                     "nextCheck": "2026-09-04T04:00:00Z"}]},
            }))
            .unwrap();
            let stage = stage(&json!({}), &json!({}));
            let text = told(&stage, &StageStatus::default(), Some(&promotion), now);
            let want = format!("  {mark:<5} gate         {message} (in 4h)");
            assert!(text.contains(&want), "{want}:\n{text}");
            assert!(text.contains("promoting  b  Gating (Auto, p)"), "{text}");
        }
    }

    #[test]
    fn what_is_written_says_what_does_not_run_it_yet() {
        let promotion: Promotion = serde_json::from_value(json!({
            "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Promotion",
            "metadata": {"name": "p"},
            "spec": {"stage": "prod", "bundle": "b", "kind": "Manual"},
            "status": {
                "phase": "Deploying",
                "deploy": [
                    {"target": "Kustomization/a/web", "ready": true},
                    {"target": "Kustomization/a/api", "ready": false, "message": "runs main@sha1:1"}],
                "verify": [{"name": "errors", "type": "metric", "state": "Pending",
                            "message": "3 of 10"}],
                "pullRequest": {"number": 7, "branch": "promotion/p", "state": "Open",
                                "url": "https://git.example.com/x/pulls/7"},
            },
        }))
        .unwrap();
        let stage = stage(&json!({}), &json!({}));
        let now = "2026-09-04T00:00:00Z".parse().unwrap();
        let text = told(&stage, &StageStatus::default(), Some(&promotion), now);
        for want in [
            "ok    Kustomization/a/web",
            "wait  Kustomization/a/api  runs main@sha1:1",
            "pull request https://git.example.com/x/pulls/7 is Open",
            "wait  errors       3 of 10",
        ] {
            assert!(text.contains(want), "{want}:\n{text}");
        }
    }
}
