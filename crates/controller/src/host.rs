//! What all controllers of a process share.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::clock::Clock;
use crate::event::{Outlet, Post, Posting, Recorder};
use crate::feed::{Feed, Selection, Store};
use crate::follow::Followed;
use crate::{Compute, Metrics, Watchable};

/// What a host needs.
pub struct Context {
    /// The API client: of a cluster or of the embedded control plane.
    pub client: Client,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The metrics to feed.
    pub metrics: Metrics,
    /// Where events are posted to besides the API server, and the name of this process there.
    pub post: Option<(Arc<dyn Post>, String)>,
    /// Ends watches and controllers.
    pub stop: CancellationToken,
}

/// How controllers run; the fields are upstream's flags with their defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--concurrent`: turns of one kind at the same time.
    pub concurrent: usize,
    /// `--min-retry-delay`: delay after the first failure; it doubles from failure to failure.
    pub min_retry_delay: Duration,
    /// `--max-retry-delay`.
    pub max_retry_delay: Duration,
    /// `--interval-jitter-percentage`: how far an interval may be off, 0 to 99.
    pub interval_jitter: u8,
    /// The only namespace to watch, for `--watch-all-namespaces=false`.
    pub namespace: Option<String>,
    /// `--watch-label-selector`: which objects this process is responsible for.
    pub label_selector: Option<String>,
    /// `--watch-configs-label-selector`: which Secrets and `ConfigMap`s wake objects.
    pub configs_label_selector: Option<String>,
    /// How long turns get to end when the process does.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrent: 4,
            min_retry_delay: Duration::from_millis(750),
            max_retry_delay: Duration::from_mins(15),
            interval_jitter: 0,
            namespace: None,
            label_selector: None,
            configs_label_selector: Some("reconcile.fluxcd.io/watch=Enabled".to_owned()),
            grace: Duration::from_secs(10),
        }
    }
}

/// What all controllers of a process share: the API client, the clock, one watch per kind, metrics
/// and events. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) recorder: Recorder,
    pub(crate) options: Arc<Options>,
    pub(crate) activity: Activity,
    pub(crate) followed: Followed,
    compute: Compute,
    feeds: Arc<Mutex<Feeds>>,
    stop: CancellationToken,
}

type Feeds = HashMap<(TypeId, Option<String>), Box<dyn Any + Send + Sync>>;

impl Host {
    /// A host whose watches and controllers end with `context.stop`. Must be called within the
    /// runtime.
    pub fn new(context: Context) -> Self {
        let Context { client, clock, metrics, post, stop } = context;
        let activity = Activity::default();
        let posting = post.map(|(post, name)| Posting::start(post, Arc::clone(&clock), &name));
        let recorder = Recorder::start(Outlet {
            client: client.clone(),
            clock: Arc::clone(&clock),
            posting,
            activity: activity.clone(),
        });
        Self {
            client,
            clock,
            metrics,
            recorder,
            options: Arc::default(),
            compute: Compute::default(),
            activity,
            followed: Followed::default(),
            feeds: Arc::default(),
            stop,
        }
    }

    /// The same host for controllers with other options; watches are still shared where they are
    /// the same. The namespace must not differ between controllers of one process.
    #[must_use]
    pub fn with(&self, options: Options) -> Self {
        Self { options: Arc::new(options), ..self.clone() }
    }

    /// The API client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The metrics that are fed.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The clock, for the few that schedule things of their own.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The pool for pure work.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Ends with the process.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The objects of a kind, kept up to date by the shared watch, which starts now if it has not.
    ///
    /// Must be called within the runtime. For `kube::core::PartialObjectMeta<K>` only metadata is
    /// kept.
    pub fn store<K>(&self) -> Store<K>
    where
        K: Watchable + Resource<Scope = NamespaceResourceScope>,
    {
        self.feed(Selection::All).store()
    }

    /// As [`store`](Self::store), for a kind outside namespaces.
    pub fn cluster_store<K>(&self) -> Store<K>
    where
        K: Watchable + Resource<Scope = ClusterResourceScope>,
    {
        self.cluster_feed().store()
    }

    /// Ends when no controller of this host has anything to do at the time the clock shows: no
    /// turn runs or is due, and all events are delivered. Meant for tests, before they advance a
    /// manual clock, and for `--until idle`.
    ///
    /// A change made by others counts from when its watch event arrived: wait for
    /// [`Store::reached`] first.
    pub async fn idle(&self) {
        self.activity.idle(&*self.clock).await;
    }

    pub(crate) fn feed<K>(&self, selection: Selection) -> Feed<K>
    where
        K: Watchable + Resource<Scope: Placed>,
    {
        let selector = match selection {
            Selection::Ours => self.options.label_selector.clone(),
            Selection::Configs => self.options.configs_label_selector.clone(),
            Selection::All => None,
        };
        let api = K::Scope::api(self.client.clone(), self.options.namespace.as_deref());
        self.shared(api, selector)
    }

    pub(crate) fn cluster_feed<K>(&self) -> Feed<K>
    where
        K: Watchable + Resource<Scope = ClusterResourceScope>,
    {
        self.shared(Api::all(self.client.clone()), None)
    }

    fn shared<K: Watchable>(&self, api: Api<K>, selector: Option<String>) -> Feed<K> {
        let mut feeds = self.feeds.lock();
        let key = (TypeId::of::<K>(), selector.filter(|s| !s.is_empty()));
        if let Some(feed) = feeds.get(&key).and_then(|feed| feed.downcast_ref::<Feed<K>>()) {
            return feed.clone();
        }
        let feed = Feed::new();
        let config = watcher::Config { label_selector: key.1.clone(), ..Default::default() };
        tokio::spawn(feed.clone().follow(api, config, self.stop.clone()));
        feeds.insert(key, Box::new(feed.clone()));
        feed
    }
}

/// Where the objects of a kind are: in namespaces, or outside.
pub trait Placed: Sized {
    /// Those of a namespace, if there are namespaces and only one is wanted; else all.
    fn api<K>(client: Client, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = Self, DynamicType = ()>;
}

impl Placed for NamespaceResourceScope {
    fn api<K>(client: Client, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = Self, DynamicType = ()>,
    {
        match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }
}

impl Placed for ClusterResourceScope {
    fn api<K>(client: Client, _namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = Self, DynamicType = ()>,
    {
        Api::all(client)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("options", &self.options).finish_non_exhaustive()
    }
}
