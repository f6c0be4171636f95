//! What others say about a commit.

use std::time::Duration;

use jiff::Timestamp;

use crate::answer::{Answer, Before, State};
use crate::measure::after;

/// What somebody says about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub context: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Who said it.
    pub creator: Option<String>,
    /// Where to read on.
    pub url: String,
}

/// A verdict about a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is none yet.
    Pending,
    /// Good.
    Success,
    /// Bad, or not to be found out.
    Failure,
}

/// The statuses that must be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// What they are about; all of them.
    pub contexts: Vec<String>,
    /// Who must have said it; anybody if empty.
    pub creators: Vec<String>,
    /// Time until it is looked again.
    pub interval: Duration,
}

/// Looks at the statuses of a commit. A bad one is waited for: it may be said again.
pub fn evaluate(gate: &Gate, said: &[Said], before: &Before, now: Timestamp) -> Answer {
    let counts = |it: &&Said| {
        gate.creators.is_empty() || it.creator.as_ref().is_some_and(|it| gate.creators.contains(it))
    };
    let mut missing = Vec::new();
    for context in &gate.contexts {
        let mut all = said.iter().filter(|it| it.context == *context).peekable();
        let known = all.peek().is_some();
        match all.find(counts).map(|it| (it.verdict, it)) {
            Some((Verdict::Success, _)) => {}
            Some((Verdict::Pending, _)) => missing.push(format!("{context} is pending")),
            Some((Verdict::Failure, it)) => missing.push(format!("{context} failed {}", it.url)),
            None if known => missing.push(format!("{context} is from somebody who does not count")),
            None => missing.push(format!("{context} is not there")),
        }
    }
    if missing.is_empty() {
        return Answer::new(
            State::Passed,
            format!("{} succeeded", gate.contexts.join(", ")),
            before,
        );
    }
    Answer::new(State::Pending, missing.join("; ").trim_end(), before).at(after(now, gate.interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(context: &str, verdict: Verdict, creator: &str) -> Said {
        let creator = Some(creator.to_owned());
        Said { context: context.into(), verdict, creator, url: "https://ci/1".into() }
    }

    #[test]
    fn all_contexts_must_be_good_and_of_the_right_people() {
        let gate = Gate {
            contexts: vec!["build".into(), "e2e".into()],
            creators: vec!["ci".into()],
            interval: Duration::from_mins(1),
        };
        let look = |all: &[Said]| {
            let answer = evaluate(&gate, all, &Before::default(), Timestamp::UNIX_EPOCH);
            assert_eq!(answer.next_check.is_some(), answer.state == State::Pending);
            (answer.state, answer.message)
        };
        let (good, bad) = (Verdict::Success, Verdict::Failure);
        let all = [said("build", good, "ci"), said("e2e", good, "ci")];
        assert_eq!(look(&all), (State::Passed, "build, e2e succeeded".into()));
        let some = [said("build", good, "eve"), said("e2e", bad, "ci")];
        let want = "build is from somebody who does not count; e2e failed https://ci/1";
        assert_eq!(look(&some), (State::Pending, want.into()));
        let none = [said("e2e", Verdict::Pending, "ci")];
        assert_eq!(look(&none).1, "build is not there; e2e is pending");
    }
}
