//! A stage's status in the words of decisions, and back.

use std::collections::BTreeMap;

use api::{
    meta::time,
    promotion::{self as v1, StageStatus},
};
use pipeline::{
    bundle::Bundle,
    stage::{Current, Hold, HoldKind, State},
};

/// A stage as it was kept.
pub(crate) fn read(status: &StageStatus) -> State {
    let attempts = status.attempts.iter();
    State {
        current: status.current.as_ref().map(current),
        last_good: status.last_good.as_ref().map(current),
        hold: status.hold.as_ref().map(|it| Hold {
            kind: hold_kind(it.kind),
            by: it.by.clone(),
            reason: it.reason.clone(),
            promotion: it.promotion.clone(),
            commit: it.commit.clone(),
            since: it.since.0,
        }),
        turn: status.promotion.clone(),
        attempts: attempts
            .map(|(name, n)| (name.clone(), u32::try_from(*n).unwrap_or_default()))
            .collect(),
        counted: status.counted.iter().cloned().collect(),
    }
}

fn current(it: &v1::Current) -> Current {
    Current {
        bundle: it.bundle.clone(),
        promotion: it.promotion.clone(),
        commit: it.commit.clone(),
        since: it.since.as_ref().map(|at| at.0).unwrap_or_default(),
        verified: it.verified_at.as_ref().map(|at| at.0),
    }
}

/// Puts a stage as it is to be kept into its status.
pub(crate) fn write(state: &State, bundles: &[Bundle], status: &mut StageStatus) {
    let version =
        |name: &str| bundles.iter().find(|it| it.name == name).and_then(|it| it.version.clone());
    let shown = |it: &Current| v1::Current {
        bundle: it.bundle.clone(),
        version: version(&it.bundle),
        promotion: it.promotion.clone(),
        commit: it.commit.clone(),
        since: Some(time(it.since)),
        verified_at: it.verified.map(time),
    };
    status.current = state.current.as_ref().map(shown);
    status.last_good = state.last_good.as_ref().map(shown);
    status.hold = state.hold.as_ref().map(|it| v1::Hold {
        kind: hold_word(it.kind),
        by: it.by.clone(),
        reason: it.reason.clone(),
        promotion: it.promotion.clone(),
        commit: it.commit.clone(),
        since: time(it.since),
    });
    status.promotion.clone_from(&state.turn);
    let attempts = state.attempts.iter();
    let attempts = attempts.map(|(name, n)| (name.clone(), i32::try_from(*n).unwrap_or(i32::MAX)));
    let known = |name: &String| bundles.iter().any(|it| it.name == *name);
    status.attempts = attempts.filter(|(name, _)| known(name)).collect::<BTreeMap<_, _>>();
    status.counted = state.counted.iter().cloned().collect();
}

fn hold_kind(it: v1::HoldKind) -> HoldKind {
    match it {
        v1::HoldKind::Requested => HoldKind::Requested,
        v1::HoldKind::Commit => HoldKind::Commit,
        v1::HoldKind::Manual => HoldKind::Manual,
        v1::HoldKind::Failure => HoldKind::Failure,
        v1::HoldKind::Aborted => HoldKind::Aborted,
    }
}

fn hold_word(it: HoldKind) -> v1::HoldKind {
    match it {
        HoldKind::Requested => v1::HoldKind::Requested,
        HoldKind::Commit => v1::HoldKind::Commit,
        HoldKind::Manual => v1::HoldKind::Manual,
        HoldKind::Failure => v1::HoldKind::Failure,
        HoldKind::Aborted => v1::HoldKind::Aborted,
    }
}
