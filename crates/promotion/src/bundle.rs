//! Bundles: where they have been.

use std::time::Duration;

use api::{
    duration::Go,
    meta::{Status as _, time},
    promotion::{
        ActiveIn, Bundle, BundleStatus, FailedIn, Phase, Promotion, Stage, VerifiedIn, Withdrawal,
    },
    reason,
};
use controller::{Claim, Event, Host, Next, Reconcile, Reference, Report, Stop, Turn, Watch};
use jiff::Timestamp;
use kube::ResourceExt as _;
use pipeline::stage::failed;

use crate::{CONTROLLER, Context, available::available, ledger, origin::Unknown, store::Stores};

/// Between two looks whether everything can still be had.
const LOOK: Duration = Duration::from_hours(1);
/// Until it is looked again after something could not be found out.
const SOON: Duration = Duration::from_mins(1);

/// Reconciles Bundles: their status is the ledger that outlives promotions.
pub struct BundleReconciler {
    context: Context,
    stores: Stores,
}

/// When it was looked last, and whether everything was found out.
#[derive(Debug, Clone, Default)]
struct Looked(Option<(Timestamp, bool)>);

impl BundleReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, stores: Stores::of(host) }
    }

    fn active(&self, it: &Bundle) -> Vec<ActiveIn> {
        let all = self.stores.stages.in_namespace(&it.namespace().unwrap_or_default());
        let own = all.iter().filter(|stage| stage.spec.pipeline_ref == it.spec.pipeline_ref);
        own.filter_map(|stage| {
            let current = stage.status.as_ref()?.current.as_ref()?;
            let since = current.since.clone()?;
            (current.bundle == it.name_any()).then(|| ActiveIn { stage: stage.name_any(), since })
        })
        .collect()
    }

    /// Enters what the promotions of this bundle say that still exist.
    fn enter(&self, it: &Bundle, status: &mut BundleStatus) {
        let namespace = it.namespace().unwrap_or_default();
        let own = self.stores.promotions.in_namespace(&namespace).into_iter();
        let own = own.filter(|promotion| promotion.spec.bundle == it.name_any());
        let mut own: Vec<_> = own.filter(|it| it.spec.dry_run != Some(true)).collect();
        own.sort_by_key(|it| {
            it.status.as_ref().and_then(|it| it.finished_at.clone()).map(|at| at.0)
        });
        for promotion in own {
            let ended = promotion.status.clone().unwrap_or_default();
            let (Some(phase), Some(at)) = (ended.phase, ended.finished_at) else { continue };
            let stage = promotion.spec.stage.clone();
            if phase == Phase::Succeeded {
                verified(
                    status,
                    VerifiedIn {
                        stage: stage.clone(),
                        at,
                        promotion: Some(promotion.name_any()),
                        dwell: None,
                        withdrawn: None,
                    },
                );
                status.failed_in.retain(|it| it.stage != stage);
                continue;
            }
            let attempts = ledger::attempts(&self.stores, &namespace, &stage);
            let own = ledger::attempt(&promotion);
            let known = status.verified_in.iter_mut().find(|it| it.stage == stage);
            if let Some(known) = known.filter(|it| own.takes_back() && it.at.0 < at.0) {
                let reason = format!("{} ended in {}", own.name, own.reason);
                known.withdrawn.get_or_insert(Withdrawal { at: at.clone(), reason });
            }
            if failed(&attempts).contains(&it.name_any()) {
                status.failed_in.retain(|it| it.stage != stage);
                status.failed_in.push(FailedIn {
                    stage,
                    at,
                    promotion: Some(promotion.name_any()),
                    reason: ended.reason.unwrap_or_default(),
                });
            }
        }
    }
}

/// The first verification in a stage counts, unless it was withdrawn before a later one.
fn verified(status: &mut BundleStatus, new: VerifiedIn) {
    let known = status.verified_in.iter_mut().find(|it| it.stage == new.stage);
    match known {
        None => status.verified_in.push(new),
        Some(old) if old.withdrawn.as_ref().is_some_and(|it| it.at.0 < new.at.0) => *old = new,
        Some(_) => {}
    }
}

/// Tells how long it ran in the stages where it does no more.
fn dwell(status: &mut BundleStatus, left: &[ActiveIn], now: Timestamp) {
    for verified in &mut status.verified_in {
        let runs = |it: &&ActiveIn| it.stage == verified.stage;
        if status.active_in.iter().any(|it| runs(&it)) {
            verified.dwell = None;
        } else if let Some(ran) = left.iter().find(runs) {
            let seconds = now.duration_since(ran.since.0).as_secs();
            // A clock that went back has let none pass.
            let ran = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            verified.dwell = Some(Go(ran).to_string());
        }
    }
}

/// What is told when something can no longer be had.
fn gone(before: &Bundle, after: &BundleStatus) -> Option<Event> {
    let was = before.status.clone().unwrap_or_default();
    let was = was.condition(ledger::AVAILABLE).is_none_or(|it| it.status != "False");
    let is = after.condition(ledger::AVAILABLE).filter(|it| it.status == "False" && was)?;
    Some(Event::error(reason::BUNDLE_UNAVAILABLE, is.message.clone()))
}

impl BundleReconciler {
    /// Looks whether all values can be had, if it is time; when to look again.
    async fn look(&self, it: &Bundle, status: &mut BundleStatus, turn: &mut Turn) -> Duration {
        let (now, requested) = (turn.now(), turn.is_requested());
        let left = turn.memo::<Looked>().0.and_then(|(at, sure)| {
            let end = at.checked_add(if sure { LOOK } else { SOON }).ok()?;
            (end > now).then(|| Duration::try_from(end.duration_since(now)).unwrap_or(SOON))
        });
        let known = status.condition(ledger::AVAILABLE).cloned();
        if let Some(left) = left.filter(|_| !requested && known.is_some()) {
            return left;
        }
        let first = known.as_ref().is_none_or(|it| it.status == "Unknown");
        let found = available(it, (&self.context, &self.stores), (first, now)).await;
        let (claim, reason, message) = match &found {
            Ok(()) => ("True", reason::SUCCEEDED, "all values can be had".to_owned()),
            Err(Unknown::Gone(why)) => ("False", reason::ARTIFACT_GONE, why.clone()),
            // What was there before is taken to be there still.
            Err(Unknown::Later(_)) if !first => {
                turn.memo::<Looked>().0 = Some((now, false));
                return SOON;
            }
            Err(Unknown::Later(why)) => ("Unknown", reason::PROGRESSING, why.clone()),
        };
        let mut conditions = turn.conditions_of(status);
        conditions.set(Claim { kind: ledger::AVAILABLE, status: claim, reason, message: &message });
        *status.conditions_mut() = conditions.list;
        let sure = !matches!(found, Err(Unknown::Later(_)));
        turn.memo::<Looked>().0 = Some((now, sure));
        if sure { LOOK } else { SOON }
    }
}

impl Reconcile for BundleReconciler {
    type Resource = Bundle;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Bundle, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let mut status = it.status.clone().unwrap_or_default();
        let created = it.metadata.creation_timestamp.clone();
        let told = it.annotations().get(api::promotion::DISCOVERED_AT);
        let told = told.and_then(|text| text.parse().ok()).map(time);
        status.discovered_at = told.or(created);
        let left = std::mem::replace(&mut status.active_in, self.active(it));
        self.enter(it, &mut status);
        dwell(&mut status, &left, turn.now());
        let after = self.look(it, &mut status, turn).await;
        let mut report = Report::ready(status, "the ledger is up to date", Next::Again { after });
        report.events = gone(it, &report.status).into_iter().collect();
        Ok(report)
    }

    fn references(&self, it: &Bundle) -> Vec<Reference> {
        vec![Reference::object::<Bundle>(it.namespace().unwrap_or_default(), it.name_any())]
    }

    fn watches(&self) -> Vec<Watch> {
        let bundle = |namespace: Option<String>, name: &str| {
            Reference::object::<Bundle>(namespace.unwrap_or_default(), name)
        };
        vec![
            Watch::via::<Promotion>(move |before, after| {
                let phase = |it: Option<&Promotion>| it.and_then(|it| it.status.as_ref()?.phase);
                let ended =
                    phase(before) != phase(after) && phase(after).is_some_and(Phase::is_terminal);
                let ended = after.filter(|_| ended);
                ended.map(|it| bundle(it.namespace(), &it.spec.bundle)).into_iter().collect()
            }),
            Watch::via::<Stage>(move |before, after| {
                let current = |it: Option<&Stage>| {
                    let current = it.and_then(|it| it.status.as_ref()?.current.clone());
                    current.map(|it| it.bundle)
                };
                let (was, is) = (current(before), current(after));
                if was == is {
                    return Vec::new();
                }
                let namespace = before.or(after).and_then(kube::ResourceExt::namespace);
                was.into_iter().chain(is).map(|name| bundle(namespace.clone(), &name)).collect()
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_ran_is_told_once_it_does_no_more() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let verified = |stage: &str| VerifiedIn {
            stage: stage.to_owned(),
            at: time(at("2026-01-01T00:00:00Z")),
            promotion: None,
            dwell: None,
            withdrawn: None,
        };
        let ran =
            |stage: &str, since: &str| ActiveIn { stage: stage.to_owned(), since: time(at(since)) };
        let mut status = BundleStatus {
            verified_in: ["dev", "staging", "prod", "odd"].map(verified).into(),
            active_in: vec![ran("prod", "2026-01-01T00:00:00Z")],
            ..BundleStatus::default()
        };
        let left = [ran("dev", "2026-01-01T00:00:00Z"), ran("odd", "2026-01-02T00:00:00Z")];
        dwell(&mut status, &left, at("2026-01-01T01:02:03Z"));
        let told: Vec<_> = status.verified_in.iter().map(|it| it.dwell.as_deref()).collect();
        assert_eq!(told, [Some("1h2m3s"), None, None, Some("0s")]);
        // What was told stays, until it runs there again.
        dwell(&mut status, &[], at("2026-01-01T02:00:00Z"));
        assert_eq!(status.verified_in[0].dwell.as_deref(), Some("1h2m3s"));
        status.active_in.push(ran("dev", "2026-01-01T02:00:00Z"));
        dwell(&mut status, &[], at("2026-01-01T02:00:00Z"));
        assert_eq!(status.verified_in[0].dwell, None);
    }
}
