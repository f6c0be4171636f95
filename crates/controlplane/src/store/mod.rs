//! The store: a state machine behind a lock, a log that makes its changes last, and signals for watchers.
//!
//! ```text
//! commit ──> decide ──> log (group commit) ──> apply ──> signal ──> watchers pull from the history
//! ```
//! Watchers hold a cursor, never a queue: a slow reader costs no memory, and is told `Expired` when the
//! history has moved on.

mod group;
mod list;
mod object;
mod selector;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, mpsc};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

pub(crate) use list::{Page, Query, Start};
pub(crate) use object::{Draft, Object};
pub(crate) use selector::{FieldRequirement, LabelRequirement, Selector};
pub(crate) use state::{
    Batch, Change, Event, Expired, Path, Refusal, ResourceId, State, Trim, Window,
};

use crate::Error;
use crate::log::Log;

/// Objects, their recent past, and the way to change them.
pub(crate) struct Store {
    shared: Arc<Shared>,
    writer: Writer,
}

enum Writer {
    /// Nothing to wait for: the caller applies its own change.
    Direct(Mutex<()>),
    /// A thread writes the changes of many callers as one transaction.
    Grouped(group::Group),
}

struct Shared {
    state: RwLock<State>,
    signals: RwLock<HashMap<ResourceId, watch::Sender<u64>>>,
    /// Hears of every changed resource before watchers do.
    follower: OnceLock<Follower>,
    /// Hears of every change, for garbage collection.
    observer: Mutex<Option<mpsc::Sender<Arc<Event>>>>,
}

/// Is told the resource of every change.
type Follower = Box<dyn Fn(&str) + Send + Sync>;

impl Store {
    /// Tells `follower` the resource of every change from now on, when readers see it and before
    /// watchers hear of it. Only the first follower counts.
    pub(crate) fn follow(&self, follower: impl Fn(&str) + Send + Sync + 'static) {
        // A second follower would be a mistake that tests show at once.
        let _ = self.shared.follower.set(Box::new(follower));
    }

    /// A store that lives as long as the process.
    pub(crate) fn in_memory(window: Window) -> Self {
        let shared = Arc::new(Shared::new(State::new(window)));
        Self { shared, writer: Writer::Direct(Mutex::new(())) }
    }

    /// A store whose changes are in `log` before anybody sees them.
    pub(crate) fn durable(window: Window, mut log: Box<dyn Log>) -> Result<Self, Error> {
        let mut state = State::new(window);
        log.load(&mut state)?;
        let shared = Arc::new(Shared::new(state));
        let group = group::Group::start(shared.clone(), log)?;
        Ok(Self { shared, writer: Writer::Grouped(group) })
    }

    /// Sends every change from now on to `observer`.
    pub(crate) fn observe(&self, observer: mpsc::Sender<Arc<Event>>) {
        *self.shared.observer.lock() = Some(observer);
    }

    /// Stops telling the observer.
    pub(crate) fn stop_observing(&self) {
        *self.shared.observer.lock() = None;
    }

    /// Stops writing to the log, after what was handed in.
    pub(crate) fn close(&self) {
        if let Writer::Grouped(group) = &self.writer {
            group.stop();
        }
    }

    /// Makes one change, or says why not. Returns when it is durable and seen by readers.
    pub(crate) async fn commit(&self, change: Change) -> Result<Arc<Event>, Refusal> {
        check_size(&change)?;
        match &self.writer {
            Writer::Direct(turn) => self.commit_direct(turn, change),
            Writer::Grouped(group) => group.submit(change).await.unwrap_or_else(|_| Err(closed())),
        }
    }

    /// [`Store::commit`] for threads that are not async.
    pub(crate) fn commit_blocking(&self, change: Change) -> Result<Arc<Event>, Refusal> {
        check_size(&change)?;
        match &self.writer {
            Writer::Direct(turn) => self.commit_direct(turn, change),
            Writer::Grouped(group) => wait(group.submit(change)).unwrap_or_else(|_| Err(closed())),
        }
    }

    fn commit_direct(&self, turn: &Mutex<()>, change: Change) -> Result<Arc<Event>, Refusal> {
        let _turn = turn.lock();
        let mut batch = Batch::default();
        let event = self.shared.state.read().decide(&mut batch, change)?;
        self.shared.publish(&batch.events);
        // There is no log that would have to forget anything.
        drop(self.shared.state.write().take_trim());
        Ok(event)
    }

    /// The revision of the newest change.
    pub(crate) fn revision(&self) -> u64 {
        self.shared.state.read().revision()
    }

    /// One object.
    pub(crate) fn get(&self, resource: &str, path: &str) -> Option<Arc<Object>> {
        self.shared.state.read().get(resource, path).cloned()
    }

    /// Objects of `resource` below `prefix`.
    pub(crate) fn all(&self, resource: &str, prefix: &str) -> Vec<(Path, Arc<Object>)> {
        let state = self.shared.state.read();
        state.scan(resource, prefix, "").map(|(p, o)| (p.clone(), o.clone())).collect()
    }

    /// One page of a list; see [`Query`].
    pub(crate) fn list(&self, query: &Query<'_>) -> Result<Page, Expired> {
        list::list(&self.shared.state.read(), query)
    }

    /// The place of the object with this uid.
    pub(crate) fn place(&self, uid: &str) -> Option<(ResourceId, Path)> {
        self.shared.state.read().place(uid).cloned()
    }

    /// The places of the objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(ResourceId, Path)> {
        self.shared.state.read().dependents(uid)
    }

    /// The resources that ever had an object.
    pub(crate) fn resources(&self) -> Vec<ResourceId> {
        self.shared.state.read().resources()
    }

    /// A signal that fires when something of `resource` changes. Subscribe before reading.
    pub(crate) fn signal(&self, resource: &ResourceId) -> watch::Receiver<u64> {
        if let Some(sender) = self.shared.signals.read().get(resource) {
            return sender.subscribe();
        }
        let mut signals = self.shared.signals.write();
        signals.entry(resource.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// At most `limit` events of `resource` after `cursor`, and the cursor to continue from.
    pub(crate) fn since(
        &self,
        resource: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<(Vec<Arc<Event>>, u64), Expired> {
        let state = self.shared.state.read();
        let events: Vec<_> = state.since(resource, cursor)?.take(limit).cloned().collect();
        let cursor = match events.last() {
            Some(last) if events.len() == limit => last.revision,
            _ => state.revision().max(cursor),
        };
        Ok((events, cursor))
    }
}

impl Shared {
    fn new(state: State) -> Self {
        Self {
            state: RwLock::new(state),
            signals: RwLock::default(),
            observer: Mutex::default(),
            follower: OnceLock::new(),
        }
    }

    /// Applies decided events and wakes whoever waits for them.
    fn publish(&self, events: &[Arc<Event>]) {
        let mut state = self.state.write();
        for event in events {
            state.apply(event);
        }
        drop(state);
        if let Some(follower) = self.follower.get() {
            for event in events {
                follower(&event.resource);
            }
        }
        let signals = self.signals.read();
        for event in events {
            if let Some(signal) = signals.get(&event.resource) {
                signal.send_replace(event.revision);
            }
        }
        drop(signals);
        if let Some(observer) = &*self.observer.lock() {
            for event in events {
                // The collector ends before the store does; then nobody needs to hear.
                let _ = observer.send(event.clone());
            }
        }
    }
}

/// Blocks until `future` is ready. Not tokio's own way to block: the caller may be inside a runtime,
/// which then must not make the future wait for its turn either.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(tokio::task::unconstrained(future))
}

/// The most bytes of one object, as in etcd.
const MOST_BYTES: usize = 3 << 19;

fn check_size(change: &Change) -> Result<(), Refusal> {
    if change.draft.len() > MOST_BYTES { Err(Refusal::TooLarge) } else { Ok(()) }
}

fn closed() -> Refusal {
    Refusal::Unkept("the server is shutting down".to_owned())
}

type Reply = oneshot::Sender<Result<Arc<Event>, Refusal>>;
