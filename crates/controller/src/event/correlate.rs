//! Which Kubernetes Events are new, which count up an old one, and which are too many.
//!
//! Source: `tools/record` of client-go: an event equal to an earlier one but for its time counts
//! that one up; an object may have 25 events at once and one more every 5 minutes. Unlike there,
//! different messages are never merged into one.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::Timestamp;

use crate::clock::between;

const BURST: f64 = 25.0;
const REFILL_SECONDS: f64 = 300.0;
/// How many events and objects are remembered, at least; client-go remembers 4096.
const REMEMBERED: usize = 4096;

/// What makes two events equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) component: &'static str,
    pub(crate) uid: String,
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// What to do with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Create it, and [`Correlator::created`] tells its name.
    Create,
    /// Set the count of the one with that name.
    Count { name: String, count: i32 },
    /// Too many events of that object.
    Drop,
}

/// The memory of what was recorded.
#[derive(Debug, Default)]
pub(crate) struct Correlator {
    events: Recent<Identity, (String, i32)>,
    buckets: Recent<(&'static str, String), Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Correlator {
    /// Judges an event that happens now.
    pub(crate) fn judge(&mut self, event: &Identity, now: Timestamp) -> Advice {
        let bucket = self
            .buckets
            .entry((event.component, event.uid.clone()), || Bucket { tokens: BURST, at: now });
        let refill = between(bucket.at, now).as_secs_f64() / REFILL_SECONDS;
        *bucket = Bucket { tokens: (bucket.tokens + refill).min(BURST), at: now };
        if bucket.tokens < 1.0 {
            return Advice::Drop;
        }
        bucket.tokens -= 1.0;
        match self.events.get(event) {
            Some((name, count)) => {
                *count += 1;
                Advice::Count { name: name.clone(), count: *count }
            }
            None => Advice::Create,
        }
    }

    /// Remembers a created event.
    pub(crate) fn created(&mut self, event: Identity, name: String) {
        *self.events.entry(event, Default::default) = (name, 1);
    }

    /// Forgets an event that is gone from the API server.
    pub(crate) fn expired(&mut self, event: &Identity) {
        self.events.remove(event);
    }
}

/// A map that remembers what was used recently: between one and two times [`REMEMBERED`] entries.
#[derive(Debug)]
struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<&mut V> {
        self.rejuvenate(key);
        self.young.get_mut(key)
    }

    fn entry(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        self.rejuvenate(&key);
        if self.young.len() >= REMEMBERED && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert_with(default)
    }

    fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    fn rejuvenate(&mut self, key: &K) {
        if let Some(value) = self.old.remove(key) {
            self.young.insert(key.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(uid: &str, message: &str) -> Identity {
        Identity {
            component: "toy-controller",
            uid: uid.into(),
            warning: false,
            reason: "Succeeded",
            message: message.into(),
        }
    }

    #[test]
    fn equal_events_are_counted_up() {
        let mut it = Correlator::default();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(it.judge(&event("a", "x"), now), Advice::Create);
        it.created(event("a", "x"), "a.1".into());
        let counted = Advice::Count { name: "a.1".into(), count: 2 };
        assert_eq!(it.judge(&event("a", "x"), now), counted);
        assert_eq!(it.judge(&event("a", "y"), now), Advice::Create);
        assert_eq!(it.judge(&event("b", "x"), now), Advice::Create);
        it.expired(&event("a", "x"));
        assert_eq!(it.judge(&event("a", "x"), now), Advice::Create);
    }

    #[test]
    fn an_object_that_talks_too_much_is_silenced_for_a_while() {
        let mut it = Correlator::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut say = |n: usize, now| it.judge(&event("a", &n.to_string()), now);
        assert!((0..25).all(|n| say(n, start) == Advice::Create));
        assert_eq!(say(25, start), Advice::Drop);
        let later = crate::clock::after(start, std::time::Duration::from_secs(301));
        assert_eq!(say(26, later), Advice::Create);
        assert_eq!(say(27, later), Advice::Drop);
        assert_eq!(it.judge(&event("b", "x"), start), Advice::Create);
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_used() {
        let mut recent = Recent::<usize, usize>::default();
        for n in 0..10 * REMEMBERED {
            *recent.entry(n, || 0) = n;
            assert!(recent.get(&0).is_some());
        }
        assert!(recent.young.len() + recent.old.len() <= 2 * REMEMBERED + 1);
    }
}
