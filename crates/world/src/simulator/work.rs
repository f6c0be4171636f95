//! Turns: what changed or is due is played, one object after another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use controller::clock::Clock;
use futures::stream::{BoxStream, StreamExt as _, select_all};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::kind::Kind;
use super::known::{Key, is_leaving};
use super::{
    NODE, Options, claim, cron_job, daemon_set, deployment, job, node, pod, replica_set, service,
    stateful_set,
};

/// How long a turn that failed waits for another try.
const RETRY_AFTER: Duration = Duration::from_millis(500);

type Changes = BoxStream<'static, (Kind, watcher::Result<Event<DynamicObject>>)>;

/// When to look at an object again; `None` if only its changes matter.
pub(super) type Next = Option<Timestamp>;

struct Work {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    controllers: bool,
    /// What is to be played now.
    dirty: BTreeSet<Key>,
    /// What is to be played later.
    due: BTreeMap<Key, Timestamp>,
    /// What failed, and is tried again after a real pause.
    failed: BTreeSet<Key>,
    /// The objects of kinds that are being listed.
    listed: BTreeMap<Kind, BTreeSet<Key>>,
    /// The kinds that have not been listed yet; before that, too little is known to act.
    unlisted: BTreeSet<Kind>,
}

/// Plays until `stop`.
pub(super) async fn run(client: Client, options: Options, stop: CancellationToken) {
    let Options { controllers, clock } = options;
    let mut changes = select_all(Kind::ALL.into_iter().map(|kind| changes(&client, kind)));
    let mut work = Work {
        cluster: Cluster::new(client, clock.now()),
        clock,
        controllers,
        dirty: BTreeSet::from([Key {
            kind: Kind::Node,
            namespace: String::new(),
            name: NODE.to_owned(),
        }]),
        due: BTreeMap::new(),
        failed: BTreeSet::new(),
        listed: BTreeMap::new(),
        unlisted: Kind::ALL.into_iter().collect(),
    };
    let turns = async {
        loop {
            work.wait(&mut changes).await;
            if work.unlisted.is_empty() {
                work.turns(&mut changes).await;
            }
        }
    };
    stop.run_until_cancelled(turns).await;
}

fn changes(client: &Client, kind: Kind) -> Changes {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.resource());
    let events = watcher(api, watcher::Config::default()).default_backoff();
    events.map(move |event| (kind, event)).boxed()
}

impl Work {
    /// Waits for a change, or until something is due.
    async fn wait(
        &mut self,
        changes: &mut (
                 impl futures::Stream<Item = (Kind, watcher::Result<Event<DynamicObject>>)> + Unpin
             ),
    ) {
        let next = self.due.values().min().copied().unwrap_or(Timestamp::MAX);
        let failed = !self.failed.is_empty();
        tokio::select! {
            Some((kind, event)) = changes.next() => self.hear(kind, event),
            () = self.clock.sleep_until(next) => {}
            () = tokio::time::sleep(RETRY_AFTER), if failed => self.dirty.append(&mut self.failed),
        }
        let now = self.clock.now();
        let due: Vec<_> = self.due.extract_if(.., |_, at| *at <= now).map(|(key, _)| key).collect();
        self.dirty.extend(due);
    }

    /// Plays what is to be played, and hears what that changes in between.
    async fn turns(
        &mut self,
        changes: &mut (
                 impl futures::Stream<Item = (Kind, watcher::Result<Event<DynamicObject>>)> + Unpin
             ),
    ) {
        while let Some(key) = self.dirty.pop_first() {
            self.cluster.now = self.clock.now();
            match play(&mut self.cluster, &key, self.controllers).await {
                Ok(Some(at)) => drop(self.due.insert(key, at)),
                Ok(None) => drop(self.due.remove(&key)),
                Err(error) => {
                    tracing::debug!(?key, error = format!("{error:#}"), "a turn failed");
                    self.failed.insert(key);
                }
            }
            while let Some(Some((kind, event))) = futures::FutureExt::now_or_never(changes.next()) {
                self.hear(kind, event);
            }
        }
    }

    fn hear(&mut self, kind: Kind, event: watcher::Result<Event<DynamicObject>>) {
        match event {
            Ok(Event::Apply(object)) => drop(self.note(kind, &object)),
            Ok(Event::Delete(object)) => {
                if let Ok(object) = serde_json::to_value(&object) {
                    self.gone(&Key::of(kind, &object));
                }
            }
            Ok(Event::Init) => drop(self.listed.insert(kind, BTreeSet::new())),
            Ok(Event::InitApply(object)) => {
                let key = self.note(kind, &object);
                self.listed.entry(kind).or_default().extend(key);
            }
            Ok(Event::InitDone) => {
                let seen = self.listed.remove(&kind).unwrap_or_default();
                let known = self.cluster.known.keys(kind).into_iter();
                for key in known.filter(|key| !seen.contains(key)).collect::<Vec<_>>() {
                    self.gone(&key);
                }
                self.unlisted.remove(&kind);
            }
            // The watch goes on by itself, after a pause.
            Err(error) => tracing::debug!(?kind, %error, "a watch failed"),
        }
    }

    fn note(&mut self, kind: Kind, object: &DynamicObject) -> Option<Key> {
        let object: Value = serde_json::to_value(object).ok()?;
        let key = Key::of(kind, &object);
        let object = Arc::new(object);
        if self.cluster.known.note(key.clone(), object.clone()) {
            self.concerns(&key, &object);
        }
        Some(key)
    }

    fn gone(&mut self, key: &Key) {
        let owner =
            self.cluster.known.get(key).and_then(|it| self.cluster.known.controller(key, it));
        self.cluster.known.forget(key);
        self.due.remove(key);
        self.dirty.extend(owner);
        self.dirty.insert(key.clone());
    }

    /// Marks what a change may ask to play.
    fn concerns(&mut self, key: &Key, object: &Value) {
        self.dirty.extend(self.cluster.known.controller(key, object));
        match key.kind {
            Kind::Node => {
                self.dirty.extend(self.cluster.known.keys(Kind::DaemonSet));
            }
            Kind::PersistentVolume => {
                let claim = &object["spec"]["claimRef"];
                let text = |key: &str| claim[key].as_str().unwrap_or_default().to_owned();
                let (namespace, name) = (text("namespace"), text("name"));
                self.dirty.insert(Key { kind: Kind::PersistentVolumeClaim, namespace, name });
            }
            _ => {}
        }
        self.dirty.insert(key.clone());
    }
}

async fn play(cluster: &mut Cluster, key: &Key, controllers: bool) -> Result<Next> {
    if key.kind == Kind::Node {
        return node::play(cluster, key).await;
    }
    if key.kind.is_workload() && !controllers {
        return Ok(None);
    }
    let Some(object) = cluster.known.get(key).cloned() else { return Ok(None) };
    if is_leaving(&object) && key.kind != Kind::Pod {
        return Ok(None);
    }
    match key.kind {
        Kind::Pod => pod::play(cluster, key, &object).await,
        Kind::Deployment => deployment::play(cluster, key, &object).await,
        Kind::ReplicaSet => replica_set::play(cluster, key, &object).await,
        Kind::StatefulSet => stateful_set::play(cluster, key, &object).await,
        Kind::DaemonSet => daemon_set::play(cluster, key, &object).await,
        Kind::Job => job::play(cluster, key, &object).await,
        Kind::CronJob => cron_job::play(cluster, key, &object).await,
        Kind::PersistentVolumeClaim => claim::play(cluster, key, &object, controllers).await,
        Kind::Service => service::play(cluster, key, &object).await,
        Kind::Namespace | Kind::Node | Kind::ControllerRevision | Kind::PersistentVolume => {
            Ok(None)
        }
    }
}
