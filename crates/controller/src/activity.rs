//! Whether anything is going on: what tests and `--until idle` wait for.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Clock;

/// A part of the process that knows whether it has something to do.
pub(crate) trait Busy: Send + Sync {
    /// Whether there is something to do at `now`.
    fn is_busy(&self, now: Timestamp) -> bool;
}

/// All parts that can be busy, and the bell they ring when they become idle.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    parts: Arc<Mutex<Vec<Arc<dyn Busy>>>>,
    bell: Arc<Notify>,
}

impl Activity {
    /// Adds a part, until it is dropped by [`remove`](Self::remove).
    pub(crate) fn add(&self, part: Arc<dyn Busy>) {
        self.parts.lock().push(part);
    }

    /// Forgets a part.
    pub(crate) fn remove(&self, part: &Arc<dyn Busy>) {
        self.parts.lock().retain(|known| !Arc::ptr_eq(known, part));
        self.ring();
    }

    /// Says that a part may have become idle.
    pub(crate) fn ring(&self) {
        self.bell.notify_waiters();
    }

    /// Ends when no part is busy.
    pub(crate) async fn idle(&self, clock: &dyn Clock) {
        let is_busy = |part: &Arc<dyn Busy>| part.is_busy(clock.now());
        self.until(|| !self.parts.lock().iter().any(is_busy)).await;
    }

    /// Ends when something is so that a part rings for.
    pub(crate) async fn until(&self, so: impl Fn() -> bool) {
        loop {
            let rung = self.bell.notified();
            let mut rung = std::pin::pin!(rung);
            rung.as_mut().enable();
            if so() {
                return;
            }
            rung.await;
        }
    }
}
