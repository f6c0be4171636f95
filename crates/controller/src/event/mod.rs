//! Events: what people and alerts are told about a run.
//!
//! ```text
//! Event ──> Recorder (bounded queue) ──> recorder: Kubernetes Event, equal ones counted up
//!                                   └──> post: Flux event JSON to the notification controller
//! ```

mod correlate;
mod post;
mod recorder;

use std::collections::BTreeMap;

pub use post::Post;
pub(crate) use post::Posting;
pub(crate) use recorder::{Outlet, Recorder};

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Something changed: a Normal Kubernetes Event, and posted.
    Info,
    /// Something failed: a Warning Kubernetes Event, and posted.
    Error,
    /// Steady state: a Normal Kubernetes Event that is never posted.
    Trace,
}

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How much it matters.
    pub severity: Severity,
    /// One of `api::reason`.
    pub reason: &'static str,
    /// What happened, for people; never holds secrets.
    pub message: String,
    /// What machines want to know. Keys are full annotation keys, such as
    /// `image.toolkit.fluxcd.io/revision`.
    pub metadata: BTreeMap<String, String>,
}

impl Event {
    /// An event of severity info.
    pub fn info(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, reason, message)
    }

    /// An event of severity error.
    pub fn error(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, reason, message)
    }

    /// An event of severity trace.
    pub fn trace(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Trace, reason, message)
    }

    fn new(severity: Severity, reason: &'static str, message: impl Into<String>) -> Self {
        Self { severity, reason, message: message.into(), metadata: BTreeMap::new() }
    }
}
