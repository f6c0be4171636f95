//! The shared watch of one kind: what exists, and what changes.
//!
//! Answers of the API server to our own writes enter here too ([`Feed::note`]), as if their watch
//! event had arrived; the event itself is then old news. So no turn ever starts from a state older
//! than what this process wrote.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::patch::describe;
use crate::{Key, Watchable};

/// Which objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Selection {
    /// Those this process is responsible for: `--watch-label-selector`.
    Ours,
    /// Those with configuration: `--watch-configs-label-selector`.
    Configs,
    /// All of them.
    All,
}

/// Why a watch failed, in words that help.
fn reason(error: &watcher::Error) -> String {
    use watcher::Error as Failed;
    match error {
        Failed::InitialListFailed(kube::Error::Api(status)) if status.code == 404 => {
            "the API server does not serve this kind: is its CRD installed?".to_owned()
        }
        Failed::InitialListFailed(error)
        | Failed::WatchStartFailed(error)
        | Failed::WatchFailed(error) => describe(error),
        Failed::WatchError(status) => status.message.clone(),
        Failed::NoResourceVersion => error.to_string(),
    }
}

/// A change of one object.
#[derive(Debug)]
pub(crate) struct Change<K> {
    pub(crate) key: Key,
    pub(crate) old: Option<Arc<K>>,
    pub(crate) new: Option<Arc<K>>,
    /// Whether it is part of a list and not news: at start, after a broken watch.
    pub(crate) listed: bool,
}

type Subscriber<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

struct Inner<K> {
    objects: RwLock<BTreeMap<Key, Arc<K>>>,
    /// Serialises changes, so that subscribers see them in order. Holds what cannot be read.
    order: Mutex<Order<K>>,
    synced: watch::Sender<bool>,
    /// Newest version seen, to be waited for.
    version: watch::Sender<u64>,
}

struct Order<K> {
    subscribers: Vec<Subscriber<K>>,
    /// Objects known to be gone whose watch event has not come yet, and their last version.
    buried: HashMap<Key, u64>,
    /// The list that is arriving.
    listing: Option<BTreeMap<Key, Arc<K>>>,
}

/// The shared watch of one kind.
pub(crate) struct Feed<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Feed<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Watchable> Feed<K> {
    /// A feed that nobody fills yet.
    pub(crate) fn new() -> Self {
        let order = Order { subscribers: Vec::new(), buried: HashMap::new(), listing: None };
        Self {
            inner: Arc::new(Inner {
                objects: RwLock::default(),
                order: Mutex::new(order),
                synced: watch::Sender::new(false),
                version: watch::Sender::new(0),
            }),
        }
    }

    /// Fills the feed until `stop`. Broken watches are taken up again with growing delay.
    pub(crate) async fn follow(
        self,
        api: Api<K>,
        config: watcher::Config,
        stop: CancellationToken,
    ) {
        let kind = K::kind(&()).into_owned();
        let events = watcher(api, config).default_backoff().into_stream();
        let mut events = std::pin::pin!(events.take_until(stop.cancelled()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.accept(event),
                Err(error) => {
                    let error = reason(&error);
                    tracing::warn!(kind, error, "watch failed, will be retried");
                }
            }
        }
    }

    /// Calls `subscriber` for every object there is and for every change from now on, in order.
    pub(crate) fn subscribe(&self, subscriber: impl Fn(&Change<K>) + Send + Sync + 'static) {
        let mut order = self.inner.order.lock();
        for (key, object) in self.inner.objects.read().iter() {
            let new = Some(Arc::clone(object));
            subscriber(&Change { key: key.clone(), old: None, new, listed: true });
        }
        order.subscribers.push(Box::new(subscriber));
    }

    /// The objects, to be read.
    pub(crate) fn store(&self) -> Store<K> {
        Store { feed: self.clone() }
    }

    /// Takes note of an object as the API server answered a request of ours.
    pub(crate) fn note(&self, object: K) {
        let gone = object.meta().deletion_timestamp.is_some() && object.finalizers().is_empty();
        let mut order = self.inner.order.lock();
        if gone {
            let key = Key::of(&object);
            order.buried.insert(key.clone(), version(&object).unwrap_or_default());
            self.remove(&order, key);
        } else {
            self.apply(&order, object, false);
        }
    }

    fn accept(&self, event: watcher::Event<K>) {
        let mut order = self.inner.order.lock();
        match event {
            watcher::Event::Init => order.listing = Some(BTreeMap::new()),
            watcher::Event::InitApply(object) => {
                if let Some(listing) = &mut order.listing {
                    listing.insert(Key::of(&object), Arc::new(lean(object)));
                }
            }
            watcher::Event::InitDone => self.replace(&mut order),
            watcher::Event::Apply(object) => self.apply(&order, object, false),
            watcher::Event::Delete(object) => {
                let key = Key::of(&object);
                order.buried.remove(&key);
                if !self.is_older(&key, &object) {
                    self.remove(&order, key);
                }
                self.reached(&object);
            }
        }
    }

    fn apply(&self, order: &Order<K>, object: K, listed: bool) {
        let key = Key::of(&object);
        let buried = order.buried.get(&key).is_some_and(|last| version(&object) <= Some(*last));
        if buried || self.is_older(&key, &object) {
            return;
        }
        let new = Arc::new(lean(object));
        let old = self.inner.objects.write().insert(key.clone(), Arc::clone(&new));
        let same = old.as_ref().is_some_and(|old| old.resource_version() == new.resource_version());
        if !same {
            let change = Change { key, old, new: Some(Arc::clone(&new)), listed };
            order.tell(&change);
        }
        self.reached(&*new);
    }

    fn remove(&self, order: &Order<K>, key: Key) {
        let old = self.inner.objects.write().remove(&key);
        if old.is_some() {
            order.tell(&Change { key, old, new: None, listed: false });
        }
    }

    /// A complete list has arrived: what is not in it is gone.
    fn replace(&self, order: &mut Order<K>) {
        let listing = order.listing.take().unwrap_or_default();
        order.buried.clear();
        let known: Vec<Key> = self.inner.objects.read().keys().cloned().collect();
        for key in known.into_iter().filter(|key| !listing.contains_key(key)) {
            self.remove(order, key);
        }
        for object in listing.into_values() {
            self.apply(order, Arc::unwrap_or_clone(object), true);
        }
        self.inner.synced.send_replace(true);
    }

    fn is_older(&self, key: &Key, object: &K) -> bool {
        let objects = self.inner.objects.read();
        let known = objects.get(key).and_then(|known| version(&**known));
        // Versions that are not numbers cannot be compared: what comes last counts.
        matches!((version(object), known), (Some(new), Some(known)) if new < known)
    }

    fn reached(&self, object: &K) {
        let version = version(object).unwrap_or_default();
        self.inner.version.send_if_modified(|newest| {
            let newer = version > *newest;
            *newest = version.max(*newest);
            newer
        });
    }
}

impl<K> Order<K> {
    fn tell(&self, change: &Change<K>) {
        for subscriber in &self.subscribers {
            // A panic in somebody's filter must not end the watch of everybody.
            let told = catch_unwind(AssertUnwindSafe(|| subscriber(change)));
            if told.is_err() {
                tracing::error!(object = %change.key, "internal error: a subscriber panicked");
            }
        }
    }
}

/// The objects of a kind as last seen: reads without requests.
pub struct Store<K> {
    feed: Feed<K>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { feed: self.feed.clone() }
    }
}

impl<K: Watchable> Store<K> {
    /// One object. The namespace is empty for cluster-wide kinds.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.find(&Key::new(namespace, name))
    }

    /// One object.
    pub fn find(&self, key: &Key) -> Option<Arc<K>> {
        self.feed.inner.objects.read().get(key).cloned()
    }

    /// All objects in a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let objects = self.feed.inner.objects.read();
        let start = Key::new(namespace, "");
        let from = objects.range(start..).take_while(|(key, _)| key.namespace == namespace);
        from.map(|(_, object)| Arc::clone(object)).collect()
    }

    /// All objects, by namespace and name.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.feed.inner.objects.read().values().cloned().collect()
    }

    /// Ends when all objects that existed at the start are known.
    pub async fn synced(&self) {
        // An error means that the feed is gone, which this handle prevents.
        let _ = self.feed.inner.synced.subscribe().wait_for(|done| *done).await;
    }

    /// Ends when the store is at least as new as this `metadata.resourceVersion` of an object of
    /// its kind. With versions that are not numbers it ends at once.
    pub async fn reached(&self, resource_version: &str) {
        let wanted = resource_version.parse::<u64>().unwrap_or_default();
        let _ = self.feed.inner.version.subscribe().wait_for(|newest| *newest >= wanted).await;
    }
}

/// What nobody reads is not kept: managed fields are often half of an object.
fn lean<K: Watchable>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

/// Resource versions are opaque by contract, but ordered numbers in every API server there is
/// (and by contract since Kubernetes 1.35, KEP-5504).
fn version<K: Watchable>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use watcher::Event;

    use super::*;

    fn map(name: &str, version: u64) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(name.into());
        map.metadata.namespace = Some("ns".into());
        map.metadata.resource_version = Some(version.to_string());
        map
    }

    fn deleted(name: &str, version: u64) -> ConfigMap {
        let mut map = map(name, version);
        let now = jiff::Timestamp::UNIX_EPOCH;
        map.metadata.deletion_timestamp = Some(api::meta::Time(now));
        map
    }

    type Log = Arc<Mutex<Vec<String>>>;

    fn feed() -> (Feed<ConfigMap>, Log) {
        let feed = Feed::new();
        let log = Log::default();
        let seen = Arc::clone(&log);
        feed.subscribe(move |change: &Change<ConfigMap>| {
            let version = |it: &Option<Arc<ConfigMap>>| {
                it.as_ref().and_then(|it| it.resource_version()).unwrap_or_else(|| "-".into())
            };
            let line = format!("{} {}>{}", change.key, version(&change.old), version(&change.new));
            seen.lock().push(line);
        });
        (feed, log)
    }

    fn list(feed: &Feed<ConfigMap>, objects: Vec<ConfigMap>) {
        feed.accept(Event::Init);
        for object in objects {
            feed.accept(Event::InitApply(object));
        }
        feed.accept(Event::InitDone);
    }

    #[test]
    fn own_writes_count_at_once_and_their_events_are_old_news() {
        let (feed, log) = feed();
        feed.accept(Event::Apply(map("a", 1)));
        feed.note(map("a", 3));
        feed.accept(Event::Apply(map("a", 2)));
        feed.accept(Event::Apply(map("a", 3)));
        assert_eq!(*log.lock(), ["ns/a ->1", "ns/a 1>3"]);
    }

    #[test]
    fn an_object_removed_by_us_does_not_come_back_as_a_ghost() {
        let (feed, log) = feed();
        feed.accept(Event::Apply(map("a", 1)));
        feed.note(deleted("a", 4));
        feed.accept(Event::Apply(deleted("a", 3)));
        assert_eq!(feed.store().all().len(), 0);
        feed.accept(Event::Delete(deleted("a", 4)));
        feed.accept(Event::Apply(map("a", 5)));
        assert_eq!(*log.lock(), ["ns/a ->1", "ns/a 1>-", "ns/a ->5"]);
    }

    #[test]
    fn a_new_list_tells_what_was_missed() {
        let (feed, log) = feed();
        list(&feed, vec![map("a", 1), map("b", 2)]);
        log.lock().clear();
        list(&feed, vec![map("b", 2), map("c", 4)]);
        assert_eq!(*log.lock(), ["ns/a 1>-", "ns/c ->4"]);
        assert_eq!(feed.store().in_namespace("ns").len(), 2);
    }
}
