//! Freezes: whether each freezes now, what it holds up, and when that changes.

use std::sync::Arc;

use api::{
    meta::{READY, RECONCILING, STALLED, Status as _, time},
    promotion::{
        self as v1, Affected, Freeze, FreezeHold, FreezeStatus, InFlight, Pipeline, Promotion,
        Stage,
    },
    reason,
};
use controller::{Claim, Event, Host, Reconcile, Reference, Report, Stop, Turn, Verdict, Watch};
use kube::ResourceExt as _;

use crate::{CONTROLLER, freeze, pipe, store::Stores};

/// Reconciles Freezes: they stop promotions without it, it only tells.
pub struct FreezeReconciler {
    stores: Stores,
}

impl FreezeReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(host: &Host) -> Self {
        Self { stores: Stores::of(host) }
    }

    fn affected(&self, it: &Freeze) -> Affected {
        let stages = self.stores.stages.all();
        let own: Vec<_> =
            stages.iter().filter(|at| freeze::selects(it, at, &self.stores)).collect();
        let name = it.name_any();
        let waits = |it: &&Arc<Promotion>| {
            let selected = own.iter().any(|stage| {
                stage.name_any() == it.spec.stage && stage.namespace() == it.namespace()
            });
            selected && waits_for(it, &name)
        };
        let promotions = self.stores.promotions.all();
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Affected {
            stages: count(own.len()),
            promotions: count(promotions.iter().filter(waits).count()),
        }
    }
}

/// Whether a promotion waits because of a freeze.
fn waits_for(it: &Promotion, freeze: &str) -> bool {
    let status = it.status.clone().unwrap_or_default();
    let gate = status.gates.iter().find(|it| it.name == "freeze" && it.kind == "implicit");
    let said = gate.filter(|it| it.state == v1::GateState::Pending);
    let said = said.and_then(|it| it.message.as_deref()?.strip_prefix("frozen by "));
    let own = said.is_some_and(|it| {
        it.strip_prefix(freeze).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ']))
    });
    own && !status.phase.unwrap_or_default().is_terminal()
}

fn stalled(status: &mut FreezeStatus, what: &str, turn: &Turn) {
    let mut conditions = turn.conditions_of(status);
    conditions.remove(RECONCILING);
    let (reason, message) = (reason::NOT_IMPLEMENTED, format!("{what} is not supported yet"));
    for (kind, status) in [(STALLED, "True"), (READY, "False")] {
        conditions.set(Claim { kind, status, reason, message: &message });
    }
    *status.conditions_mut() = conditions.list;
}

/// What of a spec cannot be had yet.
fn unsupported(it: &Freeze) -> Option<&'static str> {
    let holds = it.spec.hold.iter().flatten();
    if it.spec.in_flight == Some(InFlight::Pause) {
        return Some("inFlight: Pause");
    }
    holds.copied().any(|it| it == FreezeHold::Reconciliation).then_some("hold: Reconciliation")
}

impl Reconcile for FreezeReconciler {
    type Resource = Freeze;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Freeze, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let now = turn.now();
        let known = freeze::to_engine(it);
        let (active, next_change) = (known.is_active(now), known.next_change(now));
        let before = it.status.clone().unwrap_or_default();
        let affected = self.affected(it);
        let mut events = Vec::new();
        if before.active.unwrap_or(false) != active {
            let (reason, word) = if active {
                (reason::FREEZE_STARTED, "begins")
            } else {
                (reason::FREEZE_ENDED, "ends")
            };
            events.push(Event::info(reason, format!("{} {word}", known.why)));
        }
        let word = if active { "freezes" } else { "does not freeze" };
        let until = next_change.map(|at| format!(" until {at}")).unwrap_or_default();
        let message = format!("{word} {} stages{until}", affected.stages);
        let status = FreezeStatus {
            active: Some(active),
            next_change: next_change.map(time),
            affected: Some(affected),
            ..before
        };
        let next = pipe::park(Vec::new(), next_change, pipe::INTERVAL, now);
        let mut report = match unsupported(it) {
            None => Report::ready(status, message, next),
            Some(what) => {
                let mut status = status;
                stalled(&mut status, what, turn);
                // It freezes promotions all the same, and goes on telling when.
                Report::new(
                    status,
                    Verdict::Own { observed: true, finished: true, next: Some(next) },
                )
            }
        };
        report.events = events;
        Ok(report)
    }

    async fn finalize(&self, it: &Freeze, turn: &mut Turn) -> Result<(), Stop> {
        if it.status.as_ref().and_then(|it| it.active) == Some(true) {
            turn.tell(Event::info(reason::FREEZE_ENDED, format!("{} is deleted", it.name_any())));
        }
        Ok(())
    }

    fn references(&self, it: &Freeze) -> Vec<Reference> {
        vec![Reference::object::<Freeze>("", it.name_any())]
    }

    fn watches(&self) -> Vec<Watch> {
        let freezes = self.stores.freezes.clone();
        let all = move || -> Vec<Reference> {
            freezes.all().iter().map(|it| Reference::object::<Freeze>("", it.name_any())).collect()
        };
        let (by_pipeline, by_promotion) = (all.clone(), all.clone());
        vec![
            Watch::via::<Stage>(move |before, after| {
                let labels = |it: Option<&Stage>| it.map(|it| it.labels().clone());
                if labels(before) == labels(after) { Vec::new() } else { all() }
            }),
            Watch::via::<Pipeline>(move |before, after| {
                let labels = |it: Option<&Pipeline>| it.map(|it| it.labels().clone());
                if labels(before) == labels(after) { Vec::new() } else { by_pipeline() }
            }),
            Watch::via::<Promotion>(move |before, after| {
                let frozen = |it: Option<&Promotion>| {
                    let gates = it.and_then(|it| it.status.as_ref()).map(|it| it.gates.clone());
                    let gate = gates.into_iter().flatten().find(|it| it.name == "freeze");
                    gate.map(|it| (it.state, it.message))
                };
                if frozen(before) == frozen(after) { Vec::new() } else { by_promotion() }
            }),
        ]
    }
}
