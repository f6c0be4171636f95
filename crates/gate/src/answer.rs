//! Answers, and what is kept of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The most bytes that are kept of what a gate saw.
pub const MAX_EVIDENCE: usize = 1024;

/// What a gate saw, by name.
pub type Evidence = BTreeMap<String, String>;

/// How a gate stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// It is waited for.
    #[default]
    Pending,
    /// It lets the promotion through.
    Passed,
    /// It does not, and will not.
    Failed,
    /// It could not be found out.
    Error,
}

/// What was found out about a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// How it stands.
    pub state: State,
    /// What it waits for, or found.
    pub message: String,
    /// When it is to be asked again.
    pub next_check: Option<Timestamp>,
    /// How often it was asked so far.
    pub attempt: u32,
    /// What it saw.
    pub evidence: Evidence,
}

/// What is left of the answer before, if the gate was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// How often it was asked so far.
    pub attempt: u32,
    /// What it saw.
    pub evidence: Evidence,
}

impl Answer {
    pub(crate) fn new(state: State, message: impl Into<String>, before: &Before) -> Self {
        let message = clip(&message.into(), MAX_EVIDENCE);
        let attempt = before.attempt.saturating_add(1);
        Self { state, message, next_check: None, attempt, evidence: before.evidence.clone() }
    }

    pub(crate) fn at(self, next: Option<Timestamp>) -> Self {
        Self { next_check: next, ..self }
    }

    /// Keeps what was seen, as far as there is room; counts come first, so they stay.
    pub(crate) fn with(mut self, name: &str, value: &impl ToString) -> Self {
        self.evidence.insert(name.to_owned(), value.to_string());
        while size(&self.evidence) > MAX_EVIDENCE {
            let longest = self.evidence.iter().max_by_key(|(_, value)| value.len());
            let Some(name) = longest.map(|(name, _)| name.clone()) else { break };
            let spare = size(&self.evidence) - MAX_EVIDENCE;
            let value = self.evidence.remove(&name).unwrap_or_default();
            let kept = value.len().saturating_sub(spare);
            if kept > 0 {
                self.evidence.insert(name, clip(&value, kept));
            }
        }
        self
    }
}

fn size(evidence: &Evidence) -> usize {
    evidence.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The beginning of a text, at most `most` bytes.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or_default()].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_stays_small_and_counts_stay() {
        let answer = Answer::new(State::Passed, "x".repeat(5000), &Before::default())
            .with("passed", &3)
            .with("value", &"é".repeat(3000));
        assert_eq!(answer.message.len(), MAX_EVIDENCE);
        assert!(size(&answer.evidence) <= MAX_EVIDENCE);
        assert_eq!(answer.evidence["passed"], "3");
        assert!(answer.evidence["value"].len() > 900);
    }
}
