//! The one place that asks what time it is.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A future that ends when a clock reached a time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
///
/// Controllers, engines and adapters are given `now`; they never ask for it. Tests use
/// [`Manual`] and advance it when the system is quiescent, never the runtime's paused time, which
/// runs ahead while real sockets are pending.
pub trait Clock: Debug + Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Ends at `at`, or at once if that is past.
    fn sleep_until(&self, at: Timestamp) -> Sleep;
}

/// The time of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        Box::pin(tokio::time::sleep(between(self.now(), at)))
    }
}

/// A clock that stands still until it is advanced.
///
/// ```
/// use controller::clock::{Clock as _, Manual};
/// use std::time::Duration;
///
/// let clock = Manual::new("2026-01-01T00:00:00Z".parse().unwrap());
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "2026-01-01T00:01:00Z");
/// ```
#[derive(Debug, Clone)]
pub struct Manual {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// Sleepers by time of waking, told apart by a running number.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    next: u64,
}

impl Manual {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        let state = State { now, sleepers: BTreeMap::new(), next: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves time forward and wakes everybody whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock();
        state.now = after(state.now, by);
        let now = state.now;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        for sleeper in due.into_values() {
            // A sleeper that was dropped no longer cares.
            let _ = sleeper.send(());
        }
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        self.state.lock().now
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        let mut state = self.state.lock();
        if at <= state.now {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let id = (at, state.next);
        state.next += 1;
        state.sleepers.insert(id, wake);
        Box::pin(async move {
            // An error means that the clock is gone: nobody is left to advance it.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// `at` plus `by`, at most the end of time.
pub(crate) fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// How long it is from `from` to `to`; nothing if `to` is not later.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_their_time_has_come() {
        let clock = Manual::new(Timestamp::UNIX_EPOCH);
        let at = after(clock.now(), Duration::from_secs(10));
        let mut sleep = clock.sleep_until(at);
        clock.advance(Duration::from_millis(9_999));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_millis(1));
        sleep.await;
        clock.sleep_until(at).await;
    }

    #[test]
    fn the_past_is_no_time_away() {
        let start = Timestamp::UNIX_EPOCH;
        let later = after(start, Duration::from_secs(1));
        assert_eq!(between(later, start), Duration::ZERO);
        assert_eq!(between(start, later), Duration::from_secs(1));
        assert_eq!(after(start, Duration::MAX), Timestamp::MAX);
    }
}
