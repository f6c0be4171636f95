//! How a promotion stands, and what people are told.

use api::{
    meta::time,
    promotion::{Phase, PromotionStatus},
    reason,
};
use controller::{Event, Next, Report, Telling, Turn, Verdict};
use kube::ResourceExt as _;

use super::{PromotionReconciler, Run, Wait, again};

/// The report of a turn.
pub(super) fn make(
    mut run: Run<'_>,
    turn: &mut Turn,
    wait: Option<Wait>,
) -> Report<PromotionReconciler> {
    let now = turn.now();
    let mut events = std::mem::take(&mut run.events);
    if run.status.phase.unwrap_or_default().is_terminal() {
        let event = ending(&run.status);
        count(&run);
        let mut report = ended(run.status);
        report.telling = Telling::Instead(event);
        report.events = events;
        return report;
    }
    // Without anything to wait for, the turn ran out of steps: it goes on at once.
    let next = match &wait {
        Some(wait) => again(&run, wait, now),
        None => Next::Again { after: std::time::Duration::ZERO },
    };
    let blocked = wait.as_ref().map(|it| it.blocked_by.clone()).unwrap_or_default();
    if waiting_for(&run.status) != Some(blocked.clone()) && !blocked.is_empty() {
        events.extend(news(&run.status, &blocked));
    }
    run.status.next_transition = wait.and_then(|it| it.until).filter(|at| *at > now).map(time);
    let phase = run.status.phase.unwrap_or_default();
    run.status.message = Some(blocked.clone()).filter(|it| !it.is_empty());
    let text =
        if blocked.is_empty() { format!("{phase:?}") } else { format!("{phase:?}: {blocked}") };
    turn.note(text.clone());
    turn.doubt(&text);
    let mut report = Report::new(run.status, Verdict::Pending { next });
    report.events = events;
    report
}

fn count(run: &Run<'_>) {
    let Some(about) = &run.about else { return };
    let made = run.known(about).map(|it| it.discovered);
    let namespace = run.it.namespace().unwrap_or_default();
    let undone = run.status.rollback_of.as_ref();
    let undone = undone.and_then(|name| run.stores.promotions.get(&namespace, name));
    let failed = undone.and_then(|it| it.status.as_ref()?.finished_at.as_ref().map(|at| at.0));
    let pipeline = about.pipe.name_any();
    run.context.meters.ended(&run.it, &run.status, (&pipeline, made, failed));
}

/// What was waited for before.
fn waiting_for(status: &PromotionStatus) -> Option<String> {
    status.message.clone()
}

/// What is told when a promotion starts to wait for something else.
fn news(status: &PromotionStatus, blocked: &str) -> Option<Event> {
    if status.phase != Some(Phase::Gating) {
        return None;
    }
    let gate = blocked.split(':').next().unwrap_or_default();
    let approval = status.gates.iter().any(|it| it.name == gate && it.kind == "approval");
    let reason = if approval { reason::APPROVAL_REQUESTED } else { reason::GATE_WAITING };
    // Times in the text would make an event of each run.
    Some(Event::info(reason, blocked.to_owned()))
}

/// The event of a promotion that ended.
fn ending(status: &PromotionStatus) -> Event {
    let why = status.reason.clone().unwrap_or_default();
    let text = format!("{why}: {}", status.message.clone().unwrap_or_default());
    match status.phase.unwrap_or_default() {
        Phase::Succeeded => Event::info(reason::PROMOTION_SUCCEEDED, text),
        Phase::Superseded => Event::info(reason::PROMOTION_SUPERSEDED, text),
        Phase::Aborted => Event::info(reason::PROMOTION_ABORTED, text),
        Phase::Rejected => Event::info(reason::PROMOTION_REJECTED, text),
        _ => Event::error(reason::PROMOTION_FAILED, text),
    }
}

/// The report of a promotion that ended: it stays as it is.
pub(super) fn ended(status: PromotionStatus) -> Report<PromotionReconciler> {
    let why = status.reason.clone().unwrap_or_default();
    let message = format!("{why}: {}", status.message.clone().unwrap_or_default());
    let verdict = match status.phase.unwrap_or_default() {
        Phase::Succeeded => Verdict::Ready { reason: reason::SUCCEEDED, message, next: Next::Idle },
        Phase::Superseded => Verdict::Stall { reason: reason::PROMOTION_SUPERSEDED, message },
        Phase::Aborted => Verdict::Stall { reason: reason::PROMOTION_ABORTED, message },
        Phase::Rejected => Verdict::Stall { reason: reason::PROMOTION_REJECTED, message },
        _ => Verdict::Stall { reason: reason::PROMOTION_FAILED, message },
    };
    let mut report = Report::new(status, verdict);
    report.telling = Telling::Nothing;
    report
}
