//! Kubernetes Events, written behind bounded queues so that no run waits for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::meta::{EVENT_ANNOTATION_PREFIX, Time};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as KubeEvent, EventSource, ObjectReference};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Client, Resource, ResourceExt as _};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::correlate::{Advice, Correlator, Identity};
use super::post::Posting;
use super::{Event, Severity};
use crate::activity::{Activity, Busy};
use crate::clock::Clock;
use crate::patch;

/// How many events may wait for a slow API server before new ones are dropped.
const CAPACITY: usize = 8192;
/// How many are written side by side; those of one object keep their order.
const BATCH: usize = 64;
/// For how long a trace, which tells nothing new, waits for others to be written with: an API server
/// that writes to disk takes hardly longer for many than for one.
const PATIENCE: Duration = Duration::from_millis(250);

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
    queue: mpsc::Sender<Item>,
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
        let (queue, items) = mpsc::channel(CAPACITY);
        let writer = Writer { client, correlator: Mutex::default() };
        tokio::spawn(writer.run(items, Arc::clone(&pending), activity.clone()));
        Self { queue, pending, posting, clock, activity }
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
        self.pending.count.fetch_add(1, Ordering::SeqCst);
        if self.queue.try_send(Item { subject, event, component, at }).is_err() {
            self.pending.count.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!("event dropped: too many are waiting for the API server");
        }
    }
}

/// What there is to write: waits for one event, and for others a while if that is only a trace.
async fn batch(items: &mut mpsc::Receiver<Item>) -> Option<Vec<Item>> {
    let mut batch = vec![items.recv().await?];
    let patience = tokio::time::sleep(PATIENCE);
    let mut patience = std::pin::pin!(patience);
    while batch.len() < BATCH && batch.iter().all(|it| it.event.severity == Severity::Trace) {
        tokio::select! {
            Some(item) = items.recv() => batch.push(item),
            () = &mut patience => break,
            else => break,
        }
    }
    while batch.len() < BATCH
        && let Ok(item) = items.try_recv()
    {
        batch.push(item);
    }
    Some(batch)
}

struct Writer {
    client: Client,
    correlator: Mutex<Correlator>,
}

impl Writer {
    async fn run(self, mut items: mpsc::Receiver<Item>, pending: Arc<Pending>, activity: Activity) {
        while let Some(batch) = batch(&mut items).await {
            let count = batch.len();
            let mut objects = HashMap::<String, Vec<Item>>::new();
            for item in batch {
                objects.entry(item.subject.uid.clone()).or_default().push(item);
            }
            join_all(objects.values().map(|items| self.in_order(items))).await;
            if pending.count.fetch_sub(count, Ordering::SeqCst) == count {
                activity.ring();
            }
        }
    }

    async fn in_order(&self, items: &[Item]) {
        for item in items {
            if let Err(error) = self.write(item).await {
                let error = patch::describe(&error);
                tracing::warn!(error, reason = item.event.reason, "event not written");
            }
        }
    }

    async fn write(&self, item: &Item) -> kube::Result<()> {
        let identity = identity(item);
        let advice = self.correlator.lock().judge(&identity, item.at);
        match advice {
            Advice::Drop => Ok(()),
            Advice::Create => self.create(item, identity).await,
            Advice::Count { name, count } => match self.count(item, &name, count).await {
                Err(error) if patch::code(&error) == Some(404) => {
                    self.correlator.lock().expired(&identity);
                    self.create(item, identity).await
                }
                other => other,
            },
        }
    }

    async fn create(&self, item: &Item, identity: Identity) -> kube::Result<()> {
        let event = kube_event(item);
        let name = event.name_any();
        let body = serde_json::to_vec(&event).map_err(kube::Error::SerdeError)?;
        self.send(events(item).create(&PostParams::default(), body)).await?;
        self.correlator.lock().created(identity, name);
        Ok(())
    }

    async fn count(&self, item: &Item, name: &str, count: i32) -> kube::Result<()> {
        let body = json!({ "count": count, "lastTimestamp": Time(item.at) });
        self.send(events(item).patch(name, &PatchParams::default(), &Patch::Merge(body))).await
    }

    /// Sends a request, and does not read the Event that is the answer.
    async fn send(&self, request: Result<Written, kube::core::request::Error>) -> kube::Result<()> {
        let request = request.map_err(kube::Error::BuildRequest)?;
        self.client.request_text(request).await?;
        Ok(())
    }
}

/// A request that writes an Event.
type Written = http::Request<Vec<u8>>;

fn events(item: &Item) -> Request {
    Request::new(KubeEvent::url_path(&(), Some(namespace(item))))
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
