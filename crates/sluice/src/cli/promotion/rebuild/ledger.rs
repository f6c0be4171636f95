//! From commits to Bundles, Promotions and what Stages know.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use api::{
    meta::{LocalObjectReference, time},
    promotion::{
        ADOPTED, BUNDLE, Bundle, BundleSpec, BundleStatus, CheckedApproval, Commit, Component,
        Current, DISCOVERED_AT, FailedIn, FailureThen, GateState, GateStatus, HistoryEntry, Hold,
        HoldKind, PIPELINE, Phase, Pipeline, Promotion, PromotionKind, PromotionSpec,
        PromotionStatus, ROLLBACK_OF, SEQUENCE, STAGE, Stage, StageStatus, VerifiedIn,
    },
};
use jiff::SignedDuration;
use kube::{ResourceExt as _, api::ObjectMeta};
use pipeline::value::{Part, Value, bundle_name, promotion_name};
use serde_json::json;

use super::history::Record;
use crate::{
    cli::promotion::{bundle::component, place::shown},
    term::Term,
};

/// How many promotions of a stage are made again.
const KEPT: usize = 20;

/// What Git tells.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) bundles: BTreeMap<String, Bundle>,
    pub(super) promotions: Vec<Promotion>,
    pub(super) stages: Vec<(String, StageStatus)>,
    /// What could not be believed, and why.
    notes: Vec<String>,
}

/// How a promotion ended, as far as later commits tell.
struct Ended {
    record: Record,
    kind: PromotionKind,
    phase: Phase,
    failure: Option<String>,
}

impl Ended {
    fn reason(&self) -> String {
        self.failure.clone().unwrap_or_else(|| "Succeeded".to_owned())
    }
}

impl Ledger {
    /// Adds a stage with the commits of its promotions, oldest first.
    pub(super) fn add(&mut self, stage: &Stage, pipe: &Pipeline, all: Vec<Record>) {
        let (name, pipeline) = (stage.name_any(), pipe.name_any());
        let mut attempts: BTreeMap<String, i32> = BTreeMap::new();
        let mut records = Vec::new();
        for mut record in all {
            if let Err(why) = self.bundle(pipe, &record) {
                let commit = record.commit.get(..7).unwrap_or_default();
                self.notes.push(format!("{name}: commit {commit} does not count: {why:#}"));
                continue;
            }
            let attempt = attempts.entry(record.bundle.clone()).or_default();
            if record.kind != "Manual" {
                *attempt += 1;
            }
            if record.name.is_empty() {
                let number = u32::try_from(*attempt).unwrap_or(1);
                record.name = promotion_name(&name, (&pipeline, &record.bundle), number);
            }
            records.push(record);
        }
        let ended = ended(records);
        self.enter(&name, &ended);
        let kept = ended.len().saturating_sub(KEPT);
        for (at, it) in ended.iter().enumerate().skip(kept) {
            self.promotions.push(promotion(stage, it, at));
        }
        if !ended.is_empty() {
            let mut status = status(stage, &ended);
            status.attempts = attempts;
            status.counted = ended.iter().skip(kept).map(|it| it.record.name.clone()).collect();
            self.stages.push((name, status));
        }
    }

    /// The bundle of a commit. Its name is made of its values: what does not fit is not believed.
    fn bundle(&mut self, pipe: &Pipeline, record: &Record) -> Result<()> {
        if self.bundles.contains_key(&record.bundle) {
            return Ok(());
        }
        let pipeline = pipe.name_any();
        let part = |(name, text): &(String, String)| {
            let known = pipe.spec.components.iter().find(|it| it.name == *name);
            let known = known.with_context(|| format!("there is no component '{name}'"))?;
            let value = value(known, text).with_context(|| format!("'{text}' is no value"))?;
            anyhow::Ok(Part { component: name.clone(), value })
        };
        let parts = record.components.iter().map(part).collect::<Result<Vec<_>>>()?;
        let made = bundle_name(&pipeline, &parts);
        anyhow::ensure!(made == record.bundle, "its values make {made}, not {}", record.bundle);
        // Those of one second keep the order of their commits.
        let at = record.at + SignedDuration::from_nanos(i64::try_from(self.bundles.len())?);
        let mut labels = BTreeMap::from([(PIPELINE.to_owned(), pipeline.clone())]);
        if parts.iter().any(|it| matches!(&it.value, Value::Image { digest: None, .. })) {
            labels.insert(ADOPTED.to_owned(), "true".to_owned());
        }
        let bundle = Bundle {
            metadata: ObjectMeta {
                name: Some(made.clone()),
                namespace: pipe.namespace(),
                labels: Some(labels),
                annotations: Some([(DISCOVERED_AT.to_owned(), at.to_string())].into()),
                ..ObjectMeta::default()
            },
            spec: BundleSpec {
                pipeline_ref: LocalObjectReference { name: pipeline },
                components: parts.iter().map(component).collect(),
                version: Some(record.label.clone()).filter(|it| *it != record.bundle),
                ..BundleSpec::default()
            },
            status: Some(BundleStatus::default()),
        };
        self.bundles.insert(made, bundle);
        Ok(())
    }

    /// Enters where bundles were verified and failed.
    fn enter(&mut self, stage: &str, ended: &[Ended]) {
        for it in ended {
            let Some(bundle) = self.bundles.get_mut(&it.record.bundle) else { continue };
            let status = bundle.status.get_or_insert_default();
            status.failed_in.retain(|it| it.stage != stage);
            let (stage, at) = (stage.to_owned(), time(it.record.at));
            let promotion = Some(it.record.name.clone());
            if it.phase == Phase::Failed {
                let reason = it.reason();
                status.failed_in.push(FailedIn { stage, at, promotion, reason });
            } else if !status.verified_in.iter().any(|it| it.stage == stage) {
                let (dwell, withdrawn) = (None, None);
                status.verified_in.push(VerifiedIn { stage, at, promotion, dwell, withdrawn });
            }
        }
    }

    /// Everything as objects.
    pub(super) fn objects(&self) -> Vec<serde_json::Value> {
        let bundles = self.bundles.values().map(|it| json!(it));
        let promotions = self.promotions.iter().map(|it| json!(it));
        let stages = self.stages.iter().map(|(name, status)| {
            json!({"apiVersion": "promotion.sluice.dev/v1alpha1", "kind": "Stage",
                   "metadata": {"name": name}, "status": status})
        });
        bundles.chain(promotions).chain(stages).collect()
    }

    pub(super) fn show(&self, term: Term) {
        for (name, status) in &self.stages {
            let current = status.current.clone().unwrap_or_default();
            let runs = shown(current.version.as_deref(), &current.bundle);
            term.line(&format!("{name} runs {runs}"));
            if let Some(hold) = &status.hold {
                term.line(&format!("  held by {}: {}", hold.by, hold.reason));
            }
            for it in &status.history {
                let commit = it.commit.clone().unwrap_or_default();
                let commit = commit.get(..7).unwrap_or_default();
                let version = it.version.as_deref().unwrap_or(&it.bundle);
                term.line(&format!(
                    "  {}  {commit}  {version}  {:?}  {:?}",
                    it.finished_at.0, it.kind, it.phase
                ));
            }
        }
        for note in &self.notes {
            term.failed(note);
        }
        term.line(&format!(
            "{} bundles, {} promotions, {} stages",
            self.bundles.len(),
            self.promotions.len(),
            self.stages.len()
        ));
    }
}

/// What a promotion that was undone failed with is told by the one that undid it.
fn ended(records: Vec<Record>) -> Vec<Ended> {
    let undone: BTreeMap<String, String> = records
        .iter()
        .filter_map(|it| {
            let why = it.reason.as_deref().and_then(|it| it.rsplit_once(": "));
            Some((it.rolls_back.clone()?, why.map_or("DeployFailed", |(_, why)| why).to_owned()))
        })
        .collect();
    let ended = |record: Record| {
        let failure = undone.get(&record.name).cloned();
        let kind = match record.kind.as_str() {
            "Manual" => PromotionKind::Manual,
            "Rollback" => PromotionKind::Rollback,
            _ => PromotionKind::Auto,
        };
        let phase = if failure.is_some() { Phase::Failed } else { Phase::Succeeded };
        Ended { record, kind, phase, failure }
    };
    records.into_iter().map(ended).collect()
}

fn promotion(stage: &Stage, it: &Ended, sequence: usize) -> Promotion {
    let Ended { record, kind, phase, .. } = it;
    let label = |text: &str| text.chars().take(63).collect::<String>();
    let labels = [
        (PIPELINE.to_owned(), label(&stage.spec.pipeline_ref.name)),
        (STAGE.to_owned(), label(&stage.name_any())),
        (BUNDLE.to_owned(), label(&record.bundle)),
    ];
    let undone = record.rolls_back.iter().map(|it| (ROLLBACK_OF.to_owned(), it.clone()));
    let marks = [(SEQUENCE, sequence.to_string()), (promotion::REBUILT, "true".to_owned())];
    let marks = marks.map(|(key, value)| (key.to_owned(), value));
    let at = time(record.at);
    let approval = |text: &String| {
        let (by, at) = text.rsplit_once(' ')?;
        let at = time(at.parse().ok()?);
        Some(CheckedApproval { by: by.to_owned(), group: None, at, allowed: true })
    };
    let gate = |(name, text): &(String, String)| GateStatus {
        name: name.clone(),
        kind: "recorded".to_owned(),
        state: GateState::Passed,
        message: Some(text.clone()),
        since: None,
        evaluated_at: None,
        next_check: None,
        attempt: None,
        evidence: BTreeMap::new(),
    };
    let status = PromotionStatus {
        phase: Some(*phase),
        reason: Some(it.reason()),
        message: Some("made again from its commit".to_owned()),
        gates: record.gates.iter().map(gate).collect(),
        approvals: record.approvals.iter().filter_map(approval).collect(),
        commits: vec![Commit {
            sha: record.commit.clone(),
            branch: record.branch.clone(),
            wave: None,
            at: at.clone(),
            unchanged: None,
        }],
        rollback_of: record.rolls_back.clone(),
        started_at: Some(at.clone()),
        finished_at: Some(at),
        ..PromotionStatus::default()
    };
    Promotion {
        metadata: ObjectMeta {
            name: Some(record.name.clone()),
            namespace: stage.namespace(),
            labels: Some(labels.into()),
            annotations: Some(undone.chain(marks).collect()),
            ..ObjectMeta::default()
        },
        spec: PromotionSpec {
            stage: stage.name_any(),
            bundle: record.bundle.clone(),
            kind: *kind,
            reason: record.reason.clone(),
            ..PromotionSpec::default()
        },
        status: Some(status),
    }
}

/// What a stage knows.
fn status(stage: &Stage, ended: &[Ended]) -> StageStatus {
    let version = |it: &Record| Some(it.label.clone()).filter(|label| *label != it.bundle);
    let current = |it: &Ended| {
        let at = time(it.record.at);
        Current {
            bundle: it.record.bundle.clone(),
            version: version(&it.record),
            promotion: Some(it.record.name.clone()),
            commit: Some(it.record.commit.clone()),
            since: Some(at.clone()),
            verified_at: (it.phase == Phase::Succeeded).then_some(at),
        }
    };
    let history = ended.iter().rev().take(KEPT).map(|it| HistoryEntry {
        promotion: it.record.name.clone(),
        bundle: it.record.bundle.clone(),
        version: version(&it.record),
        kind: it.kind,
        phase: it.phase,
        reason: Some(it.reason()),
        commit: Some(it.record.commit.clone()),
        finished_at: time(it.record.at),
    });
    let good = ended.iter().rev().find(|it| it.phase == Phase::Succeeded);
    StageStatus {
        current: ended.last().map(current),
        last_good: good.map(current),
        hold: ended.last().and_then(|last| hold(stage, last, ended)),
        history: history.collect(),
        ..StageStatus::default()
    }
}

/// After a rollback the stage is held, unless it goes on by itself; whether somebody resumed it since,
/// no commit tells.
fn hold(stage: &Stage, last: &Ended, ended: &[Ended]) -> Option<Hold> {
    let undone = last.record.rolls_back.as_ref()?;
    let then = stage.spec.on_failure.as_ref().and_then(|it| it.then);
    let failed = ended.iter().find(|it| it.record.name == *undone)?;
    (then != Some(FailureThen::FixForward)).then(|| Hold {
        kind: HoldKind::Failure,
        by: "stage".to_owned(),
        reason: format!("{undone} ended in failure: {}", failed.reason()),
        promotion: Some(undone.clone()),
        commit: Some(failed.record.commit.clone()),
        since: time(last.record.at),
    })
}

/// The value of a component from how its trailer has it.
fn value(it: &Component, text: &str) -> Option<Value> {
    if it.git_ref.is_some() {
        let (url, commit) = text.rsplit_once('@')?;
        return Some(Value::Git { url: url.to_owned(), tag: None, commit: commit.to_owned() });
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name.to_owned(), Some(tag.to_owned())),
        None => (rest.to_owned(), None),
    };
    if it.oci_ref.is_some() {
        return Some(Value::Oci { url: name, tag, digest: digest? });
    }
    if it.chart.is_some() {
        let (url, chart) = name.rsplit_once('/')?;
        let (url, name, version) = (url.to_owned(), chart.to_owned(), tag?);
        return Some(Value::Chart { url, name, version, digest });
    }
    Some(Value::Image { name, tag: tag?, digest })
}

#[cfg(test)]
mod tests {
    use api::{
        meta::NamespacedObjectReference,
        promotion::{ChartSource, GitSource},
    };

    use super::*;

    #[test]
    fn values_are_read_as_they_were_written() {
        let image = |digest: Option<&str>| Value::Image {
            name: "localhost:5000/x/api".into(),
            tag: "1.8.3".into(),
            digest: digest.map(str::to_owned),
        };
        let chart = Value::Chart {
            url: "https://charts.example.com".into(),
            name: "ingress".into(),
            version: "1.4.2".into(),
            digest: Some("sha256:11".into()),
        };
        let oci = Value::Oci {
            url: "oci://ghcr.io/x/config".into(),
            tag: Some("v1".into()),
            digest: "sha256:22".into(),
        };
        let git =
            Value::Git { url: "ssh://git@host/x.git".into(), tag: None, commit: "0123".into() };
        let with = |set: &dyn Fn(&mut Component)| {
            let mut it = Component::default();
            set(&mut it);
            it
        };
        for (component, value) in [
            (with(&|_| ()), image(Some("sha256:33"))),
            (with(&|_| ()), image(None)),
            (with(&|it| it.chart = Some(ChartSource::default())), chart),
            (with(&|it| it.oci_ref = Some(NamespacedObjectReference::default())), oci),
            (with(&|it| it.git_ref = Some(GitSource::default())), git),
        ] {
            assert_eq!(super::value(&component, &value.text()), Some(value));
        }
        assert_eq!(value(&Component::default(), "no-tag"), None);
    }
}
