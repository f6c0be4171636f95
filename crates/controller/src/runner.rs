//! Runs one controller: takes objects from the queue, gives them turns, and carries out the
//! outcome.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use api::meta::{Object, READY, REQUESTED_AT, Status};
use api::reason;
use futures::FutureExt as _;
use jiff::Timestamp;
use kube::api::ApiResource;
use kube::{Resource, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::activity::Busy;
use crate::board::{Board, Plan, Ticket};
use crate::clock::after;
use crate::event::Severity;
use crate::feed::{Change, Feed, Selection};
use crate::metric::{Ended, Gauged};
use crate::outcome::{Outcome, Remarks, Then, settle};
use crate::patch::{Place, Unwritten, Writer, describe};
use crate::queue::Urgency;
use crate::turn::{Memo, Start};
use crate::{
    Conditions, Event, Host, Key, Metrics, Next, Reconcile, Report, Stop, Turn, Verdict, backoff,
};

/// A controller that is ready to run, whatever its kind: what a binary folds over.
pub struct Controller {
    name: &'static str,
    resource: ApiResource,
    run: Box<dyn FnOnce(Host) -> futures::future::BoxFuture<'static, ()> + Send>,
}

impl Controller {
    /// The controller of a reconciler.
    pub fn new<R: Reconcile>(reconciler: R) -> Self {
        Self {
            name: R::CONTROLLER,
            resource: ApiResource::erase::<R::Resource>(&()),
            run: Box::new(|host| Box::pin(run(Arc::new(reconciler), &host))),
        }
    }

    /// The upstream controller it belongs to.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The kind it reconciles.
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// The kind it reconciles, as the API serves it.
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// Runs it until the host stops. It counts as busy for [`Host::idle`] from this call on, not
    /// only once the future is polled.
    pub fn run(self, host: Host) -> impl Future<Output = ()> + Send + 'static {
        (self.run)(host)
    }
}

/// Runs the controller of `R` until the host stops; turns then get the host's grace time to end.
///
/// Dropping the future ends it at once, as a crash would.
pub fn run<R: Reconcile>(
    reconciler: Arc<R>,
    host: &Host,
) -> impl Future<Output = ()> + Send + use<R> {
    let runner = Arc::new(Runner::new(reconciler, host));
    let shown = Shown::new(&runner.board, host);
    let host = host.clone();
    async move {
        let _shown = shown;
        work(runner, &host).await;
    }
}

async fn work<R: Reconcile>(runner: Arc<Runner<R>>, host: &Host) {
    let board = Arc::clone(&runner.board);
    // An API server that does not answer, or does not know the kind, must not keep us here.
    if host.stop().run_until_cancelled(runner.connect()).await.is_none() {
        return;
    }
    board.synced();
    let mut turns = JoinSet::new();
    let concurrent = host.options.concurrent.max(1);
    while !host.stop().is_cancelled() {
        while turns.len() < concurrent
            && let Some(ticket) = board.take(host.clock.now(), host.stop())
        {
            let span = runner.span(&ticket.key);
            turns.spawn(Arc::clone(&runner).turn(ticket).instrument(span));
        }
        let due = async {
            match board.next_due() {
                Some(due) => host.clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = host.stop().cancelled() => {}
            Some(_) = turns.join_next(), if !turns.is_empty() => {}
            () = board.rung() => {}
            () = due, if turns.len() < concurrent => {}
        }
    }
    let ended = async {
        while turns.join_next().await.is_some() {}
        host.recorder.drained().await;
    };
    if tokio::time::timeout(host.options.grace, ended).await.is_err() {
        tracing::warn!(controller = board.name(), "turns were still running at the end");
    }
}

/// Keeps the board among the parts that can be busy, as long as the controller runs.
struct Shown {
    host: Host,
    part: Arc<dyn Busy>,
}

impl Shown {
    fn new(board: &Arc<Board>, host: &Host) -> Self {
        let part: Arc<dyn Busy> = board.clone();
        host.activity.add(Arc::clone(&part));
        let queue: Arc<dyn Gauged> = board.clone();
        host.metrics.add_queue(&queue, host.options.concurrent);
        Self { host: host.clone(), part }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.host.activity.remove(&self.part);
    }
}

struct Runner<R: Reconcile> {
    reconciler: Arc<R>,
    host: Host,
    feed: Feed<R::Resource>,
    board: Arc<Board>,
    kind: String,
}

/// How a turn of an object went.
struct Ran {
    plan: Plan,
    ended: Ended,
}

impl<R: Reconcile> Runner<R> {
    fn new(reconciler: Arc<R>, host: &Host) -> Self {
        let kind = R::Resource::kind(&()).into_owned();
        let name = kind.to_lowercase();
        let board = Arc::new(Board::new(name, host.metrics.clone(), host.activity.clone()));
        Self { reconciler, feed: host.feed(Selection::Ours), host: host.clone(), board, kind }
    }

    /// Subscribes to all kinds that matter and waits until their objects are known.
    async fn connect(&self) {
        let mut synced = Vec::new();
        for watch in self.reconciler.watches() {
            let (board, clock) = (Arc::downgrade(&self.board), Arc::clone(&self.host.clock));
            let wake = move |changed: &crate::Reference| {
                if let Some(board) = Weak::upgrade(&board) {
                    board.wake(changed, clock.now(), R::SETTLE);
                }
            };
            synced.push(watch.start(&self.host, Arc::new(wake)));
        }
        // Weak: a reconciler that reads the feed of its own kind would keep itself alive.
        let (board, reconciler) = (Arc::downgrade(&self.board), Arc::downgrade(&self.reconciler));
        let (metrics, kind) = (self.host.metrics.clone(), self.kind.clone());
        self.feed.subscribe(move |change| {
            if let (Some(board), Some(reconciler)) = (board.upgrade(), reconciler.upgrade()) {
                show(&metrics, &kind, change);
                follow(&board, &*reconciler, change);
            }
        });
        let store = self.feed.store();
        futures::future::join(store.synced(), futures::future::join_all(synced)).await;
    }

    /// One run of one object, from the queue and back.
    async fn turn(self: Arc<Self>, ticket: Ticket) {
        let Ticket { key, cancelled, memo } = ticket;
        let work = self.host.metrics.work(self.board.name());
        let started = std::time::Instant::now();
        let Some(object) = self.feed.store().find(&key) else {
            self.board.done(&key, memo, Plan::default());
            return;
        };
        let mut run = Run { runner: &self, key: &key, cancelled, memo };
        // The reconciler's panics are reported by the run; this one would be the kit's.
        let ran = match AssertUnwindSafe(run.object(&object)).catch_unwind().await {
            Ok(ran) => ran,
            Err(_) => run.retry(),
        };
        let memo = run.memo.take();
        drop(work);
        if self.feed.store().find(&key).is_some() {
            self.host.metrics.object(&self.kind, &key).ran(started.elapsed());
        }
        self.host.metrics.ended(self.board.name(), ran.ended);
        self.board.done(&key, memo, ran.plan);
    }

    /// What the log lines of a run carry, under controller-runtime's names. The JSON formatter
    /// adds the object once more as `<Kind>: {name, namespace}`.
    fn span(&self, key: &Key) -> tracing::Span {
        tracing::info_span!(
            "reconcile",
            controller = self.board.name(),
            controllerGroup = &*R::Resource::group(&()),
            controllerKind = self.kind,
            namespace = key.namespace,
            name = key.name,
            reconcileID = run_id(),
        )
    }
}

/// Keeps the gauges of an object up to date.
fn show<K: Object>(metrics: &Metrics, kind: &str, change: &Change<K>) {
    let shown = metrics.object(kind, &change.key);
    let Some(object) = &change.new else {
        shown.remove();
        return;
    };
    shown.suspended(object.suspended());
    let ready = object.status().and_then(|status| status.condition(READY));
    shown.ready(ready.map_or("Unknown", |ready| &ready.status));
}

/// Lets an object run if it changed in a way that matters: generation, request, deletion, or an
/// annotation by which it refers to others.
fn follow<R: Reconcile>(board: &Board, reconciler: &R, change: &Change<R::Resource>) {
    let Some(new) = &change.new else {
        board.forget(&change.key);
        return;
    };
    let Some(old) = &change.old else {
        board.refer(&change.key, reconciler.references(new));
        let urgency = if change.listed { Urgency::Whenever } else { Urgency::Soon };
        board.add(&change.key, urgency);
        return;
    };
    let (before, after) = (old.meta(), new.meta());
    if before.uid != after.uid
        || before.generation != after.generation
        || before.deletion_timestamp != after.deletion_timestamp
    {
        if before.uid != after.uid {
            board.forget(&change.key);
        }
        board.refer(&change.key, reconciler.references(new));
        board.supersede(&change.key);
        return;
    }
    // What an object refers to may also follow from its annotations and its status.
    let references = reconciler.references(new);
    let is_asked = old.annotations().get(REQUESTED_AT) != new.annotations().get(REQUESTED_AT)
        || (old.annotations() != new.annotations() && reconciler.references(old) != references);
    board.refer(&change.key, references);
    if is_asked {
        board.add(&change.key, Urgency::Soon);
    }
}

/// A random UUID.
fn run_id() -> String {
    let [a, b] = rand::random::<[u64; 2]>();
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        0x8000 | b >> 48 & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

/// A run in progress.
struct Run<'a, R: Reconcile> {
    runner: &'a Arc<Runner<R>>,
    key: &'a Key,
    cancelled: CancellationToken,
    memo: Option<Memo>,
}

impl<R: Reconcile> Run<'_, R> {
    async fn object(&mut self, object: &R::Resource) -> Ran {
        let value = match serde_json::to_value(object) {
            Ok(value) => value,
            Err(error) => return self.refused(&error.to_string()),
        };
        let mut writer = self.writer(value);
        let held = object.finalizers().iter().any(|finalizer| finalizer == R::FINALIZER);
        if object.meta().deletion_timestamp.is_some() {
            return if held { self.finalize(object, writer).await } else { idle() };
        }
        if self.runner.reconciler.is_data(object) {
            return self.data(object, writer, held).await;
        }
        if !held && let Err(error) = writer.add_finalizer().await {
            return self.unwritten(error);
        }
        if object.suspended() {
            return self.suspended(object, writer).await;
        }
        self.reconcile(object, writer).await
    }

    fn writer(&self, object: Value) -> Writer {
        let place = Place {
            collection: R::Resource::url_path(
                &(),
                Some(&*self.key.namespace).filter(|it| !it.is_empty()),
            ),
            name: self.key.name.clone(),
            manager: R::CONTROLLER,
            finalizer: R::FINALIZER,
        };
        let feed = self.runner.feed.clone();
        let note = move |answer: &Value| {
            // An answer that is no such object is not worth noting; the watch will tell.
            if let Ok(object) = R::Resource::deserialize(answer) {
                feed.note(object);
            }
        };
        Writer::new(self.runner.host.client.clone(), place, object, Box::new(note))
    }

    async fn suspended(&self, object: &R::Resource, mut writer: Writer) -> Ran {
        tracing::info!("reconciliation is suspended for this object");
        let before = object.status().cloned().unwrap_or_default();
        let mut status = before.clone();
        let mut conditions = Conditions {
            list: status.conditions().to_vec(),
            generation: object.meta().generation.unwrap_or_default(),
            now: self.runner.host.clock.now(),
        };
        let event = self.runner.reconciler.suspended(object, &mut conditions);
        if conditions.list != status.conditions() {
            *status.conditions_mut() = conditions.list;
        }
        let requested = object.annotations().get(REQUESTED_AT);
        if let Some(requested) = requested.filter(|_| R::ACKNOWLEDGES_SUSPENDED) {
            status.set_last_handled_reconcile_at(requested.clone());
        }
        if R::OBSERVES_SUSPENDED {
            status.set_observed_generation(object.meta().generation.unwrap_or_default());
        }
        if status != before
            && let Err(error) = writer.status(json!(status)).await
        {
            return self.unwritten(error);
        }
        self.tell(object, event, Vec::new());
        idle()
    }

    /// Takes everything from an object that is only data, unless it is suspended.
    async fn data(&mut self, object: &R::Resource, mut writer: Writer, held: bool) -> Ran {
        let bare = object.status().is_none_or(|status| *status == Default::default());
        if object.suspended() || (bare && !held) {
            return idle();
        }
        if let Err(error) = writer.status(json!({})).await {
            return self.unwritten(error);
        }
        if held { self.finalize(object, writer).await } else { idle() }
    }

    async fn finalize(&mut self, object: &R::Resource, writer: Writer) -> Ran {
        let mut turn = self.begin(object, writer);
        let finalize = self.runner.reconciler.finalize(object, &mut turn);
        let result = match AssertUnwindSafe(finalize).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => Err(self.panicked(&*panic)),
        };
        self.memo = turn.take_memo();
        match result {
            Ok(()) => {
                self.tell(object, None, turn.take_told());
                match turn.writer.remove_finalizer().await {
                    Ok(()) | Err(Unwritten::Gone) => idle(),
                    Err(error) => self.unwritten(error),
                }
            }
            Err(stop) => self.end(object, turn, stop).await,
        }
    }

    async fn reconcile(&mut self, object: &R::Resource, writer: Writer) -> Ran {
        let mut turn = self.begin(object, writer);
        let work = self.runner.reconciler.turn(object, &mut turn);
        let result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => Err(self.panicked(&*panic)),
        };
        self.memo = turn.take_memo();
        match result {
            Ok(report) => self.report(object, turn, report).await,
            Err(stop) => self.end(object, turn, stop).await,
        }
    }

    fn begin(&mut self, object: &R::Resource, writer: Writer) -> Turn {
        let start = Start {
            now: self.runner.host.clock.now(),
            cancelled: self.cancelled.clone(),
            memo: self.memo.take(),
        };
        Turn::new(object, writer, start)
    }

    /// Ends a turn that changed nothing.
    async fn end(&self, object: &R::Resource, turn: Turn, stop: Stop) -> Ran {
        let gives_way = stop == Stop::GiveWay;
        match stop.verdict() {
            Some(verdict) => match turn.status() {
                Ok(status) => self.report(object, turn, Report::new(status, verdict)).await,
                Err(error) => self.refused(&error.to_string()),
            },
            // What is due by time comes after what something changed for; what superseded the turn
            // has put the object into the queue.
            None if gives_way || self.cancelled.is_cancelled() => {
                let due = gives_way.then(|| self.runner.host.clock.now());
                let failures = self.runner.board.failures(self.key);
                Ran { plan: Plan { due, failures, ..Plan::default() }, ended: Ended::Requeue }
            }
            None => self.retry(),
        }
    }

    /// Ends a turn: status first, then events, then what is next.
    async fn report(&self, object: &R::Resource, mut turn: Turn, report: Report<R>) -> Ran {
        let Report { mut status, verdict, news, steady, metadata, events, telling } = report;
        let stalled = matches!(verdict, Verdict::Stall { .. });
        let empty = Vec::new();
        let before = object.status().map_or(&empty[..], Status::conditions);
        turn.conditions.now = self.runner.host.clock.now();
        match verdict {
            Verdict::Own { .. } => turn.conditions.list = status.conditions().to_vec(),
            _ => turn.adopt(status.conditions()),
        }
        let events = turn.take_told().into_iter().chain(events).collect();
        let remarks = Remarks { news, steady, metadata, telling };
        let outcome = settle(verdict, before, &mut turn.conditions, remarks);
        status.conditions_mut().clone_from(&turn.conditions.list);
        if outcome.observed {
            status.set_observed_generation(object.meta().generation.unwrap_or_default());
        } else if let Some(observed) = object.status().and_then(Status::observed_generation) {
            status.set_observed_generation(observed);
        }
        if let Some(requested) = turn.requested_at().filter(|_| outcome.finished) {
            status.set_last_handled_reconcile_at(requested.to_owned());
        }
        let written = turn.writer.status(json!(status)).await;
        if matches!(written, Err(Unwritten::Gone)) {
            return idle();
        }
        let mut shown = object.clone();
        shown.meta_mut().resource_version = turn.writer.version();
        let failed = outcome.event.as_ref().is_some_and(|e| e.severity == Severity::Error);
        if failed {
            self.runner.host.metrics.object(&self.runner.kind, self.key).failed();
        }
        self.tell(&shown, outcome.event.clone(), events);
        match written {
            Err(error) => self.unwritten(error),
            Ok(_) if stalled => Ran { plan: Plan::default(), ended: Ended::Success },
            Ok(_) => self.plan(outcome, turn.now()),
        }
    }

    /// Logs and records the events of a run.
    fn tell(&self, object: &R::Resource, own: Option<Event>, more: Vec<Event>) {
        for event in own.into_iter().chain(more) {
            match event.severity {
                Severity::Error => tracing::error!(error = event.reason, "{}", event.message),
                Severity::Info | Severity::Trace => tracing::info!("{}", event.message),
            }
            self.runner.host.recorder.send(object, R::CONTROLLER, event);
        }
    }

    /// When the object runs again after a turn that began at `began`.
    fn plan(&self, outcome: Outcome, began: Timestamp) -> Ran {
        let host = &self.runner.host;
        let at = |delay: Duration| Some(after(host.clock.now(), delay));
        let (due, waits_for) = match outcome.then {
            Then::Retry => return self.retry(),
            Then::Next(Next::Idle) => (None, Vec::new()),
            Then::Next(Next::Again { after }) => (at(after), Vec::new()),
            Then::Next(Next::Interval { every }) => {
                let jitter = host.options.interval_jitter;
                let due = at(backoff::jitter(every, jitter, rand::random()));
                (due.map(|due| backoff::aligned(due, every)), Vec::new())
            }
            Then::Next(Next::Park { wake_on, deadline }) => {
                // Who parks until a time that was past already must not keep the machine busy; a
                // time that came during the turn is due now.
                let late = deadline.is_some_and(|deadline| deadline <= began);
                (if late { at(host.options.min_retry_delay) } else { deadline }, wake_on)
            }
        };
        let ended = if due.is_some() { Ended::RequeueAfter } else { Ended::Success };
        Ran { plan: Plan { due, waits_for, failures: 0 }, ended }
    }

    fn retry(&self) -> Ran {
        let host = &self.runner.host;
        let failures = self.runner.board.failures(self.key).saturating_add(1);
        let Host { options, metrics, .. } = host;
        let delay = backoff::delay(failures, options.min_retry_delay, options.max_retry_delay);
        metrics.retried(self.runner.board.name());
        let due = Some(after(host.clock.now(), delay));
        Ran { plan: Plan { due, failures, ..Plan::default() }, ended: Ended::Error }
    }

    fn unwritten(&self, error: Unwritten) -> Ran {
        match error {
            Unwritten::Gone => idle(),
            Unwritten::Refused(error) => self.refused(&describe(&error)),
        }
    }

    fn refused(&self, error: &str) -> Ran {
        tracing::error!(error, "object not updated, will be retried");
        self.retry()
    }

    /// A panic is a bug of ours, and the failure of this object only.
    fn panicked(&self, panic: &(dyn Any + Send)) -> Stop {
        self.runner.host.metrics.panicked(self.runner.board.name());
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        Stop::fail(reason::FAILED, format!("internal error: panic in reconciliation: {text}"))
    }
}

fn idle() -> Ran {
    Ran { plan: Plan::default(), ended: Ended::Success }
}
