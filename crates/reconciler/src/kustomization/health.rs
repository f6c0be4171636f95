//! Whether what was applied works.

use std::fmt;

use api::kustomize::Kustomization;
use apply::{Cluster, Entry, Id};
use controller::Reference;
use futures::{FutureExt as _, StreamExt as _};
use health::{Check, Health, Rules, Status};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::Value;

/// How many objects are read at the same time.
const CONCURRENCY: usize = 8;

/// The version of objects whose health is asked for without one.
const DEFAULT_API_VERSION: &str = "apps/v1";

/// The health of some objects.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    all: Vec<(Id, Health)>,
}

impl Judgement {
    /// Whether all work.
    pub(super) fn is_good(&self) -> bool {
        self.all.iter().all(|(_, health)| health.status == Status::Current)
    }

    /// Whether one of them will never work.
    pub(super) fn has_failed(&self) -> bool {
        self.all.iter().any(|(_, health)| health.status == Status::Failed)
    }

    /// What is waited for.
    pub(super) fn references(&self) -> Vec<Reference> {
        let waiting = self.all.iter().filter(|(_, health)| health.status != Status::Current);
        waiting
            .map(|(id, _)| {
                Reference::named(&id.group, &id.kind, id.namespace.clone(), id.name.clone())
            })
            .collect()
    }

    /// When an object's health changes without a change of the object.
    pub(super) fn changes_at(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(|(_, health)| health.changes_at).min()
    }

    /// Upstream's text when time is up.
    pub(super) fn timeout(&self) -> String {
        format!("timeout waiting for: [{}]", Listed(self, |status| status != Status::Current))
    }

    /// Upstream's text when an object has failed.
    pub(super) fn failure(&self) -> String {
        let listed = Listed(self, |status| status == Status::Failed);
        format!("failed early due to stalled resources: [{listed}]")
    }
}

struct Listed<'a>(&'a Judgement, fn(Status) -> bool);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (id, health) in self.0.all.iter().filter(|(_, health)| self.1(health.status)) {
            let comma = if first { "" } else { ", " };
            first = false;
            write!(f, "{comma}{id} status: '{}'", health.status)?;
            if health.status == Status::Unknown {
                write!(f, ": {}", health.message)?;
            }
        }
        Ok(())
    }
}

/// The objects whose health is asked for: all that were applied, or those the spec names. Never the
/// Kustomization itself.
pub(super) async fn subjects(
    it: &Kustomization,
    applied: Vec<Entry>,
    cluster: &Cluster,
) -> Vec<Entry> {
    let all = if it.spec.wait == Some(true) { applied } else { named(it, cluster).await };
    let is_self = |entry: &Entry| {
        entry.id.kind == "Kustomization"
            && entry.id.name == it.name_any()
            && Some(&entry.id.namespace) == it.namespace().as_ref()
    };
    all.into_iter().filter(|entry| !is_self(entry)).collect()
}

async fn named(it: &Kustomization, cluster: &Cluster) -> Vec<Entry> {
    let mut entries = Vec::new();
    for check in it.spec.health_checks.iter().flatten() {
        let given = check.api_version.as_deref().filter(|given| !given.is_empty());
        let api_version = given.unwrap_or(DEFAULT_API_VERSION);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let id = Id {
            namespace: check.namespace.clone().unwrap_or_default(),
            name: check.name.clone(),
            group: group.to_owned(),
            kind: check.kind.clone(),
        };
        // Only group and kind count; a group that is not served is waited for.
        let served = cluster.in_preferred_version(id.clone()).await;
        entries.push(served.unwrap_or_else(|_| Entry { id, version: version.to_owned() }));
    }
    entries
}

/// The rules that a spec asks for.
///
/// # Errors
/// An expression that cannot be read, in upstream's words.
pub(super) fn rules(it: &Kustomization) -> Result<Rules, String> {
    fn text(text: Option<&String>) -> &str {
        text.map(String::as_str).unwrap_or_default()
    }
    let checks = it.spec.health_check_exprs.iter().flatten().map(|check| Check {
        api_version: &check.api_version,
        kind: &check.kind,
        current: &check.current,
        in_progress: text(check.in_progress.as_ref()),
        failed: text(check.failed.as_ref()),
    });
    Rules::new(&checks.collect::<Vec<_>>()).map_err(|why| why.to_string())
}

/// How objects are judged.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
}

/// Reads and judges objects.
pub(super) async fn judge(judge: Judge<'_>, entries: &[Entry]) -> Judgement {
    let reads: Vec<_> = entries.iter().map(|entry| health_of(judge, entry).boxed()).collect();
    let all: Vec<Health> = futures::stream::iter(reads).buffered(CONCURRENCY).collect().await;
    let all = entries.iter().map(|entry| entry.id.clone()).zip(all).collect();
    Judgement { all }
}

async fn health_of(judge: Judge<'_>, entry: &Entry) -> Health {
    match judge.cluster.get(entry).await {
        Ok(None) => Health::not_found(),
        Ok(Some(object)) => with_pods(judge, &object).await,
        Err(refusal) => {
            Health { status: Status::Unknown, message: refusal.to_string(), changes_at: None }
        }
    }
}

/// The health of an object, and of the Pods it made where those count.
async fn with_pods(judge: Judge<'_>, object: &Value) -> Health {
    let own = computed(judge, object);
    if own.status != Status::InProgress || !health::has_pods(object) {
        return own;
    }
    let pods = judge.cluster.pods_of(object).await.unwrap_or_default();
    let pods: Vec<Health> = pods.iter().map(|pod| computed(judge, pod)).collect();
    health::with_pods(own, &pods)
}

fn computed(judge: Judge<'_>, object: &Value) -> Health {
    judge.rules.evaluate(object, judge.now).unwrap_or_else(|error| Health::unknown(&error))
}
