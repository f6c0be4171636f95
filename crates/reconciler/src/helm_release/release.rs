//! The loop of a release: how it stands, what to do next, and doing it, until there is nothing to do
//! or something has to be waited for.

use std::sync::Arc;

use api::helm::{ReleaseAction, Snapshot};
use api::meta::READY;
use api::reason;
use controller::{Claim, Event, Turn};
use helm::chart::Chart;
use helm::release::{Action, Failed, Record, State, Status, next_action, shortened};

use super::action::{Basis, Bench, Progress, Start, Unloaded, Work};
use super::attempt::{attempt, is_forced, resumed};
use super::correction::{corrected, drifted};
use super::end::{
    done_with, exhausted, kept, overtaken, parked, remediated, retried, run_error, shown, stopped,
    undetermined,
};
use super::outcome::{self, After, Attempted};
use super::run::{End, RELEASED, REMEDIATED, Run, running};
use super::snapshot::{self, chart, full_name};
use super::spec::{self, Deed};
use super::state::{self, Wanted};
use super::storage::Storage;
use super::{HelmReleaseReconciler, Memo, Prepared, adopt, annotation};

/// Kinds of actions, of which a run takes each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Release,
    Remediate,
    Test,
    Unlock,
    DriftCorrection,
}

/// What the loop goes by.
pub(super) struct Aim {
    pub(super) chart: Arc<Chart>,
    /// Digest of the values.
    pub(super) values: String,
    pub(super) basis: Basis,
    pub(super) oci_digest: Option<String>,
    /// Name of the release, as Helm has it.
    pub(super) name: String,
}

impl Aim {
    pub(super) fn wanted(&self) -> Wanted<'_> {
        let metadata = &self.chart.metadata;
        Wanted { chart: (&metadata.name, &metadata.version), values: &self.values }
    }

    fn attempted(&self) -> Attempted<'_> {
        Attempted { chart: &self.chart, values: &self.values }
    }
}

/// What comes next.
enum Turned {
    Again,
    Ended(End),
}

impl HelmReleaseReconciler {
    pub(super) async fn release(&self, run: &mut Run<'_>, turn: &mut Turn, ready: Prepared) -> End {
        let it = run.it;
        let Prepared { found, values, target } = ready;
        let storage = spec::storage_namespace(it);
        let storage = Storage::new(target.cluster.client().clone(), &storage);
        let all = (&self.context, &self.host, &target);
        let mut bench = Bench::new(it, all, storage, (Some(&found), &values));
        let values = state::digest_of(&values);
        let artifact = format!("{} {}", found.artifact.revision, found.artifact.digest);
        let basis = Basis { generation: it.metadata.generation, artifact, values: values.clone() };
        let chart = match bench.load().await {
            Ok(chart) => chart,
            Err(why) => return self.unloaded(run, why),
        };
        run.doubt(&[reason::ARTIFACT_FAILED]);
        let oci_digest = found.mark(&mut Chart::clone(&chart), false).unwrap_or_default();
        let name = shortened(&spec::release_name(it));
        let aim = Aim { chart, values, basis, oci_digest, name };
        let moves = |work: &Work| work.deed == Deed::Uninstall && !work.remedies;
        let is_moving = turn.memo::<Memo>().work.as_ref().is_some_and(moves);
        if is_moving {
            return self.moved(run, turn, bench.target).await;
        }
        let (mut work, mut done) = resumed(run, turn, (&mut bench, &aim)).await;
        if work.is_none() {
            adopt::adopt(run, &bench.storage, &self.context.options).await;
            if let Some(part) = state::moved(it, &run.status, &aim.chart.metadata.name) {
                if annotation::is_kept(it) {
                    return kept(run, part);
                }
                return self.moved(run, turn, bench.target).await;
            }
            attempt(run, &aim);
        }
        loop {
            if turn.check().is_err() && work.is_none() {
                return End::Superseded;
            }
            let turned = match work.take() {
                Some(current) => {
                    self.work(run, (&mut bench, &aim), current, (&mut work, &mut done)).await
                }
                None => self.look(run, (&mut bench, &aim), (&mut work, &mut done)).await,
            };
            if let Turned::Ended(end) = turned {
                let memo = turn.memo::<Memo>();
                if matches!(end, End::Parked(_)) {
                    (memo.work, memo.done) = (work, done);
                }
                return end;
            }
        }
    }

    fn unloaded(&self, run: &mut Run<'_>, why: Unloaded) -> End {
        match why {
            Unloaded::Absent => return self.absent(run),
            Unloaded::Broken(why) => {
                let message = format!("Could not load chart: {why}");
                run.not_ready(reason::ARTIFACT_FAILED, &message);
                run.tell(Event::error(reason::ARTIFACT_FAILED, why));
            }
            Unloaded::Unfit(why) => run.not_ready(reason::CHART_MUTATE_ERROR, &why),
        }
        End::Retry
    }

    /// Finds out how the release stands, and begins what comes next.
    async fn look(
        &self,
        run: &mut Run<'_>,
        (bench, aim): (&mut Bench<'_>, &Aim),
        (work, done): (&mut Option<Work>, &mut Vec<Type>),
    ) -> Turned {
        let record = match bench.storage.last(&aim.name).await {
            Ok(stored) => {
                bench.is_new = stored.is_none();
                stored.map(|it| it.record)
            }
            Err(why) => {
                let why = format!("failed to retrieve last release from storage: {why}");
                return Turned::Ended(undetermined(run, &why));
            }
        };
        let status = run.finished_status();
        let state = match state::of(run.it, &status, record.as_ref(), &aim.wanted()) {
            Ok(state) => state,
            Err(why) => return Turned::Ended(undetermined(run, &why)),
        };
        let (state, drift) = match drifted(run, bench, (state, record.as_ref())).await {
            Ok(found) => found,
            Err(why) => return Turned::Ended(undetermined(run, &why)),
        };
        let action = match self.next(run, bench, (state, record.as_ref())).await {
            Ok(action) => action,
            Err(end) => return Turned::Ended(end),
        };
        match action {
            Action::Done | Action::ReportDrift => Turned::Ended(done_with(run)),
            Action::RetriesExceeded => Turned::Ended(exhausted(run)),
            Action::MissingRollbackTarget => {
                let why = "missing target release for rollback: cannot remediate failed release";
                let message = format!("Failed to perform remediation: {why}");
                run.stalled(reason::MISSING_ROLLBACK_TARGET, &message);
                Turned::Ended(End::Stalled)
            }
            action => {
                let kind = type_of(action);
                if done.contains(&kind) {
                    return Turned::Ended(stopped(run));
                }
                if let Some(drift) = drift {
                    done.push(kind);
                    corrected(run, bench, drift).await;
                    return Turned::Again;
                }
                self.begin(run, (bench, aim), (action, record.as_ref()), (work, done)).await
            }
        }
    }

    /// What to do about a state; the history is cut to what is still needed.
    async fn next(
        &self,
        run: &mut Run<'_>,
        bench: &Bench<'_>,
        (state, record): (State, Option<&Record>),
    ) -> Result<Action, End> {
        let forced = is_forced(run);
        let last = run.status.last_attempted_release_action;
        let retries = spec::retry_interval(run.it, last).is_some();
        let ignores = spec::ignores_tests_after(run.it, last);
        let ignores = ignores.unwrap_or_else(|| spec::ignores_test_failures(run.it));
        if matches!(state, State::InSync | State::Failed) {
            let history = run.history();
            if retries {
                snapshot::truncate_to_newest(history);
            } else if state == State::InSync || outcome_failures(run) > 0 {
                snapshot::truncate(run.history(), ignores);
            }
        }
        if matches!(state, State::InSync | State::Untested) && run.is_true(REMEDIATED) && !forced {
            restored(run);
        }
        let mut failed = Failed {
            last: last.map(spec::attempt),
            installs: run.status.install_failures.unwrap_or_default(),
            upgrades: run.status.upgrade_failures.unwrap_or_default(),
            ..Failed::default()
        };
        if state == State::Failed {
            snapshot::sort(run.history());
            if let Some(previous) = snapshot::previous(run.history(), ignores) {
                failed.has_previous = true;
                let stored = bench.storage.get(&previous.name, previous.version).await;
                let stored = stored.map_err(|why| {
                    let what = "cannot verify previous release to roll back to";
                    run_error(&format!("{what}: {why}"))
                })?;
                failed.previous_is_intact =
                    stored.is_some_and(|stored| snapshot::is_intact(previous, &stored.record));
            }
        }
        if state == State::Unmanaged {
            let intact = intact(run, bench, record).await.map_err(|why| run_error(&why))?;
            *run.history() = intact;
        }
        Ok(next_action(state, &spec::policy(run.it, forced), &failed))
    }

    /// Begins an action.
    async fn begin(
        &self,
        run: &mut Run<'_>,
        (bench, aim): (&mut Bench<'_>, &Aim),
        (action, record): (Action, Option<&Record>),
        (work, done): (&mut Option<Work>, &mut Vec<Type>),
    ) -> Turned {
        let (name, deed) = match action {
            Action::Install => ("install", Deed::Install),
            Action::Test => ("test", Deed::Test),
            Action::RollBack => ("rollback", Deed::RollBack),
            Action::UninstallRemediation => ("uninstall", Deed::Uninstall),
            Action::Unlock => {
                let message = running("unlock", spec::timeout(run.it));
                run.reconciling(reason::PROGRESSING, &message);
                let after = self.unlock(run, bench, record).await;
                done.push(Type::Unlock);
                return turned(run, after);
            }
            _ => ("upgrade", Deed::Upgrade),
        };
        let message = running(name, spec::timeout_of(run.it, deed));
        run.reconciling(reason::PROGRESSING, &message);
        if type_of(action) == Type::Release {
            run.in_progress(&message);
        }
        match deed {
            Deed::Install => outcome::begin_release(run, ReleaseAction::Install),
            Deed::Upgrade => outcome::begin_release(run, ReleaseAction::Upgrade),
            Deed::Test | Deed::RollBack | Deed::Uninstall => {}
        }
        let last = run.status.last_attempted_release_action;
        let ignores = spec::ignores_tests_after(run.it, last).unwrap_or_default();
        let history = run.history();
        snapshot::sort(history);
        let target = snapshot::previous(history, ignores).map_or(0, |it| it.version);
        let start = Start {
            name: aim.name.clone(),
            basis: aim.basis.clone(),
            now: bench.now(),
            history,
            oci_digest: aim.oci_digest.clone(),
            algorithm: bench.digest(),
        };
        let mut begun = Work::begin(deed, start);
        begun.remedies = type_of(action) == Type::Remediate;
        begun.target = if deed == Deed::RollBack { target } else { 0 };
        *work = Some(begun);
        Turned::Again
    }

    /// Goes on with an action.
    async fn work(
        &self,
        run: &mut Run<'_>,
        (bench, aim): (&mut Bench<'_>, &Aim),
        mut current: Work,
        (work, done): (&mut Option<Work>, &mut Vec<Type>),
    ) -> Turned {
        let result = match bench.go_on(&mut current).await {
            Progress::Ended(result) => result,
            Progress::Parked(entries, deadline) => {
                shown(run, &current);
                *work = Some(current);
                return Turned::Ended(parked(&entries, deadline));
            }
            Progress::Overtaken(why) => {
                bench.forget();
                return Turned::Ended(overtaken(run, &current, &why));
            }
        };
        let after = match current.deed {
            Deed::Install | Deed::Upgrade => {
                let about = (&aim.attempted(), bench.now());
                outcome::released(run, &current, result, about)
            }
            Deed::Test => outcome::tested(run, bench.current(), result),
            Deed::RollBack | Deed::Uninstall => outcome::remediated(run, &current, result),
        };
        bench.forget();
        if after == After::Look && current.remedies {
            return Turned::Ended(remediated(run));
        }
        done.push(match current.deed {
            Deed::Install | Deed::Upgrade => Type::Release,
            Deed::Test => Type::Test,
            Deed::RollBack | Deed::Uninstall => Type::Remediate,
        });
        turned(run, after)
    }

    /// Marks a revision as failed whose action did not come to its end.
    async fn unlock(&self, run: &mut Run<'_>, bench: &Bench<'_>, record: Option<&Record>) -> After {
        let Some(record) = record else { return After::Look };
        let was = record.info.status;
        let stored = bench.storage.get(&record.name, record.version).await;
        let result = match stored {
            Ok(Some(mut stored)) => {
                let info = &mut stored.record.info;
                info.status = Status::Failed;
                info.description = format!("Release unlocked from stale '{was}' state");
                let result = bench.storage.update(&mut stored, bench.now()).await;
                let result = result.map_err(|why| why.to_string());
                return outcome::unlocked(run, &stored.record, (was.to_string(), result));
            }
            Ok(None) => return After::Look,
            Err(why) => Err(why),
        };
        outcome::unlocked(run, record, (was.to_string(), result))
    }
}

/// The release that a rollback went back to is what is asked for.
fn restored(run: &mut Run<'_>) {
    let Some(current) = run.latest() else { return };
    let (name, chart) = (full_name(current), chart(current));
    let message = format!("Helm upgrade succeeded for release {name} with chart {chart}");
    let reason = reason::UPGRADE_SUCCEEDED;
    run.replace(REMEDIATED, Claim { kind: RELEASED, status: "True", reason, message: &message });
}

/// What of the history still holds for a release that is not as it was left. A crash leaves a
/// failed attempt on top of what was recorded, or a rollback that the history does not know yet.
/// After anything else nothing holds.
async fn intact(
    run: &mut Run<'_>,
    bench: &Bench<'_>,
    record: Option<&Record>,
) -> Result<Vec<Snapshot>, String> {
    let history = std::mem::take(run.history());
    let Some(record) = record else { return Ok(Vec::new()) };
    let target = snapshot::rolled_back_to(record);
    let mut intact = Vec::new();
    if let Some(target) = target.filter(|_| !history.is_empty()) {
        let known = history.iter().find(|it| it.version == target);
        let oci_digest = known.and_then(|it| it.oci_digest.as_deref());
        intact.push(snapshot::of(record, oci_digest, bench.digest()));
    } else if record.info.status != Status::Failed {
        return Ok(intact);
    }
    for known in history {
        let stored = bench.storage.get(&known.name, known.version).await?;
        if stored.is_some_and(|it| snapshot::is_intact(&known, &it.record)) {
            intact.push(known);
        }
    }
    Ok(intact)
}

/// The kind of an action.
fn type_of(action: Action) -> Type {
    match action {
        Action::RollBack | Action::UninstallRemediation => Type::Remediate,
        Action::Test => Type::Test,
        Action::Unlock => Type::Unlock,
        Action::CorrectDrift | Action::ReportDrift => Type::DriftCorrection,
        Action::Install
        | Action::Upgrade
        | Action::AdoptAndUpgrade
        | Action::Done
        | Action::RetriesExceeded
        | Action::MissingRollbackTarget => Type::Release,
    }
}

fn outcome_failures(run: &Run<'_>) -> i64 {
    outcome::failures(run)
}

/// What follows an action.
fn turned(run: &mut Run<'_>, after: After) -> Turned {
    if after == After::Look {
        return Turned::Again;
    }
    let last = run.status.last_attempted_release_action;
    if let Some(interval) = spec::retry_interval(run.it, last) {
        return Turned::Ended(retried(run, interval));
    }
    if run.condition(READY).is_some_and(|ready| ready.status == "True") && run.is_ready() {
        run.not_ready(reason::RECONCILE_ERROR, "the action had no effect");
    }
    Turned::Ended(End::Retry)
}
