//! What happens to a release that is no longer where, or wanted where, it was.

use api::helm::HelmRelease;
use api::reason;
use controller::{Stop, Turn};

use super::action::{Basis, Bench, Progress, Start, Work};
use super::chart::{self, Unmade};
use super::end::parked;
use super::outcome;
use super::run::{End, Run};
use super::spec::{self, Deed};
use super::storage::Storage;
use super::{HelmReleaseReconciler, Memo, identity};
use crate::target::{Target, Unreachable};

/// How an uninstallation goes.
enum Uninstalled {
    Done,
    Parked(End),
    Failed,
}

impl HelmReleaseReconciler {
    /// Uninstalls a release whose object is deleted, unless it is suspended.
    ///
    /// # Errors
    /// What keeps the finalizer.
    pub(super) async fn finalized(&self, it: &HelmRelease, turn: &mut Turn) -> Result<(), Stop> {
        if it.spec.suspend == Some(true) {
            return Ok(());
        }
        let mut run = Run::begin(it, turn);
        let result = self.removed(&mut run, turn).await;
        turn.withdraw_progress();
        let status = run.finished_status();
        turn.stage(&status);
        for event in run.take_events() {
            turn.tell(event);
        }
        result
    }

    async fn removed(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<(), Stop> {
        if let Some(target) = self.deletable(run).await? {
            match self.uninstall(run, turn, &target).await {
                Uninstalled::Done => {}
                Uninstalled::Parked(End::Parked(next)) => return Err(Stop::Pending { next }),
                Uninstalled::Parked(_) => return Err(Stop::Superseded),
                Uninstalled::Failed => {
                    let message = run.ready_message();
                    return Err(Stop::Fail { reason: reason::UNINSTALL_FAILED, message });
                }
            }
            run.history().clear();
            run.status.storage_namespace = None;
        }
        let deleted = chart::delete(run, &self.context.client, &self.context.options).await;
        deleted.map_err(|why| match why {
            Unmade::Denied(why) => Stop::stall(reason::ACCESS_DENIED, why),
            Unmade::Failed(why) => Stop::fail(reason::RECONCILE_ERROR, why),
        })
    }

    /// The cluster of a release that can be uninstalled; nothing if there is none, or nobody who
    /// could do it.
    async fn deletable(&self, run: &Run<'_>) -> Result<Option<Target>, Stop> {
        let is_installed = run.status.storage_namespace.as_ref().is_some_and(|it| !it.is_empty());
        if !is_installed {
            return Ok(None);
        }
        match identity::target(run.it, &self.context).await {
            Ok(target) => {
                let is_here = run.it.spec.kube_config.is_none();
                if is_here && !identity::exists(run.it, &self.context).await {
                    tracing::error!(
                        "skipping Helm release uninstallation: the account to impersonate is gone"
                    );
                    return Ok(None);
                }
                Ok(Some(target))
            }
            Err(Unreachable::Secret { is_missing: true, name, .. }) => {
                tracing::error!(secret = name, "skipping Helm release uninstallation");
                Ok(None)
            }
            Err(why) => {
                let what = "failed to build REST client getter to uninstall release";
                let message = format!("{what}: {}", identity::unreachable(&why));
                Err(Stop::Fail { reason: reason::UNINSTALL_FAILED, message })
            }
        }
    }

    /// Uninstalls the newest revision of the history from where it is.
    async fn uninstall(&self, run: &mut Run<'_>, turn: &mut Turn, target: &Target) -> Uninstalled {
        let Some(current) = run.latest().cloned() else { return Uninstalled::Done };
        let namespace = run.status.storage_namespace.clone().unwrap_or_default();
        let storage = Storage::new(target.cluster.client().clone(), &namespace);
        let values = helm::values::Values::new();
        let all = (&self.context, &self.host, target);
        let mut bench = Bench::new(run.it, all, storage, (None, &values));
        let memo = turn.memo::<Memo>();
        memo.done.clear();
        let mut work = match memo.work.take() {
            Some(work) if work.deed == Deed::Uninstall && !work.remedies => work,
            _ => {
                let start = Start {
                    name: current.name.clone(),
                    basis: Basis {
                        generation: run.it.metadata.generation,
                        artifact: String::new(),
                        values: String::new(),
                    },
                    now: bench.now(),
                    history: run.history(),
                    oci_digest: None,
                    algorithm: bench.digest(),
                };
                Work::begin(Deed::Uninstall, start)
            }
        };
        match bench.go_on(&mut work).await {
            Progress::Parked(entries, deadline) => {
                turn.memo::<Memo>().work = Some(work);
                Uninstalled::Parked(parked(&entries, deadline))
            }
            Progress::Overtaken(_) => Uninstalled::Failed,
            Progress::Ended(result) => match outcome::uninstalled(run, &work, result) {
                Ok(()) => Uninstalled::Done,
                Err(_) => Uninstalled::Failed,
            },
        }
    }

    /// Uninstalls a release that has another place now, so that it can be installed there.
    pub(super) async fn moved(&self, run: &mut Run<'_>, turn: &mut Turn, target: &Target) -> End {
        let message = super::run::running("uninstall", spec::timeout_of(run.it, Deed::Uninstall));
        run.reconciling(reason::PROGRESSING, &message);
        match self.uninstall(run, turn, target).await {
            Uninstalled::Parked(end) => end,
            Uninstalled::Failed => End::Retry,
            Uninstalled::Done => {
                run.history().clear();
                run.clear_failures();
                run.status.storage_namespace = None;
                End::After(std::time::Duration::ZERO)
            }
        }
    }
}
