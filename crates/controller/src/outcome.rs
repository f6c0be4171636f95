//! How a turn ends, and the one place that turns it into status, schedule and event.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use api::meta::Object;
use api::reason;
use jiff::Timestamp;

use crate::{Event, Reconcile, Reference};

/// The end of a turn: the new status, what it amounts to, and what to tell people.
#[derive(Debug)]
pub struct Report<R: Reconcile> {
    /// The status the object shall have: usually a changed copy of the one it had. Its conditions
    /// Ready, Reconciling and Stalled, `observedGeneration` and `lastHandledReconcileAt` are
    /// overwritten by the kit; other conditions are written as they are here.
    pub status: <R::Resource as Object>::Status,
    /// What the run amounts to.
    pub verdict: Verdict,
    /// Text of the event of a good run that has news whatever Ready says, such as a push; it takes
    /// the place of the event that the object became ready.
    pub news: Option<String>,
    /// Text of the trace event of a good run without news.
    pub steady: Option<String>,
    /// Metadata of the run's own event.
    pub metadata: BTreeMap<String, String>,
    /// Further events, sent after the run's own one.
    pub events: Vec<Event>,
}

impl<R: Reconcile> Report<R> {
    /// A report without news, metadata and further events.
    pub fn new(status: <R::Resource as Object>::Status, verdict: Verdict) -> Self {
        Self {
            status,
            verdict,
            news: None,
            steady: None,
            metadata: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// A good run with reason `Succeeded`.
    pub fn ready(
        status: <R::Resource as Object>::Status,
        message: impl Into<String>,
        next: Next,
    ) -> Self {
        let verdict = Verdict::Ready { reason: reason::SUCCEEDED, message: message.into(), next };
        Self::new(status, verdict)
    }
}

/// What a run amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The object is as its spec wants it: Ready=True, Reconciling and Stalled are removed,
    /// `observedGeneration` is bumped, the retry delay is reset.
    Ready {
        /// Reason of Ready.
        reason: &'static str,
        /// Message of Ready.
        message: String,
        /// When to run again.
        next: Next,
    },
    /// Something else must happen first: as [`Verdict::Fail`], but run again when `next` says so
    /// and without growing delay.
    Wait {
        /// Reason of Ready.
        reason: &'static str,
        /// Message of Ready.
        message: String,
        /// When to run again.
        next: Next,
    },
    /// It did not work: Ready=False, Reconciling=True with reason `ProgressingWithRetry` and the
    /// last progress message; tried again with a delay that doubles from run to run.
    Fail {
        /// Reason of Ready.
        reason: &'static str,
        /// Message of Ready.
        message: String,
    },
    /// The user must act: Stalled=True and Ready=False say the same, Reconciling is removed,
    /// `observedGeneration` is bumped; no run until something changes.
    Stall {
        /// Reason of Stalled and Ready.
        reason: &'static str,
        /// Message of Stalled and Ready.
        message: String,
    },
}

/// When an object runs again, besides when its spec, a request or a reference changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// After exactly this long.
    Again {
        /// From the end of the turn.
        after: Duration,
    },
    /// After an interval of the spec, to which jitter is applied if the host has it.
    Interval {
        /// From the end of the turn.
        every: Duration,
    },
    /// When one of these changes, or at the deadline. A parked object holds no worker.
    ///
    /// A change counts if the [`Watch`](crate::Watch) of its kind lets it through. The deadline is
    /// a time, not a delay: computed from what the status records, such as
    /// [`Turn::waiting_since`](crate::Turn::waiting_since), it survives a restart.
    Park {
        /// What is waited for, besides the object's own references.
        wake_on: Vec<Reference>,
        /// When waiting ends.
        deadline: Option<Timestamp>,
    },
    /// Only when something changes.
    Idle,
}

/// Why a turn ended before it changed anything. The only error of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Something else must happen first; see [`Verdict::Wait`].
    Wait {
        /// Reason of Ready.
        reason: &'static str,
        /// Message of Ready.
        message: String,
        /// When to run again.
        next: Next,
    },
    /// The user must act; see [`Verdict::Stall`].
    Stall {
        /// Reason of Stalled and Ready.
        reason: &'static str,
        /// Message of Stalled and Ready.
        message: String,
    },
    /// It did not work; see [`Verdict::Fail`].
    Fail {
        /// Reason of Ready.
        reason: &'static str,
        /// Message of Ready.
        message: String,
    },
    /// The turn was cancelled, because the object changed or the process ends. Nothing is written;
    /// the object runs again at once with what is newer.
    Superseded,
}

impl Stop {
    /// A failure, described by an error or a text.
    pub fn fail(reason: &'static str, error: impl fmt::Display) -> Self {
        Self::Fail { reason, message: error.to_string() }
    }

    /// A stall, described by an error or a text.
    pub fn stall(reason: &'static str, error: impl fmt::Display) -> Self {
        Self::Stall { reason, message: error.to_string() }
    }

    /// A wait that ends after a fixed time.
    pub fn wait(reason: &'static str, error: impl fmt::Display, after: Duration) -> Self {
        Self::Wait { reason, message: error.to_string(), next: Next::Again { after } }
    }

    /// The verdict that says the same, unless the turn was superseded.
    pub fn verdict(self) -> Option<Verdict> {
        Some(match self {
            Self::Wait { reason, message, next } => Verdict::Wait { reason, message, next },
            Self::Stall { reason, message } => Verdict::Stall { reason, message },
            Self::Fail { reason, message } => Verdict::Fail { reason, message },
            Self::Superseded => return None,
        })
    }
}

impl From<kube::Error> for Stop {
    /// An API server that does not answer as it should is a failure without a reason of its own.
    fn from(error: kube::Error) -> Self {
        Self::fail(reason::FAILED, crate::patch::describe(&error))
    }
}
