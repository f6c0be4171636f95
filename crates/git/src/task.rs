//! Blocking work with a deadline, run off the async threads.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::Error;

/// What blocking work holds on to: the way back to async code, and the sign to stop.
#[derive(Clone)]
pub(crate) struct Task {
    handle: Handle,
    cancel: CancellationToken,
    interrupt: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<Error>>>,
}

/// Runs `work` on a blocking thread for at most `timeout`.
///
/// If the future is dropped or the time is over, everything the work waits for ends at once.
pub(crate) async fn run<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce(&Task) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let task = Task {
        handle: Handle::current(),
        cancel: CancellationToken::new(),
        interrupt: Arc::default(),
        failure: Arc::default(),
    };
    let _stop = Stop(task.clone());
    let work = tokio::task::spawn_blocking(move || work(&task).map_err(|why| task.explain(why)));
    match tokio::time::timeout(timeout, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::Local("a worker thread ended before its work was done".into())),
        Err(_) => Err(Error::Timeout),
    }
}

struct Stop(Task);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.cancel.cancel();
        self.0.interrupt.store(true, Ordering::Relaxed);
    }
}

impl Task {
    /// Waits for `what` from a blocking thread.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> Result<T, Error> {
        self.handle.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(Error::Timeout),
                result = what => Ok(result),
            }
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn cancelled(&self) -> CancellationToken {
        self.cancel.clone()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(crate) fn interrupt(&self) -> &AtomicBool {
        &self.interrupt
    }

    /// Keeps the first reason for a failure. The git library wraps what a transport says beyond
    /// recognition, so the transport leaves it here too.
    pub(crate) fn fail(&self, why: Error) -> std::io::Error {
        let text = why.to_string();
        self.failure.lock().get_or_insert(why);
        std::io::Error::other(text)
    }

    /// Forgets a failure that was dealt with.
    pub(crate) fn forgive(&self) {
        self.failure.lock().take();
    }

    /// The failure of the transport, if there was one.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    /// The reason left by the transport if there is one, else `why`.
    fn explain(&self, why: Error) -> Error {
        match why {
            Error::Protocol(_) | Error::Local(_) => self.failure().unwrap_or(why),
            known => known,
        }
    }
}
