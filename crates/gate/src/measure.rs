//! Counting measurements.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::answer::{Answer, Before, State};

/// Between two tries of something that could not be found out, at most.
const MAX_PAUSE: Duration = Duration::from_mins(10);

/// How many measurements there are, and how they may turn out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How many there must be.
    pub count: u32,
    /// How many of them may be bad.
    pub failure_limit: u32,
    /// How many may not come about.
    pub error_limit: u32,
    /// Time between two of them.
    pub interval: Duration,
}

/// How one measurement turned out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measured {
    /// Good; what was seen.
    Good(String),
    /// Bad; what was seen.
    Bad(String),
    /// It did not come about, and why; the other side may have said when to ask again.
    Unknown(String, Option<Duration>),
}

/// Where the counts are in the evidence.
const GOOD: &str = "passed";
const BAD: &str = "failed";
const UNKNOWN: &str = "errors";
const VALUE: &str = "value";

impl Rule {
    /// Counts one more measurement.
    pub fn count(&self, measured: &Measured, before: &Before, now: Timestamp) -> Answer {
        let had = |name: &str| -> u32 {
            before.evidence.get(name).and_then(|it| it.parse().ok()).unwrap_or_default()
        };
        let (mut good, mut bad, mut unknown) = (had(GOOD), had(BAD), had(UNKNOWN));
        let (seen, pause) = match measured {
            Measured::Good(seen) | Measured::Bad(seen) => (seen, self.interval),
            Measured::Unknown(why, wait) => (why, wait.unwrap_or_else(|| self.pause(unknown))),
        };
        match measured {
            Measured::Good(_) => good += 1,
            Measured::Bad(_) => bad += 1,
            Measured::Unknown(..) => unknown += 1,
        }
        let count = self.count.max(1);
        let (state, message) = if bad > self.failure_limit {
            (State::Failed, format!("{bad} of {} measurements are bad: {seen}", good + bad))
        } else if unknown > self.error_limit {
            (State::Error, format!("{unknown} measurements did not come about: {seen}"))
        } else if good + bad >= count {
            (State::Passed, format!("{good} of {count} measurements are good: {seen}"))
        } else {
            (State::Pending, format!("{} of {count} measurements made: {seen}", good + bad))
        };
        let next = (state == State::Pending).then(|| after(now, pause)).flatten();
        let answer = Answer::new(state, message, before).at(next);
        let counts = [(GOOD, good), (BAD, bad), (UNKNOWN, unknown)];
        counts.into_iter().fold(answer, |it, (name, n)| it.with(name, &n)).with(VALUE, seen)
    }

    /// The pause after so many errors: longer each time.
    fn pause(&self, errors: u32) -> Duration {
        let first = self.interval.min(Duration::from_secs(10));
        first.saturating_mul(2_u32.saturating_pow(errors)).min(MAX_PAUSE)
    }
}

pub(crate) fn after(now: Timestamp, wait: Duration) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(wait).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule =
        Rule { count: 3, failure_limit: 1, error_limit: 1, interval: Duration::from_mins(1) };

    /// The states that measurements lead to: `+`, `-` and `?`.
    fn states(text: &str) -> String {
        let (mut before, mut now) = (Before::default(), Timestamp::UNIX_EPOCH);
        let mut states = String::new();
        for sign in text.chars() {
            let measured = match sign {
                '+' => Measured::Good("1".into()),
                '-' => Measured::Bad("2".into()),
                _ => Measured::Unknown("gone".into(), None),
            };
            let answer = RULE.count(&measured, &before, now);
            states.push(match answer.state {
                State::Pending => '.',
                State::Passed => 'P',
                State::Failed => 'F',
                State::Error => 'E',
            });
            assert_eq!(answer.next_check.is_some(), answer.state == State::Pending);
            now = answer.next_check.unwrap_or(now);
            before = Before { attempt: answer.attempt, evidence: answer.evidence };
        }
        assert_eq!(before.attempt as usize, text.len());
        states
    }

    #[test]
    fn measurements_are_counted() {
        assert_eq!(states("+++"), "..P");
        assert_eq!(states("+-+"), "..P");
        assert_eq!(states("--"), ".F");
        assert_eq!(states("-+-"), "..F");
        assert_eq!(states("?+++"), "...P");
        assert_eq!(states("+??"), "..E");
    }

    #[test]
    fn errors_are_asked_about_more_and_more_seldom() {
        let rule = Rule { error_limit: 9, ..RULE };
        let mut before = Before::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = Timestamp::UNIX_EPOCH;
            let answer = rule.count(&Measured::Unknown("gone".into(), None), &before, now);
            pauses.push(answer.next_check.unwrap().as_second());
            before = Before { attempt: answer.attempt, evidence: answer.evidence };
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
        let told = Measured::Unknown("429".into(), Some(Duration::from_secs(7)));
        let answer = rule.count(&told, &Before::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(answer.next_check.unwrap().as_second(), 7);
    }
}
