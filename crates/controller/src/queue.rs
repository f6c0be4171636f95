//! Which object runs next: no object twice, namespaces in turn, timers.
//!
//! A pure data structure; the runner wraps it. An object that is added while it runs is remembered
//! and runs once more afterwards. Within a namespace, objects that somebody waits for go before
//! those that are due by timer or were only listed; between namespaces it goes round.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use jiff::Timestamp;

use crate::Key;

/// How soon an object should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Something changed.
    Soon,
    /// A timer, or the list at start.
    Whenever,
}

/// The queue of one kind.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: HashMap<Key, Slot>,
    lanes: HashMap<String, Lane>,
    /// Namespaces with something to do, in the order in which they are served.
    round: VecDeque<String>,
    timers: BTreeSet<(Timestamp, Key)>,
    running: usize,
    ready: usize,
}

#[derive(Debug)]
struct Slot {
    state: State,
    due: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Resting,
    Ready { urgency: Urgency, since: Instant },
    Running { again: Option<Urgency> },
}

#[derive(Debug, Default)]
struct Lane {
    soon: VecDeque<Key>,
    whenever: VecDeque<Key>,
}

impl Lane {
    fn of(&mut self, urgency: Urgency) -> &mut VecDeque<Key> {
        match urgency {
            Urgency::Soon => &mut self.soon,
            Urgency::Whenever => &mut self.whenever,
        }
    }
}

impl Queue {
    /// Lets an object run as soon as it can. Says whether that is news.
    pub(crate) fn add(&mut self, key: &Key, urgency: Urgency) -> bool {
        let slot = self.slot(key);
        match &mut slot.state {
            State::Running { again } => {
                let news = again.is_none();
                *again = Some(urgency);
                return news;
            }
            State::Ready { urgency: known, .. } => {
                if *known == Urgency::Whenever && urgency == Urgency::Soon {
                    *known = Urgency::Soon;
                    self.enlist(key, urgency);
                }
                return false;
            }
            State::Resting => slot.state = State::Ready { urgency, since: Instant::now() },
        }
        self.ready += 1;
        self.enlist(key, urgency);
        true
    }

    /// Lets an object run at a time, instead of the time set before.
    pub(crate) fn schedule(&mut self, key: &Key, due: Option<Timestamp>) {
        let old = std::mem::replace(&mut self.slot(key).due, due);
        if let Some(old) = old {
            self.timers.remove(&(old, key.clone()));
        }
        if let Some(due) = due {
            self.timers.insert((due, key.clone()));
        }
    }

    /// The next object to run, and since when it has been waiting.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Key, Instant)> {
        self.promote(now);
        while let Some(namespace) = self.round.pop_front() {
            let lane = self.lanes.entry(namespace.clone()).or_default();
            let next = match lane.soon.pop_front() {
                Some(key) => Some((key, Urgency::Soon)),
                None => lane.whenever.pop_front().map(|key| (key, Urgency::Whenever)),
            };
            if lane.soon.is_empty() && lane.whenever.is_empty() {
                self.lanes.remove(&namespace);
            } else {
                self.round.push_back(namespace);
            }
            if let Some((key, urgency)) = next
                && let Some(since) = self.start(&key, urgency)
            {
                return Some((key, since));
            }
        }
        None
    }

    /// Ends a run. Says whether the object runs again at once.
    pub(crate) fn done(&mut self, key: &Key) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let State::Running { again } = slot.state else { return false };
        slot.state = State::Resting;
        if slot.due.is_none() {
            self.slots.remove(key);
        }
        self.running -= 1;
        again.is_some_and(|urgency| self.add(key, urgency))
    }

    /// Forgets an object that is gone; a run of it still ends with [`done`](Self::done).
    pub(crate) fn forget(&mut self, key: &Key) {
        self.schedule(key, None);
        match self.slots.get_mut(key).map(|slot| &mut slot.state) {
            Some(State::Running { again }) => *again = None,
            Some(State::Ready { .. }) => {
                self.ready -= 1;
                self.slots.remove(key);
            }
            Some(State::Resting) | None => {
                self.slots.remove(key);
            }
        }
    }

    /// The next time something becomes due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Objects that could run at once.
    pub(crate) fn depth(&self) -> usize {
        self.ready
    }

    /// Whether anything runs or could run at `now`.
    pub(crate) fn is_busy(&self, now: Timestamp) -> bool {
        self.running > 0 || self.ready > 0 || self.next_due().is_some_and(|due| due <= now)
    }

    fn slot(&mut self, key: &Key) -> &mut Slot {
        self.slots.entry(key.clone()).or_insert(Slot { state: State::Resting, due: None })
    }

    fn enlist(&mut self, key: &Key, urgency: Urgency) {
        let namespace = &key.namespace;
        if !self.lanes.contains_key(namespace) {
            self.round.push_back(namespace.clone());
        }
        let lane = self.lanes.entry(namespace.clone()).or_default();
        lane.of(urgency).push_back(key.clone());
    }

    /// Starts an object taken from a lane, unless that entry is out of date: forgotten since, or
    /// made more urgent and taken already.
    fn start(&mut self, key: &Key, from: Urgency) -> Option<Instant> {
        let slot = self.slots.get_mut(key)?;
        let State::Ready { urgency, since } = slot.state else { return None };
        if urgency != from {
            return None;
        }
        slot.state = State::Running { again: None };
        self.ready -= 1;
        self.running += 1;
        self.schedule(key, None);
        Some(since)
    }

    fn promote(&mut self, now: Timestamp) {
        while let Some((due, key)) = self.timers.first().cloned()
            && due <= now
        {
            self.schedule(&key, None);
            self.add(&key, Urgency::Whenever);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Key {
        let (namespace, name) = text.split_once('/').unwrap();
        Key::new(namespace, name)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn drain(queue: &mut Queue, now: i64) -> Vec<String> {
        std::iter::from_fn(|| queue.take(at(now))).map(|(key, _)| key.to_string()).collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(u8, bool),
        Schedule(u8, i64),
        Take,
        Done(u8),
        Forget(u8),
        Pass(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..6_u8, any::<bool>()).prop_map(|(n, soon)| Step::Add(n, soon)),
            (0..6_u8, 0..50_i64).prop_map(|(n, at)| Step::Schedule(n, at)),
            Just(Step::Take),
            (0..6_u8).prop_map(Step::Done),
            (0..6_u8).prop_map(Step::Forget),
            (0..5_i64).prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// Whatever happens: nothing runs twice at once, nothing forgotten runs, and in the end
        /// everything that was added or became due has run.
        #[test]
        fn nothing_is_lost_and_nothing_runs_twice(steps in prop::collection::vec(step(), 0..200)) {
            let key = |n: u8| Key::new(format!("ns{}", n % 2), n.to_string());
            let mut queue = Queue::default();
            let (mut owed, mut running) = (HashSet::new(), HashSet::new());
            let mut timers = HashMap::new();
            let mut now = 0;
            for step in steps.into_iter().chain([Step::Pass(100)]) {
                match step {
                    Step::Add(n, soon) => {
                        let urgency = if soon { Urgency::Soon } else { Urgency::Whenever };
                        queue.add(&key(n), urgency);
                        owed.insert(key(n));
                    }
                    Step::Schedule(n, due) => {
                        queue.schedule(&key(n), Some(at(due)));
                        timers.insert(key(n), due);
                    }
                    Step::Take => {
                        let due = timers.iter().filter(|(_, due)| **due <= now);
                        owed.extend(due.map(|(key, _)| key.clone()));
                        timers.retain(|_, due| *due > now);
                        if let Some((key, _)) = queue.take(at(now)) {
                            prop_assert!(owed.remove(&key), "{key} had no reason to run");
                            prop_assert!(running.insert(key.clone()), "{key} runs twice");
                            timers.remove(&key);
                        }
                    }
                    Step::Done(n) => {
                        queue.done(&key(n));
                        running.remove(&key(n));
                    }
                    Step::Forget(n) => {
                        queue.forget(&key(n));
                        owed.remove(&key(n));
                        timers.remove(&key(n));
                    }
                    Step::Pass(seconds) => now += seconds,
                }
            }
            owed.extend(timers.into_keys());
            for key in running {
                queue.done(&key);
            }
            let ran: HashSet<Key> =
                std::iter::from_fn(|| queue.take(at(now))).map(|(key, _)| key).collect();
            prop_assert_eq!(ran, owed);
            prop_assert_eq!(queue.depth(), 0);
        }
    }

    #[test]
    fn a_crowded_namespace_does_not_delay_another_ones_newcomer() {
        let mut queue = Queue::default();
        for n in 0..1000 {
            queue.add(&Key::new("crowd", n.to_string()), Urgency::Soon);
        }
        queue.take(at(0));
        queue.add(&key("quiet/new"), Urgency::Soon);
        let next: Vec<_> = (0..2).map(|_| queue.take(at(0)).unwrap().0.namespace).collect();
        assert!(next.contains(&"quiet".to_owned()));
    }

    #[test]
    fn an_object_never_runs_twice_at_once_but_once_more_afterwards() {
        let mut queue = Queue::default();
        assert!(queue.add(&key("a/x"), Urgency::Soon));
        assert!(!queue.add(&key("a/x"), Urgency::Soon));
        assert_eq!(drain(&mut queue, 0), ["a/x"]);
        queue.add(&key("a/x"), Urgency::Soon);
        queue.add(&key("a/x"), Urgency::Soon);
        assert_eq!(drain(&mut queue, 0), [""; 0]);
        assert!(queue.done(&key("a/x")));
        assert_eq!(drain(&mut queue, 0), ["a/x"]);
        assert!(!queue.done(&key("a/x")));
        assert!(!queue.is_busy(at(0)));
    }

    #[test]
    fn what_changed_goes_before_what_was_listed() {
        let mut queue = Queue::default();
        queue.add(&key("a/1"), Urgency::Whenever);
        queue.add(&key("a/2"), Urgency::Whenever);
        queue.add(&key("a/3"), Urgency::Soon);
        queue.add(&key("a/2"), Urgency::Soon);
        assert_eq!(drain(&mut queue, 0), ["a/3", "a/2", "a/1"]);
    }

    #[test]
    fn timers_fire_when_due_and_a_run_clears_them() {
        let mut queue = Queue::default();
        queue.schedule(&key("a/x"), Some(at(10)));
        queue.schedule(&key("a/x"), Some(at(20)));
        assert_eq!(queue.next_due(), Some(at(20)));
        assert_eq!(drain(&mut queue, 19), [""; 0]);
        assert!(!queue.is_busy(at(19)) && queue.is_busy(at(20)));
        assert_eq!(drain(&mut queue, 20), ["a/x"]);
        queue.done(&key("a/x"));
        queue.schedule(&key("a/x"), Some(at(30)));
        queue.add(&key("a/x"), Urgency::Soon);
        assert_eq!(drain(&mut queue, 21), ["a/x"]);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn what_is_forgotten_does_not_run() {
        let mut queue = Queue::default();
        queue.add(&key("a/x"), Urgency::Soon);
        queue.schedule(&key("a/y"), Some(at(1)));
        queue.forget(&key("a/x"));
        queue.forget(&key("a/y"));
        assert_eq!(drain(&mut queue, 5), [""; 0]);
        queue.add(&key("a/z"), Urgency::Soon);
        drain(&mut queue, 5);
        queue.add(&key("a/z"), Urgency::Soon);
        queue.forget(&key("a/z"));
        assert!(!queue.done(&key("a/z")));
        assert_eq!((queue.depth(), queue.is_busy(at(5))), (0, false));
    }
}
