//! What one controller knows of its objects between their turns: queue, references, memos.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, Busy};
use crate::metric::{Gauged, Gauges, Metrics};
use crate::queue::{Queue, Urgency};
use crate::turn::Memo;
use crate::{Key, Reference};

/// The board of one controller.
pub(crate) struct Board {
    /// Name of the queue: the kind in lower case, as controller-runtime names it.
    name: String,
    state: Mutex<State>,
    metrics: Metrics,
    activity: Activity,
    bell: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    cards: HashMap<Key, Card>,
    /// Who refers to what.
    referrers: HashMap<Reference, HashSet<Key>>,
    /// Whether the objects are all known.
    synced: bool,
    /// How many objects wait for further changes.
    settling: usize,
    /// What changed while objects ran, so that one that comes to wait for it does not miss it.
    missed: Missed,
}

/// Changes since the oldest run began, by a running number.
#[derive(Default)]
struct Missed {
    last: u64,
    runs: BTreeSet<u64>,
    changes: HashMap<Reference, u64>,
}

impl Missed {
    /// A run begins.
    fn begin(&mut self) -> u64 {
        self.last += 1;
        self.runs.insert(self.last);
        self.last
    }

    fn note(&mut self, changed: &Reference) {
        if !self.runs.is_empty() {
            self.last += 1;
            self.changes.insert(changed.clone(), self.last);
        }
    }

    /// The run that began at `since` ends: whether one of these changed meanwhile.
    fn end(&mut self, since: u64, waits_for: &[Reference]) -> bool {
        let changed = self.changes.iter().filter(|(_, at)| **at > since);
        let missed = changed.map(|(it, _)| it).any(|it| waits_for.iter().any(|w| w.covers(it)));
        self.runs.remove(&since);
        let oldest = self.runs.first().copied().unwrap_or(u64::MAX);
        self.changes.retain(|_, at| *at > oldest);
        missed
    }
}

/// One object.
#[derive(Default)]
struct Card {
    failures: u32,
    memo: Option<Memo>,
    /// References of the spec.
    references: Vec<Reference>,
    /// References of the last report.
    waits_for: Vec<Reference>,
    running: Option<Running>,
    /// Waiting for further changes.
    settling: Option<Settling>,
}

/// Changes that make one run together.
#[derive(Clone, Copy)]
struct Settling {
    /// When the run is due at the latest.
    latest: Timestamp,
    /// When it is due if nothing else changes.
    due: Timestamp,
}

struct Running {
    cancel: CancellationToken,
    since: Instant,
    /// For [`Missed`].
    number: u64,
}

/// An object to run.
pub(crate) struct Ticket {
    pub(crate) key: Key,
    pub(crate) cancelled: CancellationToken,
    pub(crate) memo: Option<Memo>,
}

impl Board {
    pub(crate) fn new(name: String, metrics: Metrics, activity: Activity) -> Self {
        let (state, bell) = (Mutex::default(), Notify::new());
        Self { name, state, metrics, activity, bell }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// From now on, having nothing to do means being idle.
    pub(crate) fn synced(&self) {
        self.state.lock().synced = true;
        self.activity.ring();
    }

    /// Sets what the spec of an object refers to.
    pub(crate) fn refer(&self, key: &Key, references: Vec<Reference>) {
        let state = &mut *self.state.lock();
        let card = state.cards.entry(key.clone()).or_default();
        if card.references != references {
            let old = std::mem::replace(&mut card.references, references);
            state.reindex(key, &old);
        }
    }

    /// Lets an object run.
    pub(crate) fn add(&self, key: &Key, urgency: Urgency) {
        if self.state.lock().queue.add(key, urgency) {
            self.metrics.added(&self.name);
        }
        self.bell.notify_one();
    }

    /// Lets an object run because its spec changed: a run of the old one is cancelled.
    pub(crate) fn supersede(&self, key: &Key) {
        if let Some(run) = self.state.lock().cards.get(key).and_then(|card| card.running.as_ref()) {
            run.cancel.cancel();
        }
        self.add(key, Urgency::Soon);
    }

    /// Lets everybody run who refers to a changed object, once nothing has changed for `settle`.
    pub(crate) fn wake(&self, changed: &Reference, now: Timestamp, settle: Duration) {
        let all = Reference { name: None, ..changed.clone() };
        let mut state = self.state.lock();
        state.missed.note(changed);
        let referrers = [changed, &all].map(|reference| state.referrers.get(reference));
        let keys: HashSet<Key> = referrers.into_iter().flatten().flatten().cloned().collect();
        if !settle.is_zero() {
            for key in &keys {
                state.settle(key, now, settle);
            }
            drop(state);
            self.bell.notify_one();
            return;
        }
        drop(state);
        for key in &keys {
            self.add(key, Urgency::Soon);
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, key: &Key) {
        let state = &mut *self.state.lock();
        state.queue.forget(key);
        if let Some(card) = state.cards.remove(key) {
            if card.settling.is_some() {
                state.settling -= 1;
            }
            if let Some(run) = &card.running {
                run.cancel.cancel();
                state.missed.end(run.number, &[]);
            }
            state.drop_references(key, card.references.iter().chain(&card.waits_for));
        }
        self.activity.ring();
    }

    /// The next object to run.
    pub(crate) fn take(&self, now: Timestamp, stop: &CancellationToken) -> Option<Ticket> {
        let state = &mut *self.state.lock();
        let (key, since) = state.queue.take(now)?;
        let card = state.cards.entry(key.clone()).or_default();
        let waited = std::mem::take(&mut card.waits_for);
        if card.settling.take().is_some() {
            state.settling -= 1;
        }
        let cancelled = stop.child_token();
        let number = state.missed.begin();
        let cancel = cancelled.clone();
        card.running = Some(Running { cancel, since: Instant::now(), number });
        let memo = card.memo.take();
        state.drop_unless_referred(&key, &waited);
        self.metrics.waited(&self.name, since.elapsed());
        Some(Ticket { key, cancelled, memo })
    }

    /// Ends a run: keeps the memo and sets when the object runs again.
    pub(crate) fn done(&self, key: &Key, memo: Option<Memo>, plan: Plan) {
        let state = &mut *self.state.lock();
        // A card that does not run is that of another object, made under the same name meanwhile.
        if let Some(card) = state.cards.get_mut(key)
            && let Some(run) = card.running.take()
        {
            card.memo = memo;
            card.failures = plan.failures;
            card.waits_for.clone_from(&plan.waits_for);
            let settled = card.settling.map(|it| it.due);
            state.queue.schedule(key, plan.due.into_iter().chain(settled).min());
            if state.missed.end(run.number, &plan.waits_for) {
                state.queue.add(key, Urgency::Soon);
            }
            for reference in plan.waits_for {
                state.referrers.entry(reference).or_default().insert(key.clone());
            }
        }
        if state.queue.done(key) {
            self.metrics.added(&self.name);
        }
        self.bell.notify_one();
        self.activity.ring();
    }

    /// Failures in a row so far.
    pub(crate) fn failures(&self, key: &Key) -> u32 {
        self.state.lock().cards.get(key).map_or(0, |card| card.failures)
    }

    /// When a timer is due next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.state.lock().queue.next_due()
    }

    /// Ends when the queue may have changed.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}

/// When an object runs again.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) due: Option<Timestamp>,
    pub(crate) waits_for: Vec<Reference>,
    pub(crate) failures: u32,
}

impl State {
    /// Puts off the run of an object until nothing has changed for `settle`.
    fn settle(&mut self, key: &Key, now: Timestamp, settle: Duration) {
        let later = |by: Duration| now.saturating_add(by).unwrap_or(now);
        let Some(card) = self.cards.get_mut(key) else { return };
        let latest = card.settling.map_or_else(|| later(settle * 100), |it| it.latest);
        let due = later(settle).min(latest);
        if card.settling.replace(Settling { latest, due }).is_none() {
            self.settling += 1;
        }
        // A run takes it over when it ends.
        if card.running.is_none() {
            self.queue.schedule(key, Some(due));
        }
    }

    fn reindex(&mut self, key: &Key, old: &[Reference]) {
        self.drop_unless_referred(key, old);
        let Some(card) = self.cards.get(key) else { return };
        for reference in &card.references {
            self.referrers.entry(reference.clone()).or_default().insert(key.clone());
        }
    }

    /// Drops references of an object, unless it still has them for another reason.
    fn drop_unless_referred(&mut self, key: &Key, old: &[Reference]) {
        let Some(card) = self.cards.get(key) else { return };
        let kept = |it: &&Reference| !card.references.contains(it) && !card.waits_for.contains(it);
        let dropped: Vec<_> = old.iter().filter(kept).cloned().collect();
        self.drop_references(key, &dropped);
    }

    fn drop_references<'a>(
        &mut self,
        key: &Key,
        references: impl IntoIterator<Item = &'a Reference>,
    ) {
        for reference in references {
            if let Some(keys) = self.referrers.get_mut(reference) {
                keys.remove(key);
                if keys.is_empty() {
                    self.referrers.remove(reference);
                }
            }
        }
    }
}

impl Busy for Board {
    fn is_busy(&self, now: Timestamp) -> bool {
        let state = self.state.lock();
        !state.synced || state.settling > 0 || state.queue.is_busy(now)
    }
}

impl Gauged for Board {
    fn name(&self) -> &str {
        &self.name
    }

    fn gauges(&self) -> Gauges {
        let state = self.state.lock();
        let running = state.cards.values().filter_map(|card| card.running.as_ref());
        Gauges {
            depth: state.queue.depth(),
            running: running.map(|run| run.since.elapsed()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use prometheus::Registry;

    use super::*;

    fn board() -> Board {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let board = Board::new("toy".into(), metrics, Activity::default());
        board.synced();
        board
    }

    fn drain(board: &Board) -> Vec<String> {
        let stop = CancellationToken::new();
        let now = Timestamp::UNIX_EPOCH;
        std::iter::from_fn(|| board.take(now, &stop))
            .map(|ticket| {
                board.done(&ticket.key, ticket.memo, Plan::default());
                ticket.key.name
            })
            .collect()
    }

    #[test]
    fn changes_at_once_make_one_run() {
        let (board, stop) = (board(), CancellationToken::new());
        let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap();
        let settle = Duration::from_millis(50);
        let secret = Reference::object::<Secret>("ns", "token");
        board.refer(&Key::new("ns", "one"), vec![secret.clone()]);
        for millis in [0, 40, 80] {
            board.wake(&secret, at(millis), settle);
            assert!(board.take(at(millis + 39), &stop).is_none());
            assert!(board.is_busy(at(millis)), "a run that is put off is work to do");
        }
        let ticket = board.take(at(130), &stop).unwrap();
        board.wake(&secret, at(140), settle);
        board.done(&ticket.key, None, Plan { due: Some(at(9000)), ..Plan::default() });
        assert_eq!(board.next_due(), Some(at(190)), "a change during the run is not lost");
        for millis in (140..6000).step_by(40) {
            board.wake(&secret, at(millis), settle);
        }
        assert_eq!(board.next_due(), Some(at(5140)), "it is not put off for ever");
    }

    #[test]
    fn referrers_are_woken_by_name_and_by_namespace() {
        let board = board();
        board.refer(&Key::new("ns", "one"), vec![Reference::object::<Secret>("ns", "token")]);
        board.refer(&Key::new("ns", "all"), vec![Reference::all::<ConfigMap>("ns")]);
        board.wake(
            &Reference::object::<Secret>("ns", "token"),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        );
        assert_eq!(drain(&board), ["one"]);
        board.wake(
            &Reference::object::<ConfigMap>("ns", "any"),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        );
        assert_eq!(drain(&board), ["all"]);
        board.wake(
            &Reference::object::<ConfigMap>("other", "any"),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        );
        board.wake(
            &Reference::object::<Secret>("ns", "any"),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        );
        assert_eq!(drain(&board), [""; 0]);
        board.refer(&Key::new("ns", "one"), vec![]);
        board.wake(
            &Reference::object::<Secret>("ns", "token"),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        );
        assert_eq!(drain(&board), [""; 0]);
    }

    #[test]
    fn a_parked_object_is_woken_once() {
        let board = board();
        let key = Key::new("ns", "parked");
        board.refer(&key, vec![]);
        board.add(&key, Urgency::Soon);
        let ticket = board.take(Timestamp::UNIX_EPOCH, &CancellationToken::new()).unwrap();
        let token = Reference::object::<Secret>("ns", "token");
        let plan = Plan { waits_for: vec![token.clone()], ..Plan::default() };
        board.done(&ticket.key, None, plan);
        assert_eq!(drain(&board), [""; 0]);
        board.wake(&token, Timestamp::UNIX_EPOCH, Duration::ZERO);
        assert_eq!(drain(&board), ["parked"]);
        board.wake(&token, Timestamp::UNIX_EPOCH, Duration::ZERO);
        assert_eq!(drain(&board), [""; 0]);
        assert!(board.state.lock().referrers.is_empty());
    }

    #[test]
    fn what_came_while_the_turn_ran_is_not_waited_for() {
        let board = board();
        let (key, other) = (Key::new("ns", "it"), Key::new("ns", "other"));
        let token = Reference::object::<Secret>("ns", "token");
        let stop = CancellationToken::new();
        for waits_for in [token.clone(), Reference::all::<Secret>("ns")] {
            board.add(&key, Urgency::Soon);
            board.add(&other, Urgency::Soon);
            board.take(Timestamp::UNIX_EPOCH, &stop).unwrap();
            board.wake(&token, Timestamp::UNIX_EPOCH, Duration::ZERO);
            board.take(Timestamp::UNIX_EPOCH, &stop).unwrap();
            let plan = || Plan { waits_for: vec![waits_for.clone()], ..Plan::default() };
            board.done(&key, None, plan());
            board.done(&other, None, plan());
            assert_eq!(drain(&board), ["it"]);
            board.wake(&token, Timestamp::UNIX_EPOCH, Duration::ZERO);
            assert_eq!(drain(&board), ["other"]);
        }
        assert!(board.state.lock().missed.changes.is_empty());
    }

    #[test]
    fn an_object_of_the_same_name_inherits_nothing() {
        let board = board();
        let (key, stop) = (Key::new("ns", "it"), CancellationToken::new());
        board.add(&key, Urgency::Soon);
        let old = board.take(Timestamp::UNIX_EPOCH, &stop).unwrap();
        board.forget(&key);
        assert!(old.cancelled.is_cancelled());
        board.refer(&key, vec![]);
        board.add(&key, Urgency::Soon);
        let due = Some(Timestamp::UNIX_EPOCH);
        board.done(&key, Some(Box::new("old")), Plan { due, failures: 3, ..Plan::default() });
        assert_eq!(board.failures(&key), 0);
        assert!(board.take(Timestamp::UNIX_EPOCH, &stop).unwrap().memo.is_none());
        board.done(&key, None, Plan::default());
        assert!(board.next_due().is_none() && !board.is_busy(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_new_spec_cancels_the_running_turn_and_runs_afterwards() {
        let board = board();
        let key = Key::new("ns", "it");
        board.refer(&key, vec![]);
        board.add(&key, Urgency::Soon);
        let ticket = board.take(Timestamp::UNIX_EPOCH, &CancellationToken::new()).unwrap();
        board.supersede(&key);
        assert!(ticket.cancelled.is_cancelled());
        assert!(board.is_busy(Timestamp::UNIX_EPOCH));
        board.done(&key, None, Plan::default());
        assert_eq!(drain(&board), ["it"]);
    }
}
