//! What a stage's branch holds, read so that it fits what is known of its promotions.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use api::{
    meta::{READY, Status as _},
    promotion::Stage,
    reason,
};
use controller::{Stop, Turn};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use pipeline::stage::{Attempt, Branch, Edited};
use setters::stage::{Copy, Reason, Site, Tree};

use super::StageReconciler;
use crate::{
    branch::{self, Held, Known, Values},
    deploy, ledger, tree,
};

/// How often the branch is read again because a promotion moved meanwhile.
const TRIES: usize = 3;

/// What was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) attempts: Vec<Attempt>,
    pub(super) branch: Branch,
    pub(super) edited: Option<Edited>,
    pub(super) held: Held,
    pub(super) sites: Vec<Site>,
    pub(super) commit: Option<String>,
}

/// How many heads of the branch are remembered.
const HEADS: usize = 8;

/// What was read last, to be used again while nothing changed, and what was at the heads before.
#[derive(Debug, Clone, Default)]
struct Memo {
    read: Option<Read>,
    heads: VecDeque<(String, BTreeMap<String, String>)>,
}

/// The value of each component, by the first place that shows it.
pub(super) fn values(sites: &[Site]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for site in sites {
        all.entry(site.component.clone()).or_insert_with(|| site.value.clone());
    }
    all
}

/// The values at a commit that was the head of the branch not long ago.
pub(super) fn values_at(turn: &mut Turn, commit: &str) -> BTreeMap<String, String> {
    let heads = &turn.memo::<Memo>().heads;
    let found = heads.iter().find(|(known, _)| known == commit);
    found.map(|(_, values)| values.clone()).unwrap_or_default()
}

/// What a reading holds for: the promotions, the generation of the spec, the GitRepository's revision, and
/// the commit with which folders are compared.
type Key = (Vec<Attempt>, Option<i64>, Option<String>, Option<String>);

#[derive(Debug, Clone)]
struct Read {
    key: Key,
    at: Timestamp,
    commit: String,
    author: String,
    sites: Vec<Site>,
    edited: Option<Edited>,
}

/// Reads the branch, unless nothing can have changed since it was read last.
pub(super) async fn branch(
    it: &StageReconciler,
    stage: &Stage,
    turn: &mut Turn,
    every: Duration,
) -> Result<Seen, Stop> {
    // What cannot be right stalls before anything is fetched.
    let view = it.view(stage, turn.now())?;
    let (namespace, name) = (stage.namespace().unwrap_or_default(), stage.name_any());
    for _ in 0..TRIES {
        let attempts = ledger::attempts(&it.stores, &namespace, &name);
        let current = stage.status.as_ref().and_then(|it| it.current.as_ref());
        let key = (
            attempts.clone(),
            stage.metadata.generation,
            revision(it, stage, &view.pipe),
            current.and_then(|it| it.commit.clone()),
        );
        let told = told(it, stage, &view.pipe);
        let read = if let Some(read) = remembered(turn, (&key, told.as_deref()), every) {
            read
        } else {
            // Whoever asks wants the server to be asked.
            let told = told.filter(|_| !turn.is_requested());
            fresh(it, stage, &view.pipe, (key, told, turn.now())).await?
        };
        if ledger::attempts(&it.stores, &namespace, &name) != attempts {
            continue;
        }
        let memo = turn.memo::<Memo>();
        if memo.heads.front().is_none_or(|(known, _)| *known != read.commit) {
            memo.heads.push_front((read.commit.clone(), values(&read.sites)));
            memo.heads.truncate(HEADS);
        }
        memo.read = Some(read.clone());
        return Ok(seen(it, stage, &view, read, attempts));
    }
    Ok(Seen {
        attempts: ledger::attempts(&it.stores, &namespace, &name),
        branch: Branch::Unknown,
        edited: None,
        held: Held::Nothing,
        sites: Vec::new(),
        commit: None,
    })
}

/// The revision that the GitRepository has: a new one says that the branch has moved.
fn revision(
    it: &StageReconciler,
    stage: &Stage,
    pipe: &api::promotion::Pipeline,
) -> Option<String> {
    let (namespace, name) = branch::repository_key(stage, pipe)?;
    let repository = it.stores.repositories.get(&namespace, &name)?;
    Some(repository.status.as_ref()?.artifact.as_ref()?.revision.clone())
}

/// The head of the branch as the GitRepository tells it, if that can be relied on: who follows the branch
/// for everybody spares each stage a look of its own.
fn told(it: &StageReconciler, stage: &Stage, pipe: &api::promotion::Pipeline) -> Option<String> {
    let (namespace, name) = branch::repository_key(stage, pipe)?;
    let repository = it.stores.repositories.get(&namespace, &name)?;
    let follows = tree::branch_of(&repository) == branch::branch_of(stage, pipe, &it.stores);
    let status = repository.status.as_ref()?;
    let ready = status.condition(READY).is_some_and(|it| it.status == "True");
    let seen = status.observed_generation == repository.metadata.generation;
    let works = follows && ready && seen && repository.spec.suspend != Some(true);
    let commit = deploy::commit_of(&status.artifact.as_ref()?.revision)?;
    works.then(|| commit.to_string())
}

fn remembered(turn: &mut Turn, (key, told): (&Key, Option<&str>), every: Duration) -> Option<Read> {
    let (now, requested) = (turn.now(), turn.is_requested());
    let read = turn.memo::<Memo>().read.clone().filter(|it| it.key == *key && !requested)?;
    let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    let due = read.at.saturating_add(every).is_ok_and(|end| end <= now);
    let old = due && told != Some(&read.commit);
    // One that found the branch changed waits for it to be seen.
    let waited_for = key.0.iter().any(|it| it.reason == "Foreign" && !it.phase.is_terminal());
    (!old && !waited_for).then_some(read)
}

async fn fresh(
    it: &StageReconciler,
    stage: &Stage,
    pipe: &api::promotion::Pipeline,
    (key, told, now): (Key, Option<String>, Timestamp),
) -> Result<Read, Stop> {
    let mut source = branch::source(stage, pipe, &it.stores, &it.context).await?;
    source.told = told.and_then(|it| it.parse().ok());
    let head = source.head(false, &it.context).await?;
    let failed = |why: String| Stop::stall(reason::INVALID_PATH, why);
    let reader = branch::to_setters(stage, pipe, &Values::default(), &it.stores).map_err(failed)?;
    let folders = stage.spec.edit.iter().flat_map(|it| &it.copy);
    // What is copied is not read, but shows its component.
    let folder = |it: &api::promotion::Copy| Copy {
        component: it.component.clone(),
        to: it.to.clone(),
        tree: Tree::default(),
    };
    let copies = folders.map(folder).collect();
    let plan = branch::plan(&head, reader, copies, &it.context).await?;
    if let Some(problem) = plan.problems.iter().find(|it| it.reason == Reason::NoMarkers) {
        return Err(Stop::stall(reason::NO_MARKERS, problem));
    }
    let author = head.author().await.map(|it| it.name).unwrap_or_default();
    let commit = head.commit_id().to_string();
    let edited = match key.3.clone() {
        Some(since) => branch::edited((stage, &source), &head, &since, &it.context)
            .await?
            .map(|folder| Edited { folder, since, commit: commit.clone(), author: author.clone() }),
        None => None,
    };
    Ok(Read { key, at: now, commit, author, sites: plan.sites, edited })
}

fn seen(
    it: &StageReconciler,
    stage: &Stage,
    view: &super::View,
    read: Read,
    attempts: Vec<Attempt>,
) -> Seen {
    let namespace = stage.namespace().unwrap_or_default();
    let (held, alike) = held(it, stage, view, &namespace, &read.sites);
    let copies = stage.spec.edit.as_ref().is_some_and(|it| !it.copy.is_empty());
    let branch = match held.name() {
        None if copies => Branch::Copied,
        None => Branch::Unmarked,
        Some(name) => Branch::Holds {
            bundle: name.to_owned(),
            commit: read.commit.clone(),
            author: read.author,
            alike,
        },
    };
    let (sites, edited) = (read.sites, read.edited);
    Seen { attempts, branch, edited, held, sites, commit: Some(read.commit) }
}

/// The bundle that the sites show, and all that they show in the same way.
fn held(
    it: &StageReconciler,
    stage: &Stage,
    view: &super::View,
    namespace: &str,
    sites: &[Site],
) -> (Held, Vec<String>) {
    let pipe = view.pipe.name_any();
    let mut parts = super::parts(&it.stores, namespace, &pipe);
    // Under a name that no bundle can have.
    parts.insert(String::new(), super::form(&view.pipe, &it.stores));
    let current = stage.status.as_ref().and_then(|it| it.current.as_ref());
    let folders = stage.spec.edit.iter().flat_map(|it| &it.copy);
    let copied: Vec<String> = folders.map(|it| it.component.clone()).collect();
    let known = Known {
        pipeline: &pipe,
        order: view.config.wants.order,
        bundles: &view.bundles,
        parts: &parts,
        current: current.map(|it| it.bundle.as_str()),
        copied: &copied,
    };
    (branch::held(sites, &known), branch::alike(sites, &known))
}
