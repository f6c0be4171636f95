//! From what was done to what the status and the events say: pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use api::{
    image::{ImageRef, ImageUpdateAutomation, ImageUpdateAutomationStatus},
    meta, reason,
};
use controller::{Event, Next, Report, Stop, Verdict};
use jiff::Timestamp;
use setters::{Marked, Outcome};

use crate::{
    act::{Committed, Done},
    reconciler::AutomationReconciler,
    source::Push,
};

/// The Ready message of every good run.
const READY: &str = "repository up-to-date";

/// How many markers one event names.
const NAMED: usize = 20;

type Status = ImageUpdateAutomationStatus;

/// A run that found nothing to look at.
pub(crate) fn unchanged(
    it: &ImageUpdateAutomation,
    now: Timestamp,
    next: Next,
) -> Report<AutomationReconciler> {
    let steady = Some("no change since last reconciliation".to_owned());
    Report { steady, ..Report::ready(begun(it, now), READY, next) }
}

/// A run that looked at the repository.
pub(crate) fn updated(
    it: &ImageUpdateAutomation,
    now: Timestamp,
    run: (Done, &Push, BTreeMap<String, ImageRef>),
    next: Next,
) -> Report<AutomationReconciler> {
    let (done, push, policies) = run;
    let mut status = begun(it, now);
    status.observed_source_revision = Some(done.observed_revision);
    status.observed_policies = (!policies.is_empty()).then_some(policies);
    if let Some(commit) = &done.commit {
        status.last_push_commit = Some(commit.id.to_string());
        status.last_push_time = Some(meta::time(now));
    } else if status.last_push_time.is_none() {
        // What was intended never arrived.
        status.last_push_commit = None;
    }
    let deprecated = done.commit.as_ref().is_some_and(|commit| commit.deprecated);
    Report {
        news: done.commit.as_ref().map(|commit| summary(commit, push)),
        steady: Some(READY.to_owned()),
        events: deprecated.then(deprecation).into_iter().collect(),
        ..Report::ready(status, READY, next)
    }
}

/// A run that did not get through; only the time of the run is new.
pub(crate) fn stopped(
    it: &ImageUpdateAutomation,
    now: Timestamp,
    stop: Stop,
) -> Result<Report<AutomationReconciler>, Stop> {
    let verdict: Verdict = stop.verdict().ok_or(Stop::Superseded)?;
    Ok(Report::new(begun(it, now), verdict))
}

/// What an event says of markers that were left alone; nothing if all were looked after. A policy
/// without an image is worth a word only once it is among those `failing`.
pub(crate) fn explanation(markers: &[Marked], failing: &BTreeSet<String>) -> Option<Event> {
    let fails = |it: &Marked| {
        let policy = it.setter.as_deref().and_then(|setter| setter.split(':').nth(1));
        policy.is_some_and(|policy| failing.contains(policy))
    };
    let left: Vec<&Marked> = markers
        .iter()
        .filter(|it| match it.outcome {
            Outcome::Updated | Outcome::Same => false,
            Outcome::NotReady => fails(it),
            _ => true,
        })
        .collect();
    if left.is_empty() {
        return None;
    }
    let mut text = match left.len() {
        1 => "1 marker was not updated:".to_owned(),
        count => format!("{count} markers were not updated:"),
    };
    for it in left.iter().take(NAMED) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{it}");
    }
    if left.len() > NAMED {
        let _ = write!(text, "\nand {} more", left.len() - NAMED);
    }
    Some(Event::info(reason::MARKERS_NOT_UPDATED, text))
}

fn begun(it: &ImageUpdateAutomation, now: Timestamp) -> Status {
    let status = it.status.clone().unwrap_or_default();
    Status { last_automation_run_time: Some(meta::time(now)), ..status }
}

fn summary(commit: &Committed, push: &Push) -> String {
    let mut text = format!("pushed commit '{}' to branch '{}'", commit.id.short(), push.branch);
    if let Some(refspec) = &push.refspec {
        let _ = write!(text, " and refspecs '{refspec}'");
    }
    if !commit.message.is_empty() {
        text += "\n";
        text += &commit.message;
    }
    text
}

fn deprecation() -> Event {
    Event::info(
        reason::DEPRECATED_TEMPLATE_FIELD,
        "the commit message template uses '.Updated' or '.Changed.ImageResult', which Flux 2.7 \
         removed; use '.Changed.FileChanges', '.Changed.Objects' or '.Changed.Changes' instead",
    )
}

#[cfg(test)]
mod tests {
    use api::image::ImageUpdateAutomationSpec;

    use super::*;

    fn marked(outcome: Outcome) -> Marked {
        Marked { file: "a.yaml".into(), line: 3, setter: Some("apps:x".into()), outcome }
    }

    #[test]
    fn only_markers_left_alone_are_explained() {
        let none = BTreeSet::new();
        let explain = |markers: &[Marked]| explanation(markers, &none);
        assert_eq!(explain(&[marked(Outcome::Same), marked(Outcome::Updated)]), None);
        let event = explain(&[marked(Outcome::Same), marked(Outcome::UnknownPolicy)]).unwrap();
        assert_eq!(
            event.message,
            "1 marker was not updated:\na.yaml:3 apps:x: no such image policy in scope"
        );
        assert_eq!(explain(&[marked(Outcome::NotReady)]), None, "the policy may just be new");
        let many = vec![marked(Outcome::NotReady); NAMED + 5];
        let failing = BTreeSet::from(["x".to_owned()]);
        assert!(explanation(&many, &failing).unwrap().message.ends_with("and 5 more"));
    }

    #[test]
    fn an_intent_without_commit_is_taken_back() {
        let mut it = ImageUpdateAutomation::new("fleet", ImageUpdateAutomationSpec::default());
        it.status = Some(Status { last_push_commit: Some("abc".into()), ..Status::default() });
        let done =
            Done { observed_revision: "main@sha1:1".into(), commit: None, markers: Vec::new() };
        let push =
            Push { branch: "main".into(), switches: false, refspec: None, options: Vec::new() };
        let run = (done, &push, BTreeMap::new());
        let report = updated(&it, Timestamp::UNIX_EPOCH, run, Next::Idle);
        assert_eq!(report.status.last_push_commit, None);
        assert_eq!(report.status.observed_source_revision.as_deref(), Some("main@sha1:1"));
    }
}
