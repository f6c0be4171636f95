//! Values that cost a request and last for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::{InvolvedObject, Observer};

/// What time it is; given from outside so that tests decide.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How much and how long a [`Cache`] keeps, and who hears of it.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// The most entries; the one unused longest goes first. 0 keeps nothing.
    pub max_size: usize,
    /// The longest time an entry is kept, however long it is good for.
    pub max_duration: Duration,
    /// Hears what the cache does.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for CacheOptions {
    /// The defaults of Flux's flags `--token-cache-max-size` and `--token-cache-max-duration`.
    fn default() -> Self {
        Self { max_size: 100, max_duration: Duration::from_hours(1), observer: None }
    }
}

/// A cache that fetches what is missing, once for all who wait.
///
/// An entry is given up after 80 % of its life, as kubelet does with tokens of service accounts.
#[derive(Debug)]
pub struct Cache<K, V> {
    options: CacheOptions,
    slots: Mutex<Slots<K, V>>,
}

#[derive(Debug)]
struct Slots<K, V> {
    by_key: HashMap<K, Entry<V>>,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    slot: Arc<Slot<V>>,
    /// When it was used last, in uses of the whole cache.
    used: u64,
    /// Whether there is a value in the slot.
    filled: bool,
}

/// The lock is held while the value is fetched, so that others wait for it.
type Slot<V> = tokio::sync::Mutex<Option<(V, Timestamp)>>;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// An empty cache.
    pub fn new(options: CacheOptions) -> Self {
        let slots = Mutex::new(Slots { by_key: HashMap::new(), uses: 0 });
        Self { options, slots }
    }

    /// The value under `key`; if there is none that is still good, `fetch` gets it together with
    /// the time until which it is good.
    ///
    /// # Errors
    /// Those of `fetch`; nothing is kept then.
    pub async fn get_or_fetch<E>(
        &self,
        key: &K,
        clock: &Clock,
        fetch: impl Future<Output = Result<(V, Timestamp), E>>,
    ) -> Result<V, E> {
        self.find(key, clock, fetch).await.1
    }

    /// The same on behalf of an object, which the observer is told.
    ///
    /// # Errors
    /// Those of `fetch`; nothing is kept then.
    pub async fn get_or_fetch_for<E>(
        &self,
        object: &InvolvedObject<'_>,
        key: &K,
        clock: &Clock,
        fetch: impl Future<Output = Result<(V, Timestamp), E>>,
    ) -> Result<V, E> {
        let (hit, found) = self.find(key, clock, fetch).await;
        // Without a cache there is nothing to tell of.
        if let Some(observer) = self.options.observer.as_ref().filter(|_| self.keeps()) {
            observer.asked(object, hit);
            observer.ended(found.is_ok());
        }
        found
    }

    fn keeps(&self) -> bool {
        self.options.max_size > 0
    }

    /// The value, and whether it was there.
    async fn find<E>(
        &self,
        key: &K,
        clock: &Clock,
        fetch: impl Future<Output = Result<(V, Timestamp), E>>,
    ) -> (bool, Result<V, E>) {
        if !self.keeps() {
            return (false, fetch.await.map(|(value, _)| value));
        }
        let slot = self.slot(key);
        let mut content = slot.lock().await;
        if let Some((value, until)) = &*content
            && clock() < *until
        {
            return (true, Ok(value.clone()));
        }
        *content = None;
        let fetched = fetch.await;
        self.mark(key, &slot, fetched.is_ok());
        let (value, until) = match fetched {
            Ok(it) => it,
            Err(error) => return (false, Err(error)),
        };
        let now = clock();
        let life = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let kept = (life * 8 / 10).min(self.options.max_duration);
        let until = now.checked_add(kept).unwrap_or(now);
        *content = Some((value.clone(), until));
        (false, Ok(value))
    }

    /// Notes whether there is a value in the slot, unless it was given up meanwhile.
    fn mark(&self, key: &K, slot: &Arc<Slot<V>>, filled: bool) {
        let mut slots = self.slots.lock();
        let entry = slots.by_key.get_mut(key).filter(|entry| Arc::ptr_eq(&entry.slot, slot));
        if let Some(entry) = entry {
            let before = std::mem::replace(&mut entry.filled, filled);
            self.tell(i64::from(filled) - i64::from(before));
        }
    }

    fn tell(&self, change: i64) {
        if let Some(observer) = self.options.observer.as_ref().filter(|_| change != 0) {
            observer.kept(change);
        }
    }

    /// Forgets the value under `key`; who waits for it still gets it.
    pub fn remove(&self, key: &K) {
        if self.slots.lock().by_key.remove(key).is_some_and(|entry| entry.filled) {
            self.tell(-1);
        }
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.slots.lock().by_key.len()
    }

    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock();
        slots.uses += 1;
        let used = slots.uses;
        if let Some(entry) = slots.by_key.get_mut(key) {
            entry.used = used;
            return Arc::clone(&entry.slot);
        }
        if slots.by_key.len() >= self.options.max_size {
            self.evict(&mut slots);
        }
        let slot = Arc::new(Slot::new(None));
        let entry = Entry { slot: Arc::clone(&slot), used, filled: false };
        slots.by_key.insert(key.clone(), entry);
        slot
    }

    /// Gives up the entry that was not used for longest.
    fn evict(&self, slots: &mut Slots<K, V>) {
        let oldest = slots.by_key.iter().min_by_key(|(_, entry)| entry.used);
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
        if slots.by_key.remove(&oldest).is_some_and(|entry| entry.filled) {
            self.tell(-1);
            if let Some(observer) = &self.options.observer {
                observer.evicted();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    fn clock() -> (Clock, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(1_000_000));
        let read = Arc::clone(&seconds);
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(read.load(Ordering::SeqCst)).unwrap());
        (clock, seconds)
    }

    async fn fetch(
        cache: &Cache<u32, usize>,
        key: u32,
        clock: &Clock,
        count: &AtomicUsize,
    ) -> usize {
        let got = cache.get_or_fetch(&key, clock, async {
            let until = clock().checked_add(Duration::from_secs(100)).unwrap();
            Ok::<_, ()>((count.fetch_add(1, Ordering::SeqCst), until))
        });
        got.await.unwrap()
    }

    #[tokio::test]
    async fn a_value_lasts_four_fifths_of_its_life() {
        let (clock, seconds) = clock();
        let cache = Cache::new(CacheOptions::default());
        let count = AtomicUsize::new(0);
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 0);
        seconds.fetch_add(79, Ordering::SeqCst);
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 0);
        seconds.fetch_add(1, Ordering::SeqCst);
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 1);
    }

    #[tokio::test]
    async fn a_value_lasts_no_longer_than_the_cap() {
        let (clock, seconds) = clock();
        let max_duration = Duration::from_secs(10);
        let cache = Cache::new(CacheOptions { max_duration, ..CacheOptions::default() });
        let count = AtomicUsize::new(0);
        fetch(&cache, 1, &clock, &count).await;
        seconds.fetch_add(10, Ordering::SeqCst);
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 1);
    }

    #[tokio::test]
    async fn the_value_unused_longest_goes_first() {
        let (clock, _) = clock();
        let cache = Cache::new(CacheOptions { max_size: 2, ..CacheOptions::default() });
        let count = AtomicUsize::new(0);
        for key in [1, 2, 1, 3] {
            fetch(&cache, key, &clock, &count).await;
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 0);
        assert_eq!(fetch(&cache, 2, &clock, &count).await, 3);
    }

    #[tokio::test]
    async fn size_zero_keeps_nothing() {
        let (clock, _) = clock();
        let cache = Cache::new(CacheOptions { max_size: 0, ..CacheOptions::default() });
        let count = AtomicUsize::new(0);
        fetch(&cache, 1, &clock, &count).await;
        assert_eq!(fetch(&cache, 1, &clock, &count).await, 1);
        assert!(cache.is_empty());
    }

    #[tokio::test]
    async fn many_callers_cause_one_fetch() {
        let (clock, _) = clock();
        let cache = Arc::new(Cache::<u32, u32>::new(CacheOptions::default()));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let count = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (cache, gate, count) = (cache.clone(), gate.clone(), count.clone());
                let clock = clock.clone();
                tokio::spawn(async move {
                    let fetch = async {
                        count.fetch_add(1, Ordering::SeqCst);
                        let _pass = gate.acquire().await.unwrap();
                        Ok::<_, ()>((7, Timestamp::MAX))
                    };
                    cache.get_or_fetch(&1, &clock, fetch).await.unwrap()
                })
            })
            .collect();
        gate.add_permits(8);
        for caller in callers {
            assert_eq!(caller.await.unwrap(), 7);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn asked(&self, object: &InvolvedObject<'_>, hit: bool) {
            self.0.lock().push(format!("{} {hit}", object.name));
        }

        fn ended(&self, success: bool) {
            self.0.lock().push(format!("ended {success}"));
        }

        fn kept(&self, change: i64) {
            self.0.lock().push(format!("kept {change:+}"));
        }

        fn evicted(&self) {
            self.0.lock().push("evicted".to_owned());
        }
    }

    #[tokio::test]
    async fn the_observer_hears_of_everything() {
        let (clock, seconds) = clock();
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = heard.clone();
        let options = CacheOptions { max_size: 1, observer: Some(observer), ..Default::default() };
        let cache = Cache::<u32, u32>::new(options);
        let ask = async |key: u32, good: bool| {
            let name = format!("o{key}");
            let object = InvolvedObject {
                kind: "Toy",
                name: &name,
                namespace: "default",
                operation: "reconcile",
            };
            let until = clock().checked_add(Duration::from_secs(100)).unwrap();
            let fetch = async move { if good { Ok((7, until)) } else { Err(()) } };
            let _ = cache.get_or_fetch_for(&object, &key, &clock, fetch).await;
            std::mem::take(&mut *heard.0.lock())
        };
        assert_eq!(ask(1, false).await, ["o1 false", "ended false"]);
        assert_eq!(ask(1, true).await, ["kept +1", "o1 false", "ended true"]);
        assert_eq!(ask(1, true).await, ["o1 true", "ended true"]);
        assert_eq!(ask(2, true).await, ["kept -1", "evicted", "kept +1", "o2 false", "ended true"]);
        seconds.fetch_add(100, Ordering::SeqCst);
        assert_eq!(ask(2, false).await, ["kept -1", "o2 false", "ended false"]);
        cache.remove(&2);
        assert!(heard.0.lock().is_empty(), "there was nothing left");
    }
}
