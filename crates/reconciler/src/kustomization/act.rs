//! What is done: apply in stages, and prune.

use std::collections::HashSet;
use std::time::Duration;

use ::health::Rules;
use api::reason;
use apply::{Action, Change, Comparison, Entry, Id};
use controller::{Event, Host, Next, Reference, Stop, Turn};
use jiff::Timestamp;
use serde_json::Value;

use super::build::{self, Built};
use super::health::{self, Judge, Judgement};
use super::identity::Target;
use super::run::{End, Run};
use super::{GROUP, Memo, Options};

/// How long the objects of a stage may take to be ready before the next one is applied.
const STAGE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long what is waited for goes unlooked at, where no watch may tell of it.
const POLL: Duration = Duration::from_secs(10);

/// What was applied.
#[derive(Debug, Default)]
pub(super) struct Applied {
    changes: Vec<Change>,
}

impl Applied {
    /// What belongs to the inventory: everything that was not skipped.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let kept = self.changes.iter().filter(|change| change.action != Action::Skipped);
        kept.map(|change| change.entry.clone()).collect()
    }

    fn skipped(&self) -> HashSet<&Id> {
        let skipped = self.changes.iter().filter(|change| change.action == Action::Skipped);
        skipped.map(|change| &change.entry.id).collect()
    }

    /// What changed, a line each, in upstream's form.
    fn told(&self) -> String {
        let changed = self.changes.iter().filter(|change| change.action.is_change());
        changed.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn has_changes(&self) -> bool {
        self.changes.iter().any(|change| change.action.is_change())
    }
}

/// What applying needs to know.
pub(super) struct Scene<'a> {
    pub(super) target: &'a Target,
    pub(super) rules: &'a Rules,
    pub(super) options: &'a Options,
    pub(super) host: &'a Host,
}

impl Scene<'_> {
    pub(super) fn judge(&self, now: Timestamp) -> Judge<'_> {
        Judge { cluster: &self.target.cluster, rules: self.rules, now }
    }
}

/// Applies all objects, stage by stage. The inventory holds everything that may exist before it is
/// written, so that nothing is lost when the process ends in between.
pub(super) async fn apply(
    run: &mut Run<'_>,
    turn: &mut Turn,
    built: &mut Built,
    scene: &Scene<'_>,
) -> Result<Applied, End> {
    run.note(turn, "Detecting drift");
    let mut applied = Applied::default();
    let end = stages(run, turn, (built, scene), &mut applied).await;
    let told = applied.told();
    if !told.is_empty() {
        run.tell(Event::info(reason::PROGRESSING, told.clone()));
    }
    match end {
        Ok(()) => Ok(applied),
        Err(Trouble::End(end)) => Err(end),
        Err(Trouble::Failed(why)) => {
            run.tried(&built.digest, reason::RECONCILIATION_FAILED, scene.host.clock().now());
            let message = format!("{why}\n{told}");
            Err(End::Fail { reason: reason::RECONCILIATION_FAILED, message })
        }
    }
}

/// Why applying ends early.
enum Trouble {
    Failed(String),
    End(End),
}

async fn stages(
    run: &mut Run<'_>,
    turn: &mut Turn,
    (built, scene): (&mut Built, &Scene<'_>),
    applied: &mut Applied,
) -> Result<(), Trouble> {
    if let Some(why) = build::encrypted(&built.objects) {
        return Err(Trouble::Failed(why));
    }
    let stages = apply::stages(std::mem::take(&mut built.objects));
    let last = stages.len() - 1;
    for (at, objects) in stages.into_iter().enumerate() {
        if objects.is_empty() {
            continue;
        }
        let entries = stage(run, turn, (objects, scene), applied).await?;
        if at < last {
            settled(turn, &entries, scene).await?;
        }
    }
    turn.memo::<Memo>().stage = None;
    Ok(())
}

/// Applies one stage; returns all its objects.
async fn stage(
    run: &mut Run<'_>,
    turn: &mut Turn,
    (objects, scene): (Vec<Value>, &Scene<'_>),
    applied: &mut Applied,
) -> Result<Vec<Entry>, Trouble> {
    turn.check().map_err(|_| Trouble::End(End::Superseded))?;
    let options = apply::Options {
        group: GROUP.to_owned(),
        force: run.it.spec.force == Some(true),
        concurrency: scene.options.concurrent_ssa,
        override_managers: scene.options.override_managers.clone(),
    };
    let cluster = &scene.target.cluster;
    let comparison = cluster.compare(objects, &options).await;
    let comparison = comparison.map_err(|why| Trouble::Failed(why.to_string()))?;
    record(run, turn, &comparison).await.map_err(Trouble::End)?;
    let written = cluster.write(comparison).await;
    applied.changes.extend(written.changes.iter().cloned());
    if let Some(why) = written.error {
        return Err(Trouble::Failed(why.to_string()));
    }
    if let Some(going) = written.going {
        let gone = Reference::named(&going.group, &going.kind, going.namespace, going.name);
        return Err(Trouble::End(parked(turn, vec![gone], None)));
    }
    Ok(written.changes.into_iter().map(|change| change.entry).collect())
}

/// Adds what is about to be created to the inventory, and writes it.
async fn record(run: &mut Run<'_>, turn: &mut Turn, comparison: &Comparison) -> Result<(), End> {
    let mut known = run.inventory().map_err(|why| unreadable(&why))?;
    let present: HashSet<Id> = known.iter().map(|entry| entry.id.clone()).collect();
    let written = comparison.changes().filter(|change| change.action.is_change());
    let new: Vec<Entry> = written
        .filter(|change| !present.contains(&change.entry.id))
        .map(|change| change.entry.clone())
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    known.extend(new);
    run.set_inventory(&known);
    turn.record(&run.status).await.map_err(unwritten)
}

fn unreadable(why: &apply::Error) -> End {
    End::Fail { reason: reason::RECONCILIATION_FAILED, message: why.to_string() }
}

fn unwritten(stop: Stop) -> End {
    match stop {
        Stop::Fail { message, .. } => {
            let message = format!("failed to update status: {message}");
            End::Fail { reason: reason::RECONCILIATION_FAILED, message }
        }
        _ => End::Superseded,
    }
}

/// Whether the objects of a stage are ready for the next one; else the run is parked until they
/// are, at most for [`STAGE_TIMEOUT`].
async fn settled(turn: &mut Turn, entries: &[Entry], scene: &Scene<'_>) -> Result<(), Trouble> {
    let now = scene.host.clock().now();
    let judgement = health::judge(scene.judge(now), entries).await;
    if judgement.is_good() {
        turn.memo::<Memo>().stage = None;
        return Ok(());
    }
    let since = *turn.memo::<Memo>().stage.get_or_insert(now);
    let deadline = since.saturating_add(STAGE_TIMEOUT).unwrap_or(now);
    if now >= deadline {
        turn.memo::<Memo>().stage = None;
        return Err(Trouble::Failed(judgement.timeout()));
    }
    Err(Trouble::End(wait_for(turn, entries, (&judgement, deadline), scene).await))
}

/// Parks the run until something of what is not ready changes, at most until the deadline.
pub(super) async fn wait_for(
    turn: &mut Turn,
    entries: &[Entry],
    (judgement, deadline): (&Judgement, Timestamp),
    scene: &Scene<'_>,
) -> End {
    if !scene.target.is_remote {
        for entry in entries {
            if let Ok(resource) = scene.target.cluster.resource(entry).await {
                scene.host.follow(&resource);
            }
        }
    }
    let until = judgement.changes_at().map_or(deadline, |at| at.min(deadline));
    parked(turn, judgement.references(), Some(until))
}

fn parked(turn: &mut Turn, wake_on: Vec<Reference>, deadline: Option<Timestamp>) -> End {
    turn.doubt("Reconciliation in progress");
    let poll = turn.now().saturating_add(POLL).unwrap_or(Timestamp::MAX);
    let deadline = Some(deadline.map_or(poll, |deadline| deadline.min(poll)));
    End::Parked(Next::Park { wake_on, deadline })
}

/// Deletes what the inventory had and the source has no longer, and sets the inventory to what is
/// left. What could not be deleted stays in it (upstream forgets it: kustomize-controller#1664).
pub(super) async fn prune(
    run: &mut Run<'_>,
    applied: &Applied,
    digest: &str,
    scene: &Scene<'_>,
) -> Result<(), End> {
    let mut inventory = applied.entries();
    let known = run.inventory().map_err(|why| unreadable(&why))?;
    let wanted: HashSet<Id> = inventory.iter().map(|entry| entry.id.clone()).collect();
    let skipped = applied.skipped();
    let stale: Vec<Entry> = known
        .into_iter()
        .filter(|entry| !wanted.contains(&entry.id) && !skipped.contains(&entry.id))
        .collect();
    let mut error = None;
    if run.it.spec.prune && !stale.is_empty() {
        let owner = build::owner(run.it);
        let (changes, failed) = scene.target.cluster.prune(stale.clone(), &owner).await;
        error = failed;
        let done: HashSet<&Id> = changes.iter().map(|change| &change.entry.id).collect();
        inventory.extend(stale.into_iter().filter(|entry| !done.contains(&entry.id)));
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        if !told.is_empty() {
            run.tell(Event::info(reason::PROGRESSING, told.join("\n")));
        }
    }
    run.set_inventory(&inventory);
    match error {
        None => Ok(()),
        Some(why) => {
            run.tried(digest, reason::PRUNE_FAILED, scene.host.clock().now());
            Err(End::Fail { reason: reason::PRUNE_FAILED, message: why.to_string() })
        }
    }
}
