//! What is counted: how promotions end, how long they take, and how stages stand.
//!
//! Lead time, how often promotions come, how many fail and how long it takes to get back are the four
//! families that DORA asks for.

use std::sync::Arc;

use api::promotion::{Phase, Promotion, PromotionKind, PromotionStatus, Stage, StageStatus};
use jiff::Timestamp;
use kube::ResourceExt as _;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, core::Collector,
};

/// From a second to two weeks.
const BUCKETS: [f64; 14] = [
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    14400.0,
    43200.0,
    86400.0,
    259_200.0,
    604_800.0,
    1_209_600.0,
];
/// What tells a stage from all others.
const STAGE: [&str; 3] = ["namespace", "pipeline", "stage"];

/// The families of staged promotion. Cheap to clone.
#[derive(Clone)]
pub struct Meters(Arc<Families>);

struct Families {
    total: CounterVec,
    phases: HistogramVec,
    lead: HistogramVec,
    restore: HistogramVec,
    gates: HistogramVec,
    info: GaugeVec,
    lag: GaugeVec,
    held: GaugeVec,
    frozen: GaugeVec,
    drifted: GaugeVec,
    pushes: CounterVec,
    budget: GaugeVec,
}

impl Meters {
    /// Registers all families.
    ///
    /// # Errors
    /// When one of the names is taken already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let [namespace, pipeline, stage] = STAGE;
        let of_stage = |name, help| gauge(registry, (name, help), &STAGE);
        Ok(Self(Arc::new(Families {
            total: counter(
                registry,
                ("promotion_total", "Promotions that ended, by how."),
                &[namespace, pipeline, stage, "kind", "result"],
            )?,
            phases: histogram(
                registry,
                ("promotion_phase_seconds", "How long promotions were in a phase."),
                &[namespace, pipeline, stage, "phase"],
            )?,
            lead: histogram(
                registry,
                (
                    "promotion_lead_time_seconds",
                    "From when a bundle was made until it ran, verified.",
                ),
                &STAGE,
            )?,
            restore: histogram(
                registry,
                ("promotion_restore_seconds", "From a failure until what was good ran again."),
                &STAGE,
            )?,
            gates: histogram(
                registry,
                ("promotion_gate_wait_seconds", "How long promotions waited until a gate passed."),
                &["type"],
            )?,
            info: gauge(
                registry,
                ("promotion_stage_info", "What a stage runs."),
                &[namespace, pipeline, stage, "bundle", "version"],
            )?,
            lag: of_stage(
                "promotion_stage_lag_bundles",
                "How many bundles are newer than what runs.",
            )?,
            held: of_stage(
                "promotion_stage_held",
                "Whether nothing is promoted without a person.",
            )?,
            frozen: of_stage("promotion_stage_frozen", "Whether a freeze holds the stage.")?,
            drifted: of_stage("promotion_stage_drifted", "Whether the branch differs.")?,
            pushes: counter(
                registry,
                ("promotion_git_push_total", "Pushes, by what became of them."),
                &["result"],
            )?,
            budget: gauge(
                registry,
                ("promotion_provider_budget", "Requests that a Git provider still answers."),
                &["host"],
            )?,
        })))
    }

    /// Counts a promotion that ended.
    pub(crate) fn ended(
        &self,
        it: &Promotion,
        status: &PromotionStatus,
        (pipeline, made, failed): (&str, Option<Timestamp>, Option<Timestamp>),
    ) {
        let (namespace, stage) = (it.namespace().unwrap_or_default(), &*it.spec.stage);
        let phase = status.phase.unwrap_or_default();
        let (kind, result) = (format!("{:?}", it.spec.kind), format!("{phase:?}"));
        let own = [namespace.as_str(), pipeline, stage];
        let labels = [own[0], own[1], own[2], &kind, &result];
        self.0.total.with_label_values(&labels).inc();
        self.phases(&own, status);
        let end = status.finished_at.as_ref().map(|at| at.0);
        let seconds = |since: Option<Timestamp>| {
            let span = end?.duration_since(since?);
            Some(span.as_secs_f64().max(0.0))
        };
        if phase != Phase::Succeeded {
            return;
        }
        if it.spec.kind == PromotionKind::Rollback {
            seconds(failed).inspect(|it| self.0.restore.with_label_values(&own).observe(*it));
        } else {
            seconds(made).inspect(|it| self.0.lead.with_label_values(&own).observe(*it));
        }
        let began = status.phase_times.get("Gating").map(|at| at.0);
        for gate in status.gates.iter().filter(|it| it.kind != "implicit") {
            let passed = gate.since.as_ref().map(|at| at.0);
            let Some((passed, began)) = passed.zip(began) else { continue };
            let waited = passed.duration_since(began).as_secs_f64().max(0.0);
            self.0.gates.with_label_values(&[&*gate.kind]).observe(waited);
        }
    }

    fn phases(&self, own: &[&str; 3], status: &PromotionStatus) {
        let mut times: Vec<(Timestamp, &String)> =
            status.phase_times.iter().map(|(name, at)| (at.0, name)).collect();
        times.sort();
        for pair in times.windows(2) {
            if let [(began, name), (ended, _)] = pair {
                let seconds = ended.duration_since(*began).as_secs_f64();
                let labels = [own[0], own[1], own[2], name.as_str()];
                self.0.phases.with_label_values(&labels).observe(seconds);
            }
        }
    }

    /// Shows how a stage stands.
    pub(crate) fn stage(&self, it: &Stage, status: &StageStatus, lag: usize) {
        let namespace = it.namespace().unwrap_or_default();
        let (pipeline, stage) = (&*it.spec.pipeline_ref.name, it.name_any());
        let own = [namespace.as_str(), pipeline, &*stage];
        let is = |kind: &str| {
            let all = status.conditions.iter().flatten();
            let found = all.clone().any(|it| it.type_ == kind && it.status == "True");
            f64::from(u8::from(found))
        };
        let families = &*self.0;
        families.held.with_label_values(&own).set(is("Held"));
        families.frozen.with_label_values(&own).set(is("Frozen"));
        families.drifted.with_label_values(&own).set(is("Drifted"));
        #[expect(clippy::cast_precision_loss, reason = "nobody keeps 2^52 bundles")]
        families.lag.with_label_values(&own).set(lag as f64);
        forget(&families.info, &own);
        if let Some(current) = &status.current {
            let version = current.version.clone().unwrap_or_default();
            let labels = [own[0], own[1], own[2], &current.bundle, &version];
            families.info.with_label_values(&labels).set(1.0);
        }
    }

    /// Forgets a stage that is gone.
    pub(crate) fn gone(&self, it: &Stage) {
        let namespace = it.namespace().unwrap_or_default();
        let stage = it.name_any();
        let own = [namespace.as_str(), &*it.spec.pipeline_ref.name, &*stage];
        for family in [&self.0.held, &self.0.frozen, &self.0.drifted, &self.0.lag, &self.0.info] {
            forget(family, &own);
        }
    }

    /// Counts a push.
    pub(crate) fn pushed(&self, result: &str) {
        self.0.pushes.with_label_values(&[result]).inc();
    }

    /// Shows what a Git provider still answers.
    pub(crate) fn budget(&self, host: &str, remaining: u64) {
        #[expect(clippy::cast_precision_loss, reason = "nobody may ask that often")]
        self.0.budget.with_label_values(&[host]).set(remaining as f64);
    }
}

/// Removes all series of a stage, whatever their other labels are.
fn forget(family: &GaugeVec, own: &[&str; 3]) {
    for metrics in family.collect() {
        for metric in metrics.get_metric() {
            let value = |name: &str| {
                let found = metric.get_label().iter().find(|it| it.name() == name);
                found.map(|it| it.value().to_owned()).unwrap_or_default()
            };
            if STAGE.iter().zip(own).any(|(name, own)| value(name) != *own) {
                continue;
            }
            let labels: std::collections::HashMap<&str, String> =
                metric.get_label().iter().map(|it| (it.name(), it.value().to_owned())).collect();
            // One that somebody else removed meanwhile is gone as well.
            let _ = family.remove(&labels);
        }
    }
}

type Family = (&'static str, &'static str);

fn counter(
    registry: &Registry,
    (name, help): Family,
    labels: &[&str],
) -> Result<CounterVec, prometheus::Error> {
    let it = CounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}

fn gauge(
    registry: &Registry,
    (name, help): Family,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    let it = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}

fn histogram(
    registry: &Registry,
    (name, help): Family,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
    let it = HistogramVec::new(options, labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}
