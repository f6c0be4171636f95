//! What has been where: bundles and promotions as decisions see them.

use std::collections::{BTreeMap, BTreeSet};

use api::promotion as v1;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use pipeline::{
    bundle::{Bundle, Order, Verified},
    promotion::{Kind, Phase},
    stage::{Attempt, failed},
};

use crate::store::Stores;

/// The condition of a Bundle whose values can all be had.
pub(crate) const AVAILABLE: &str = "Available";

/// The bundles of a pipeline, as it makes them: without where they have been.
pub(crate) fn bundles(stores: &Stores, namespace: &str, pipeline: &str) -> Vec<Bundle> {
    known(stores, (namespace, pipeline), &|_| false)
}

/// The bundles that a stage can choose from, with where they were verified and failed as far as it counts
/// for the stage: in those that feed it, and in itself.
pub(crate) fn bundles_for(stage: &v1::Stage, stores: &Stores) -> Vec<Bundle> {
    let (namespace, own) = (stage.namespace().unwrap_or_default(), stage.name_any());
    let counts = |name: &str| name == own || stage.spec.from.iter().any(|it| it.stage == name);
    known(stores, (&namespace, &stage.spec.pipeline_ref.name), &counts)
}

fn known(
    stores: &Stores,
    (namespace, pipeline): (&str, &str),
    counts: &dyn Fn(&str) -> bool,
) -> Vec<Bundle> {
    let all = stores.bundles_of(namespace, pipeline);
    let objects: BTreeMap<String, &v1::Bundle> =
        all.iter().map(|it| (it.name_any(), &**it)).collect();
    let mut bundles: Vec<Bundle> =
        objects.values().map(|it| bundle(it, &objects, counts)).collect();
    let mut by_stage: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
    for it in stores.promotions.in_namespace(namespace) {
        if counts(&it.spec.stage) && objects.contains_key(&it.spec.bundle) {
            by_stage.entry(it.spec.stage.clone()).or_default().push(attempt(&it));
        }
    }
    for (stage, attempts) in &by_stage {
        let failed = failed(attempts);
        for bundle in &mut bundles {
            enter(bundle, stage, attempts, &failed);
        }
    }
    bundles
}

/// Adds what the promotions into a stage say of a bundle.
fn enter(bundle: &mut Bundle, stage: &str, attempts: &[Attempt], failed: &BTreeSet<String>) {
    let own = || attempts.iter().filter(|it| it.bundle == bundle.name && !it.dry_run);
    let good = own().filter(|it| it.phase == Phase::Succeeded).filter_map(|it| it.finished).max();
    if own().any(|it| it.phase.is_terminal()) {
        bundle.failed.remove(stage);
    }
    if failed.contains(&bundle.name) {
        bundle.failed.insert(stage.to_owned());
    }
    if let Some(at) = good {
        let known = bundle.verified.entry(stage.to_owned());
        known.or_insert(Verified { at, withdrawn: false });
    }
    let bad = own().filter(|it| it.takes_back()).filter_map(|it| it.finished).max();
    if let Some(verified) = bundle.verified.get_mut(stage) {
        verified.withdrawn |= bad.is_some_and(|bad| good.is_none_or(|good| good < bad));
    }
}

fn bundle(
    it: &v1::Bundle,
    all: &BTreeMap<String, &v1::Bundle>,
    counts: &dyn Fn(&str) -> bool,
) -> Bundle {
    let none = v1::BundleStatus::default();
    let status = it.status.as_ref().unwrap_or(&none);
    let known = status.conditions.iter().flatten().find(|it| it.type_ == AVAILABLE);
    let unavailable = match known {
        Some(it) if it.status == "True" => None,
        Some(it) => Some(it.message.clone()),
        None => Some("nobody has looked yet whether its values can be had".to_owned()),
    };
    let verified =
        status.verified_in.iter().filter(|it| counts(&it.stage)).map(|it| {
            (it.stage.clone(), Verified { at: it.at.0, withdrawn: it.withdrawn.is_some() })
        });
    let rejected = it.spec.rejections.iter().map(|it| (it.stage.clone(), it.by.clone()));
    Bundle {
        name: it.name_any(),
        version: it.spec.version.clone(),
        discovered: discovered(it, all),
        adopted: it.labels().get(v1::ADOPTED).is_some_and(|value| value == "true"),
        unavailable,
        rejected: rejected.collect(),
        verified: verified.collect(),
        failed: status
            .failed_in
            .iter()
            .map(|it| it.stage.clone())
            .filter(|it| counts(it))
            .collect(),
    }
}

/// When a bundle was made, after all those that were newest before it.
fn discovered(it: &v1::Bundle, all: &BTreeMap<String, &v1::Bundle>) -> Timestamp {
    let (mut at, mut before, mut steps) = (made(it), it.spec.previous.as_ref(), 0_i64);
    // One that came once more is not before what came after it the first time.
    let kept = |it: &&&v1::Bundle| !it.annotations().contains_key(v1::RENEWED);
    while let Some(previous) = before.and_then(|name| all.get(name)).filter(kept) {
        steps += 1;
        let least = made(previous).saturating_add(SignedDuration::from_nanos(steps));
        at = at.max(least.unwrap_or(at));
        before = previous.spec.previous.as_ref().filter(|_| steps < 100);
    }
    at
}

fn made(it: &v1::Bundle) -> Timestamp {
    let told = it.annotations().get(v1::DISCOVERED_AT).and_then(|text| text.parse().ok());
    let created = || it.metadata.creation_timestamp.as_ref().map(|at| at.0);
    told.or_else(created).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The order that a pipeline has.
pub(crate) fn order(it: &v1::PipelineSpec) -> Order {
    match it.bundles.as_ref().and_then(|it| it.order).unwrap_or_default() {
        v1::BundleOrder::Discovered => Order::Discovered,
        v1::BundleOrder::SemVer => Order::SemVer,
    }
}

/// The promotions into a stage.
pub(crate) fn attempts(stores: &Stores, namespace: &str, stage: &str) -> Vec<Attempt> {
    stores.promotions_of(namespace, stage).iter().map(|it| attempt(it)).collect()
}

/// A promotion as the stage sees it.
pub(crate) fn attempt(it: &v1::Promotion) -> Attempt {
    let status = it.status.clone().unwrap_or_default();
    let ended_by = it.spec.abort.as_ref().map(|it| it.by.clone());
    let by =
        ended_by.or_else(|| it.spec.requested_by.clone()).unwrap_or_else(|| "stage".to_owned());
    Attempt {
        name: it.name_any(),
        kind: kind(it.spec.kind),
        bundle: it.spec.bundle.clone(),
        phase: phase(status.phase.unwrap_or_default()),
        reason: status.reason.unwrap_or_default(),
        created: created(it),
        finished: status.finished_at.map(|at| at.0),
        dry_run: it.spec.dry_run.unwrap_or(false),
        intended: status.intent.as_ref().is_some_and(|it| it.branch.is_none()),
        requested: status.intent.is_some_and(|it| it.branch.is_some()),
        written: status.commits.last().map(|it| it.sha.clone()),
        by,
        rollback_of: it.annotations().get(v1::ROLLBACK_OF).cloned(),
    }
}

/// When it was made: those that the stage made within one second keep their order.
fn created(it: &v1::Promotion) -> Timestamp {
    let at = it.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0);
    let sequence = it.annotations().get(v1::SEQUENCE).and_then(|text| text.parse::<i64>().ok());
    let nanos = SignedDuration::from_nanos(sequence.unwrap_or_default().clamp(0, 999_999_999));
    at.saturating_add(nanos).unwrap_or(at)
}

/// The kind in the words of decisions.
pub(crate) fn kind(it: v1::PromotionKind) -> Kind {
    match it {
        v1::PromotionKind::Auto => Kind::Auto,
        v1::PromotionKind::Manual => Kind::Manual,
        v1::PromotionKind::Rollback => Kind::Rollback,
        v1::PromotionKind::Adopt => Kind::Adopt,
    }
}

/// The kind in the words of the API.
pub(crate) fn kind_word(it: Kind) -> v1::PromotionKind {
    match it {
        Kind::Auto => v1::PromotionKind::Auto,
        Kind::Manual => v1::PromotionKind::Manual,
        Kind::Rollback => v1::PromotionKind::Rollback,
        Kind::Adopt => v1::PromotionKind::Adopt,
    }
}

/// The phase in the words of decisions.
pub(crate) fn phase(it: v1::Phase) -> Phase {
    match it {
        v1::Phase::Pending => Phase::Pending,
        v1::Phase::Gating => Phase::Gating,
        v1::Phase::Writing => Phase::Writing,
        v1::Phase::Proposed => Phase::Proposed,
        v1::Phase::Deploying => Phase::Deploying,
        v1::Phase::Verifying => Phase::Verifying,
        v1::Phase::Succeeded => Phase::Succeeded,
        v1::Phase::Failed => Phase::Failed,
        v1::Phase::Rejected => Phase::Rejected,
        v1::Phase::Superseded => Phase::Superseded,
        v1::Phase::Aborted => Phase::Aborted,
    }
}

/// The phase in the words of the API.
pub(crate) fn phase_word(it: Phase) -> v1::Phase {
    match it {
        Phase::Pending => v1::Phase::Pending,
        Phase::Gating => v1::Phase::Gating,
        Phase::Writing => v1::Phase::Writing,
        Phase::Proposed => v1::Phase::Proposed,
        Phase::Deploying => v1::Phase::Deploying,
        Phase::Verifying => v1::Phase::Verifying,
        Phase::Succeeded => v1::Phase::Succeeded,
        Phase::Failed => v1::Phase::Failed,
        Phase::Rejected => v1::Phase::Rejected,
        Phase::Superseded => v1::Phase::Superseded,
        Phase::Aborted => v1::Phase::Aborted,
    }
}
