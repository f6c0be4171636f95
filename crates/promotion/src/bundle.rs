//! Bundles: where they have been.

use api::{
    meta::{Status as _, time},
    promotion::{ActiveIn, Bundle, BundleStatus, FailedIn, Phase, Promotion, Stage, VerifiedIn},
    reason,
};
use controller::{Claim, Host, Next, Reconcile, Reference, Report, Stop, Turn, Watch};
use kube::ResourceExt as _;
use pipeline::stage::failed;

use crate::{CONTROLLER, ledger, store::Stores};

/// Reconciles Bundles: their status is the ledger that outlives promotions.
pub struct BundleReconciler {
    stores: Stores,
}

impl BundleReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(host: &Host) -> Self {
        Self { stores: Stores::of(host) }
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
        status.active_in = self.active(it);
        self.enter(it, &mut status);
        let mut conditions = turn.conditions_of(&status);
        conditions.set(Claim {
            kind: ledger::AVAILABLE,
            status: "True",
            reason: reason::SUCCEEDED,
            message: "all values were there when it was made",
        });
        *status.conditions_mut() = conditions.list;
        Ok(Report::ready(status, "the ledger is up to date", Next::Idle))
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
