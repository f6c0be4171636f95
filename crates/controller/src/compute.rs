//! Where pure work runs: off the async threads, as much at a time as memory and cores allow.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// What one permit of memory stands for.
const UNIT: usize = 64 * 1024;

/// Runs engines. Cheap to clone; all clones share the limits.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use controller::Compute;
///
/// let compute = Compute::new(2, 64 << 20);
/// assert_eq!(compute.run(1 << 20, || 6 * 7).await, Ok(42));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Compute {
    cores: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    /// All of the memory, in units.
    total: usize,
}

/// The work panicked. What it says is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("internal error: a computation panicked")]
pub struct Panicked;

impl Compute {
    /// A pool that runs at most `cores` pieces of work at a time, which together may need at most
    /// `bytes`.
    pub fn new(cores: usize, bytes: usize) -> Self {
        let total = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            cores: Arc::new(Semaphore::new(cores.max(1))),
            memory: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    /// Runs `work`, which needs about `bytes`. Work that needs more than there is runs alone.
    ///
    /// # Errors
    /// [`Panicked`] if it panics.
    pub async fn run<T, F>(&self, bytes: usize, work: F) -> Result<T, Panicked>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let units = bytes.div_ceil(UNIT).clamp(1, self.total);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // Memory first: who waits for memory must not keep a core from others.
        let memory = held(Arc::clone(&self.memory).acquire_many_owned(units).await);
        let core = held(Arc::clone(&self.cores).acquire_owned().await);
        // The permits go with the work, which goes on even if nobody waits for it any more.
        let work = move || {
            let _permits = (memory, core);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Panicked)
    }
}

impl Default for Compute {
    /// As many pieces of work as cores, and 256 MiB.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(cores, 256 << 20)
    }
}

fn held(permit: Result<OwnedSemaphorePermit, AcquireError>) -> OwnedSemaphorePermit {
    permit.expect("because the semaphores are never closed")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn memory_is_shared_and_more_than_all_runs_alone() {
        let compute = Compute::new(8, 10 * UNIT);
        let (release, wait) = mpsc::channel::<()>();
        let big = compute.clone();
        let first = tokio::spawn(async move { big.run(usize::MAX, move || wait.recv()).await });
        while compute.memory.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut second = Box::pin(compute.run(1, || ()));
        assert!(futures::poll!(&mut second).is_pending());
        release.send(()).unwrap();
        first.await.unwrap().unwrap().unwrap();
        second.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let compute = Compute::new(1, 1);
        assert_eq!(compute.run(1, || panic!("on purpose")).await, Err::<(), _>(Panicked));
        assert_eq!(compute.run(1, || 1).await, Ok(1));
    }
}
