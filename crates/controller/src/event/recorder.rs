//! Kubernetes Events, written behind bounded queues so that no run waits for them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::meta::{EVENT_ANNOTATION_PREFIX, Time};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as KubeEvent, EventSource, ObjectReference};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::correlate::{Advice, Correlator, Identity};
use super::post::Posting;
use super::{Event, Severity};
use crate::activity::{Activity, Busy};
use crate::clock::Clock;
use crate::patch;

/// Events of one object keep their order; those of different objects are written side by side.
const WRITERS: usize = 4;
/// How many events may wait for a slow API server, per writer, before new ones are dropped.
const CAPACITY: usize = 2048;

/// The object an event is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subject {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) api_version: String,
    pub(crate) resource_version: String,
}

impl Subject {
    pub(crate) fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            api_version: K::api_version(&()).into_owned(),
            resource_version: object.resource_version().unwrap_or_default(),
        }
    }
}

/// Where events go.
pub(crate) struct Outlet {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) posting: Option<Posting>,
    pub(crate) activity: Activity,
}

/// Delivers events without making anybody wait.
#[derive(Clone)]
pub(crate) struct Recorder {
    queues: Vec<mpsc::Sender<Item>>,
    pending: Arc<Pending>,
    posting: Option<Posting>,
    clock: Arc<dyn Clock>,
    activity: Activity,
}

struct Item {
    subject: Subject,
    event: Event,
    component: &'static str,
    at: Timestamp,
}

/// Events that are not written yet.
#[derive(Default)]
struct Pending {
    count: AtomicUsize,
}

impl Busy for Pending {
    fn is_busy(&self, _: Timestamp) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }
}

impl Recorder {
    /// Starts to deliver.
    pub(crate) fn start(outlet: Outlet) -> Self {
        let Outlet { client, clock, posting, activity } = outlet;
        let pending = Arc::new(Pending::default());
        activity.add(pending.clone());
        let queues = (0..WRITERS).map(|_| {
            let (queue, items) = mpsc::channel(CAPACITY);
            let writer = Writer { client: client.clone(), correlator: Correlator::default() };
            tokio::spawn(writer.run(items, Arc::clone(&pending), activity.clone()));
            queue
        });
        let queues = queues.collect();
        Self { queues, pending, posting, clock, activity }
    }

    /// Ends when all Kubernetes Events are written.
    pub(crate) async fn drained(&self) {
        self.activity.until(|| self.pending.count.load(Ordering::SeqCst) == 0).await;
    }

    /// Sends an event of `component` about `object`, whose own event annotations are added.
    pub(crate) fn send<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        component: &'static str,
        mut event: Event,
    ) {
        let annotations = object.annotations().iter();
        let own = annotations.filter(|(key, _)| key.starts_with(EVENT_ANNOTATION_PREFIX));
        event.metadata.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        let subject = Subject::of(object);
        let at = self.clock.now();
        if let Some(posting) = &self.posting {
            posting.send(&subject, &event, component, at);
        }
        let queue = &self.queues[shard(&subject.uid)];
        self.pending.count.fetch_add(1, Ordering::SeqCst);
        if queue.try_send(Item { subject, event, component, at }).is_err() {
            self.pending.count.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!("event dropped: too many are waiting for the API server");
        }
    }
}

fn shard(uid: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    usize::try_from(hasher.finish() % WRITERS as u64).unwrap_or_default()
}

struct Writer {
    client: Client,
    correlator: Correlator,
}

impl Writer {
    async fn run(
        mut self,
        mut items: mpsc::Receiver<Item>,
        pending: Arc<Pending>,
        activity: Activity,
    ) {
        while let Some(item) = items.recv().await {
            if let Err(error) = self.write(&item).await {
                let error = patch::describe(&error);
                tracing::warn!(error, reason = item.event.reason, "event not written");
            }
            if pending.count.fetch_sub(1, Ordering::SeqCst) == 1 {
                activity.ring();
            }
        }
    }

    async fn write(&mut self, item: &Item) -> kube::Result<()> {
        let identity = identity(item);
        match self.correlator.judge(&identity, item.at) {
            Advice::Drop => Ok(()),
            Advice::Create => self.create(item, identity).await,
            Advice::Count { name, count } => match self.count(item, &name, count).await {
                Err(error) if patch::code(&error) == Some(404) => {
                    self.correlator.expired(&identity);
                    self.create(item, identity).await
                }
                other => other,
            },
        }
    }

    async fn create(&mut self, item: &Item, identity: Identity) -> kube::Result<()> {
        let event = kube_event(item);
        let name = event.name_any();
        self.api(item).create(&PostParams::default(), &event).await?;
        self.correlator.created(identity, name);
        Ok(())
    }

    async fn count(&self, item: &Item, name: &str, count: i32) -> kube::Result<()> {
        let body = json!({ "count": count, "lastTimestamp": Time(item.at) });
        self.api(item).patch(name, &PatchParams::default(), &Patch::Merge(body)).await?;
        Ok(())
    }

    fn api(&self, item: &Item) -> Api<KubeEvent> {
        Api::namespaced(self.client.clone(), namespace(item))
    }
}

fn identity(item: &Item) -> Identity {
    Identity {
        component: item.component,
        uid: item.subject.uid.clone(),
        warning: item.event.severity == Severity::Error,
        reason: item.event.reason,
        message: item.event.message.clone(),
    }
}

fn namespace(item: &Item) -> &str {
    if item.subject.namespace.is_empty() { "default" } else { &item.subject.namespace }
}

/// The Event as client-go's recorder writes it.
fn kube_event(item: &Item) -> KubeEvent {
    let Item { subject, event, component, at } = item;
    let annotations = (!event.metadata.is_empty()).then(|| event.metadata.clone());
    let kind = if event.severity == Severity::Error { "Warning" } else { "Normal" };
    KubeEvent {
        metadata: ObjectMeta {
            // client-go: name of the object and the time in hexadecimal nanoseconds. A random part
            // keeps apart what happens at the same time of a clock that stands still.
            name: Some(format!("{}.{:x}", subject.name, at.as_nanosecond() ^ nonce())),
            namespace: Some(namespace(item).to_owned()),
            annotations,
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(subject.api_version.clone()),
            kind: Some(subject.kind.clone()),
            name: Some(subject.name.clone()),
            namespace: Some(subject.namespace.clone()).filter(|it| !it.is_empty()),
            uid: Some(subject.uid.clone()),
            resource_version: Some(subject.resource_version.clone()),
            field_path: None,
        },
        type_: Some(kind.to_owned()),
        reason: Some(event.reason.to_owned()),
        message: Some(event.message.clone()),
        count: Some(1),
        first_timestamp: Some(Time(*at)),
        last_timestamp: Some(Time(*at)),
        source: Some(EventSource { component: Some((*component).to_owned()), host: None }),
        reporting_component: Some((*component).to_owned()),
        ..KubeEvent::default()
    }
}

fn nonce() -> i128 {
    i128::from(rand::random::<u16>())
}
