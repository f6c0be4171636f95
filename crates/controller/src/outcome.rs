//! How a turn ends, and the one place that turns it into status, schedule and event.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use api::meta::{Condition, Object, READY, RECONCILING, STALLED};
use api::reason;
use jiff::Timestamp;

use crate::condition::{self, Claim, Conditions};
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
    /// What the run's own event is.
    pub telling: Telling,
}

/// What the own event of a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Telling {
    /// What the verdict says: an error if it is bad, else news, that the object became ready, or that
    /// all is steady.
    #[default]
    Usual,
    /// This one.
    Instead(Event),
    /// None.
    Nothing,
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
            telling: Telling::Usual,
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
    /// Something that is on its way is not there yet: the progress stays as it is, nothing is
    /// told, a request counts as not handled yet, and the object runs again when `next` says so.
    Pending {
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
    /// Ready, Reconciling and Stalled are in the report's status, by rules of the kind's own; no
    /// event is made of them.
    Own {
        /// Whether the generation counts as observed.
        observed: bool,
        /// Whether the run came to an end, so that a request counts as handled.
        finished: bool,
        /// When to run again; after a delay that doubles from run to run when absent.
        next: Option<Next>,
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
    /// A change counts if the [`Watch`](crate::Watch) of its kind lets it through, also when it
    /// came while the turn ran; kinds without one never wake. The deadline is a time, not a delay: computed from what the status records, such as
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
    /// Something that is on its way is not there yet; see [`Verdict::Pending`].
    Pending {
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
    /// What is left to do is not urgent. Nothing is written; the object runs again after all for
    /// which something changed.
    GiveWay,
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
            Self::Pending { next } => Verdict::Pending { next },
            Self::Stall { reason, message } => Verdict::Stall { reason, message },
            Self::Fail { reason, message } => Verdict::Fail { reason, message },
            Self::Superseded | Self::GiveWay => return None,
        })
    }
}

impl From<kube::Error> for Stop {
    /// An API server that does not answer as it should is a failure without a reason of its own.
    fn from(error: kube::Error) -> Self {
        Self::fail(reason::FAILED, crate::patch::describe(&error))
    }
}

/// What the runner does after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    /// Run again when this says so; the retry delay is reset.
    Next(Next),
    /// Run again after the retry delay, which grows.
    Retry,
}

/// A run, judged.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether the generation counts as observed.
    pub(crate) observed: bool,
    /// Whether the run came to an end, be it good or bad: then a request counts as handled.
    pub(crate) finished: bool,
    pub(crate) then: Then,
    /// The run's own event.
    pub(crate) event: Option<Event>,
}

/// What a run has to say besides its verdict.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    pub(crate) news: Option<String>,
    pub(crate) steady: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) telling: Telling,
}

/// Turns a verdict into conditions, schedule and event. `before` are the conditions as they were
/// before the run; `conditions` those with its progress, to be changed.
pub(crate) fn settle(
    verdict: Verdict,
    before: &[Condition],
    conditions: &mut Conditions,
    remarks: Remarks,
) -> Outcome {
    let mut outcome = match verdict {
        Verdict::Ready { reason, message, next } => {
            conditions.remove(RECONCILING);
            conditions.remove(STALLED);
            conditions.set(Claim { kind: READY, status: "True", reason, message: &message });
            let event = good_news(before, conditions, reason, message, &remarks);
            Outcome { observed: true, finished: true, then: Then::Next(next), event }
        }
        Verdict::Wait { reason, message, next } => {
            not_yet(conditions, reason, &message);
            let event = Some(Event::error(reason, message));
            Outcome { observed: false, finished: true, then: Then::Next(next), event }
        }
        Verdict::Pending { next } => {
            Outcome { observed: false, finished: false, then: Then::Next(next), event: None }
        }
        Verdict::Fail { reason, message } => {
            not_yet(conditions, reason, &message);
            let event = Some(Event::error(reason, message));
            Outcome { observed: false, finished: true, then: Then::Retry, event }
        }
        Verdict::Stall { reason, message } => {
            conditions.remove(RECONCILING);
            conditions.set(Claim { kind: STALLED, status: "True", reason, message: &message });
            conditions.set(Claim { kind: READY, status: "False", reason, message: &message });
            let event = Some(Event::error(reason, message));
            Outcome { observed: true, finished: true, then: Then::Next(Next::Idle), event }
        }
        Verdict::Own { observed, finished, next } => {
            let then = next.map_or(Then::Retry, Then::Next);
            Outcome { observed, finished, then, event: None }
        }
    };
    match remarks.telling {
        Telling::Usual => {}
        Telling::Instead(event) => outcome.event = Some(event),
        Telling::Nothing => outcome.event = None,
    }
    if let Some(event) = &mut outcome.event {
        event.metadata.extend(remarks.metadata);
    }
    outcome
}

/// Ready=False, and Reconciling keeps the last progress message under the reason for retries.
fn not_yet(conditions: &mut Conditions, reason: &str, message: &str) {
    conditions.remove(STALLED);
    if let Some(progress) = conditions.get(RECONCILING).map(|c| c.message.clone()) {
        conditions.set(Claim {
            kind: RECONCILING,
            status: "True",
            reason: reason::PROGRESSING_WITH_RETRY,
            message: &progress,
        });
    }
    conditions.set(Claim { kind: READY, status: "False", reason, message });
}

/// The event of a good run: news, became ready, says something else; else only a trace.
fn good_news(
    before: &[Condition],
    after: &Conditions,
    reason: &'static str,
    message: String,
    remarks: &Remarks,
) -> Option<Event> {
    let said = |list: &[Condition]| condition::find(list, READY).map(|c| c.message.clone());
    if let Some(news) = &remarks.news {
        Some(Event::info(reason, news))
    } else if !condition::is_ready(before) || said(before) != said(&after.list) {
        Some(Event::info(reason, message))
    } else {
        remarks.steady.as_ref().map(|steady| Event::trace(reason::SUCCEEDED, steady))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Severity;

    fn conditions(claims: &[Claim<'_>]) -> Conditions {
        let mut it = Conditions { list: vec![], generation: 2, now: Timestamp::UNIX_EPOCH };
        for claim in claims {
            it.set(*claim);
        }
        it
    }

    fn claim(kind: &'static str, status: &'static str, reason: &'static str) -> Claim<'static> {
        Claim { kind, status, reason, message: "before" }
    }

    fn progress() -> Claim<'static> {
        Claim { kind: RECONCILING, status: "True", reason: "Progressing", message: "scanning" }
    }

    fn lines(it: &Conditions) -> Vec<String> {
        let line = |c: &Condition| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message);
        it.list.iter().map(line).collect()
    }

    fn ready(message: &str) -> Verdict {
        Verdict::Ready { reason: "Succeeded", message: message.into(), next: Next::Idle }
    }

    #[test]
    fn success_leaves_only_ready() {
        let mut it = conditions(&[progress(), claim(READY, "False", "Failure")]);
        let outcome = settle(ready("done"), &[], &mut it, Remarks::default());
        assert_eq!(lines(&it), ["Ready=True Succeeded: done"]);
        assert!(outcome.observed);
        assert_eq!(outcome.event.unwrap(), Event::info("Succeeded", "done"));
    }

    #[test]
    fn failure_keeps_the_progress_message_and_is_told_every_time() {
        let before = conditions(&[claim(READY, "False", "Failure")]);
        let mut it = conditions(&[progress(), claim(READY, "False", "Failure")]);
        let verdict = Verdict::Fail { reason: "Failure", message: "before".into() };
        let outcome = settle(verdict, &before.list, &mut it, Remarks::default());
        assert_eq!(
            lines(&it),
            ["Reconciling=True ProgressingWithRetry: scanning", "Ready=False Failure: before"]
        );
        assert!(!outcome.observed);
        assert_eq!(outcome.then, Then::Retry);
        assert_eq!(outcome.event.unwrap().severity, Severity::Error);
    }

    #[test]
    fn waiting_is_a_failure_with_its_own_schedule() {
        let next = Next::Again { after: Duration::from_secs(30) };
        let stop = Stop::wait("DependencyNotReady", "not yet", Duration::from_secs(30));
        let mut it = conditions(&[progress()]);
        let outcome = settle(stop.verdict().unwrap(), &[], &mut it, Remarks::default());
        assert_eq!(outcome.then, Then::Next(next));
        assert!(!outcome.observed);
        assert_eq!(lines(&it)[1], "Ready=False DependencyNotReady: not yet");
    }

    #[test]
    fn a_stall_says_the_same_twice_and_is_not_retried() {
        let mut it = conditions(&[progress(), claim(READY, "False", "Failure")]);
        let stop = Stop::stall("InvalidPolicy", "bad range");
        let outcome = settle(stop.verdict().unwrap(), &[], &mut it, Remarks::default());
        let wanted =
            ["Stalled=True InvalidPolicy: bad range", "Ready=False InvalidPolicy: bad range"];
        assert_eq!(lines(&it), wanted);
        assert!(outcome.observed);
        assert_eq!(outcome.then, Then::Next(Next::Idle));
    }

    #[test]
    fn events_of_good_runs() {
        let was_ready = [claim(READY, "True", "Succeeded")];
        let remarks = |news: Option<&str>| Remarks {
            news: news.map(str::to_owned),
            steady: Some("nothing new".into()),
            ..Remarks::default()
        };
        let event = |before: &[Claim<'_>], message: &str, news: Option<&str>| {
            let before = conditions(before);
            let mut it = before.clone();
            settle(ready(message), &before.list, &mut it, remarks(news)).event.unwrap()
        };
        assert_eq!(event(&was_ready, "before", None), Event::trace("Succeeded", "nothing new"));
        assert_eq!(event(&was_ready, "changed", None), Event::info("Succeeded", "changed"));
        assert_eq!(event(&was_ready, "before", Some("pushed")), Event::info("Succeeded", "pushed"));
        assert_eq!(event(&[progress()], "before", Some("pushed")).message, "pushed");
        // A crash between progress and result: Ready is still True, but the run did not end.
        let crashed = [claim(READY, "True", "Succeeded"), progress()];
        assert_eq!(event(&crashed, "before", None), Event::info("Succeeded", "before"));
    }

    #[test]
    fn a_run_may_have_an_event_of_its_own() {
        let event = |telling| {
            let remarks = Remarks { telling, ..Remarks::default() };
            let stop = Stop::wait("NotFound", "not there", Duration::from_secs(30));
            settle(stop.verdict().unwrap(), &[], &mut conditions(&[]), remarks).event
        };
        assert_eq!(event(Telling::Usual), Some(Event::error("NotFound", "not there")));
        let trace = Event::trace("NotFound", "not there");
        assert_eq!(event(Telling::Instead(trace.clone())), Some(trace));
        assert_eq!(event(Telling::Nothing), None);
    }

    #[test]
    fn metadata_goes_with_the_own_event() {
        let metadata = BTreeMap::from([("g/revision".to_owned(), "main@sha1:1".to_owned())]);
        let remarks = Remarks { metadata: metadata.clone(), ..Remarks::default() };
        let outcome = settle(ready("done"), &[], &mut conditions(&[]), remarks);
        assert_eq!(outcome.event.unwrap().metadata, metadata);
    }
}
