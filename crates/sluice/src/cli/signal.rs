//! Ending by signal: the first one in order, the second one at once.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGINT and SIGTERM, which end nothing by themselves from then on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Interrupt,
    Terminate,
}

impl Signals {
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Ended {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Ended::Interrupt,
            Some(()) = self.terminate.recv() => Ended::Terminate,
            else => std::future::pending().await,
        }
    }

    /// Lets `stopping` end in order, unless another signal says not to wait for it.
    pub(super) async fn stop(&mut self, stopping: impl Future<Output = ()>) {
        tokio::select! {
            () = stopping => {}
            _ = self.next() => {}
        }
    }
}

impl From<Ended> for ExitCode {
    /// As shells put it: 128 and the number of the signal.
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Interrupt => Self::from(130),
            Ended::Terminate => Self::from(143),
        }
    }
}
