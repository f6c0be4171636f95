//! What a reconciler is given for one run.

use std::any::Any;

use api::meta::{Condition, Object, READY, RECONCILING, REQUESTED_AT, STALLED, Status};
use api::reason;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::condition::{self, Claim, Conditions};
use crate::patch::{Unwritten, Writer};
use crate::{Event, Key, Stop};

/// `observedGeneration` before the first run: the default of every kind's status.
const NONE_OBSERVED: i64 = -1;

/// In-memory state of one object that survives its turns, but not the process.
pub(crate) type Memo = Box<dyn Any + Send + Sync>;

/// One run: its time, what was asked for, the memo, and the way to report progress.
pub struct Turn {
    key: Key,
    now: Timestamp,
    cancelled: CancellationToken,
    memo: Option<Memo>,
    requested_at: Option<String>,
    handled_at: Option<String>,
    generation: i64,
    observed_generation: i64,
    /// The conditions as they are and as this run changes them.
    pub(crate) conditions: Conditions,
    /// The status without the conditions of this run.
    status: Value,
    pub(crate) writer: Writer,
    /// What happened, to be told when the run has ended.
    told: Vec<Event>,
}

/// What the runner knows when a turn begins.
pub(crate) struct Start {
    pub(crate) now: Timestamp,
    pub(crate) cancelled: CancellationToken,
    pub(crate) memo: Option<Memo>,
}

impl Turn {
    pub(crate) fn new<K: Object>(it: &K, writer: Writer, start: Start) -> Self {
        let status = it.status().cloned().unwrap_or_default();
        let generation = it.meta().generation.unwrap_or_default();
        let mut turn = Self {
            key: Key::of(it),
            now: start.now,
            cancelled: start.cancelled,
            memo: start.memo,
            requested_at: it.annotations().get(REQUESTED_AT).cloned(),
            handled_at: status.last_handled_reconcile_at().map(str::to_owned),
            generation,
            observed_generation: status.observed_generation().unwrap_or(NONE_OBSERVED),
            conditions: Conditions {
                list: status.conditions().to_vec(),
                generation,
                now: start.now,
            },
            status: as_value(&status),
            writer,
            told: Vec::new(),
        };
        let message = turn.default_message();
        turn.mark_progress(&message, false);
        turn
    }

    /// Namespace and name of the object.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// When the turn began. Nobody but the kit asks a clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Ends the turn early: set when a newer spec arrived or the process ends. A turn that gives
    /// up because of it returns [`Stop::Superseded`].
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Whether the turn may go on.
    ///
    /// # Errors
    /// [`Stop::Superseded`] after cancellation.
    pub fn check(&self) -> Result<(), Stop> {
        if self.cancelled.is_cancelled() { Err(Stop::Superseded) } else { Ok(()) }
    }

    /// The value of `reconcile.fluxcd.io/requestedAt`.
    pub fn requested_at(&self) -> Option<&str> {
        self.requested_at.as_deref()
    }

    /// Whether somebody asked for this run: `requestedAt` differs from what was handled last.
    pub fn is_requested(&self) -> bool {
        self.requested_at.is_some() && self.requested_at != self.handled_at
    }

    /// Whether no run has finished at this generation yet.
    pub fn is_new_generation(&self) -> bool {
        self.generation != self.observed_generation
    }

    /// In-memory state of this object that survives turns. It starts as the default after each
    /// start of the process, and again when another type is asked for.
    #[expect(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn memo<M: Default + Send + Sync + 'static>(&mut self) -> &mut M {
        let memo = self.memo.get_or_insert_with(|| Box::new(M::default()));
        if !memo.is::<M>() {
            *memo = Box::new(M::default());
        }
        memo.downcast_mut().expect("because the type was just checked")
    }

    /// Since when the object waits for `reason`: the transition time of Ready=False with that
    /// reason as recorded before this run, else the beginning of this run. In whole seconds.
    ///
    /// Deadlines computed from it do not move when the process restarts, as long as the message
    /// of the wait stays the same.
    pub fn waiting_since(&self, reason: &str) -> Timestamp {
        self.conditions
            .get(READY)
            .filter(|c| c.status == "False" && c.reason == reason)
            .filter(|c| c.observed_generation == Some(self.generation))
            .map_or(condition::whole_seconds(self.now), |c| c.last_transition_time.0)
    }

    /// Writes the message a run starts with, in the cases in which upstream does: at a new
    /// generation or on request. Worth its request if the turn will take long.
    ///
    /// # Errors
    /// [`Stop::Superseded`] if the object is gone, [`Stop::Fail`] if it cannot be written.
    pub async fn announce(&mut self) -> Result<(), Stop> {
        if !self.is_new_generation() && !self.is_requested() {
            return Ok(());
        }
        self.write().await
    }

    /// Says what is going on: Reconciling=True with reason `Progressing` and this message. It is
    /// written at once if it differs, and stays as the message if the run fails.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub async fn progress(&mut self, message: impl Into<String>) -> Result<(), Stop> {
        self.mark_progress(&message.into(), false);
        self.write().await
    }

    /// As [`progress`](Self::progress), but written only with the outcome of the run: for turns so
    /// short that nobody would see it before.
    pub fn note(&mut self, message: impl Into<String>) {
        self.mark_progress(&message.into(), false);
    }

    /// Ready becomes Unknown with this message, whatever it was: what was known no longer holds. It
    /// is written with the outcome of the run.
    pub fn doubt(&mut self, message: &str) {
        let reason = reason::PROGRESSING;
        self.conditions.set(Claim { kind: READY, status: "Unknown", reason, message });
    }

    /// Takes back what was said of progress: the run ends before anything was begun, and so a
    /// failure leaves no Reconciling.
    pub fn withdraw_progress(&mut self) {
        self.conditions.remove(RECONCILING);
    }

    /// As [`progress`](Self::progress), and Ready becomes Unknown even if it was True or False:
    /// what was known no longer holds.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub async fn drift(&mut self, message: impl Into<String>) -> Result<(), Stop> {
        self.mark_progress(&message.into(), true);
        self.write().await
    }

    /// Writes fields of the status now, before an effect that must be found again after a crash.
    /// The conditions in `status` are ignored.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub async fn record(&mut self, status: &impl Status) -> Result<(), Stop> {
        self.status = as_value(status);
        self.write().await
    }

    /// The conditions of a status, to be changed by upstream's rules: what is set gets the generation
    /// and the time of this run.
    pub fn conditions_of(&self, status: &impl Status) -> Conditions {
        let Conditions { generation, now, .. } = self.conditions;
        Conditions { list: status.conditions().to_vec(), generation, now }
    }

    /// Takes over the fields of a status, and its conditions that are not the kit's own: what this
    /// run writes before its end shows them, and so does the status if it ends early.
    pub fn stage(&mut self, status: &impl Status) {
        self.status = as_value(status);
        self.adopt(status.conditions());
    }

    /// Tells something when the run has ended, before the events of its report. For who has no
    /// report: [`finalize`](crate::Reconcile::finalize).
    pub fn tell(&mut self, event: Event) {
        self.told.push(event);
    }

    pub(crate) fn take_told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }

    /// Takes over the conditions of a report that are not the kit's own.
    pub(crate) fn adopt(&mut self, reported: &[Condition]) {
        let own = |c: &Condition| [STALLED, RECONCILING, READY].contains(&c.type_.as_str());
        self.conditions.list.retain(own);
        self.conditions.list.extend(reported.iter().filter(|c| !own(c)).cloned());
        condition::sort(&mut self.conditions.list);
    }

    pub(crate) fn take_memo(&mut self) -> Option<Memo> {
        self.memo.take()
    }

    /// The status as recorded so far.
    pub(crate) fn status<S: Status>(&self) -> serde_json::Result<S> {
        S::deserialize(&self.status)
    }

    fn default_message(&self) -> String {
        if self.is_new_generation() {
            let (from, to) = (self.observed_generation, self.generation);
            format!("processing object: new generation {from} -> {to}")
        } else {
            "reconciliation in progress".to_owned()
        }
    }

    fn mark_progress(&mut self, message: &str, drift: bool) {
        let reason = reason::PROGRESSING;
        self.conditions.remove(STALLED);
        self.conditions.set(Claim { kind: RECONCILING, status: "True", reason, message });
        let known = self.conditions.get(READY).is_some_and(|c| c.status != "Unknown");
        if drift || !known {
            self.conditions.set(Claim { kind: READY, status: "Unknown", reason, message });
        }
    }

    async fn write(&mut self) -> Result<(), Stop> {
        self.check()?;
        let mut status = self.status.clone();
        status["conditions"] = json!(self.conditions.list);
        match self.writer.status(status).await {
            Ok(_) => Ok(()),
            Err(Unwritten::Gone) => Err(Stop::Superseded),
            Err(Unwritten::Refused(error)) => Err(error.into()),
        }
    }
}

fn as_value(status: &impl Status) -> Value {
    let value = serde_json::to_value(status).unwrap_or_default();
    if value.is_object() { value } else { json!({}) }
}
