//! Conditions: set, remove and order them by upstream's rules.
//!
//! Source: `runtime/conditions` of fluxcd/pkg. The transition time moves when status, reason or
//! message change; the order is Stalled, Reconciling, Ready, then the others by falling observed
//! generation and type.

use api::meta::{Condition, READY, RECONCILING, STALLED, Time};
use jiff::Timestamp;

/// Longest message of a condition in bytes (metav1.Condition).
const MAX_MESSAGE: usize = 32_768;
const ELLIPSIS: &str = "...";

/// What a condition says, before it is placed among the others.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The type of the condition.
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// What happened, in one word.
    pub reason: &'a str,
    /// What happened, for people.
    pub message: &'a str,
}

/// Conditions of one object, with the generation and time that changes get.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// The conditions, in order.
    pub list: Vec<Condition>,
    /// The generation that conditions get when they are set.
    pub generation: i64,
    /// The time that conditions get when they change.
    pub now: Timestamp,
}

impl Conditions {
    /// Sets a condition and keeps its transition time if it says what it said before.
    pub fn set(&mut self, claim: Claim<'_>) {
        let mut new = Condition {
            type_: claim.kind.to_owned(),
            status: claim.status.to_owned(),
            reason: claim.reason.to_owned(),
            message: trim(claim.message),
            observed_generation: Some(self.generation),
            last_transition_time: Time(whole_seconds(self.now)),
        };
        match self.list.iter_mut().find(|old| old.type_ == claim.kind) {
            Some(old) => {
                if same_state(old, &new) {
                    new.last_transition_time = old.last_transition_time.clone();
                }
                *old = new;
            }
            None => self.list.push(new),
        }
        sort(&mut self.list);
    }

    /// Removes a condition.
    pub fn remove(&mut self, kind: &str) {
        self.list.retain(|c| c.type_ != kind);
    }

    /// The condition of that type.
    pub fn get(&self, kind: &str) -> Option<&Condition> {
        find(&self.list, kind)
    }
}

/// The condition of that type.
pub(crate) fn find<'a>(list: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    list.iter().find(|c| c.type_ == kind)
}

/// Whether the conditions say that the object is as it should be and nothing is going on.
pub(crate) fn is_ready(list: &[Condition]) -> bool {
    let is_true = |kind| find(list, kind).is_some_and(|c| c.status == "True");
    is_true(READY) && !is_true(STALLED) && !is_true(RECONCILING)
}

/// Orders conditions for people to read.
pub(crate) fn sort(list: &mut [Condition]) {
    let weight = |kind: &str| match kind {
        STALLED => 0,
        RECONCILING => 1,
        READY => 2,
        _ => 3,
    };
    list.sort_by(|a, b| {
        weight(&a.type_).cmp(&weight(&b.type_)).then_with(|| {
            b.observed_generation.cmp(&a.observed_generation).then_with(|| a.type_.cmp(&b.type_))
        })
    });
}

fn same_state(a: &Condition, b: &Condition) -> bool {
    a.status == b.status && a.reason == b.reason && a.message == b.message
}

fn trim(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE - ELLIPSIS.len());
    format!("{}{ELLIPSIS}", &message[..end])
}

/// Times of conditions have no fractions (metav1.Time).
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ready(message: &str) -> Claim<'_> {
        Claim { kind: READY, status: "True", reason: "Succeeded", message }
    }

    #[test]
    fn the_transition_time_moves_with_status_reason_or_message_only() {
        let mut it = Conditions { list: vec![], generation: 1, now: at(10) };
        it.set(ready("a"));
        it.now = at(20);
        it.generation = 2;
        it.set(ready("a"));
        let kept = it.get(READY).unwrap();
        assert_eq!(kept.last_transition_time.0, at(10));
        assert_eq!(kept.observed_generation, Some(2));
        it.set(ready("b"));
        assert_eq!(it.get(READY).unwrap().last_transition_time.0, at(20));
    }

    #[test]
    fn conditions_are_ordered_for_people() {
        let mut it = Conditions { list: vec![], generation: 1, now: at(0) };
        for kind in ["Zebra", "Apple", READY, RECONCILING, STALLED] {
            it.set(Claim { kind, status: "True", reason: "R", message: "" });
        }
        let order: Vec<_> = it.list.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(order, [STALLED, RECONCILING, READY, "Apple", "Zebra"]);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let long = "ä".repeat(MAX_MESSAGE);
        let cut = trim(&long);
        assert!(cut.len() <= MAX_MESSAGE && cut.ends_with("ä..."));
        assert_eq!(trim("short"), "short");
    }
}
