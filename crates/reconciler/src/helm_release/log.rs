//! What an action says of itself: the last lines go with the event of its failure.

use std::collections::VecDeque;
use std::fmt::Write as _;

use jiff::Timestamp;

/// How many lines are kept.
const LINES: usize = 10;

/// The last lines of an action; equal ones that follow each other count as one.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    lines: VecDeque<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    at: Timestamp,
    last: Timestamp,
    text: String,
    repeated: usize,
}

impl Log {
    /// Says something.
    pub(super) fn say(&mut self, at: Timestamp, text: impl Into<String>) {
        let text = text.into();
        tracing::debug!("{text}");
        if let Some(line) = self.lines.back_mut().filter(|line| line.text == text) {
            line.repeated += 1;
            line.last = at;
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { at, last: at, text, repeated: 0 });
    }

    /// A message with the lines below it.
    pub(super) fn below(&self, message: &str) -> String {
        if self.lines.is_empty() {
            return message.to_owned();
        }
        let mut text = String::new();
        for line in &self.lines {
            let _ = writeln!(text, "{}: {}", line.at, line.text);
            if line.repeated > 0 {
                let _ = write!(text, "{}: {}", line.last, line.text);
                let omitted = line.repeated - 1;
                if omitted > 0 {
                    let s = if omitted > 1 { "s" } else { "" };
                    let _ = write!(text, " ({omitted} duplicate line{s} omitted)");
                }
                text.push('\n');
            }
        }
        format!("{message}\n\nLast Helm logs:\n\n{}", text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_count_as_one_and_the_oldest_go() {
        let mut log = Log::default();
        assert_eq!(log.below("it failed"), "it failed");
        let at = |second| Timestamp::from_second(second).unwrap();
        for second in 0..4 {
            log.say(at(second), "waiting");
        }
        assert_eq!(
            log.below("it failed"),
            "it failed\n\nLast Helm logs:\n\n1970-01-01T00:00:00Z: waiting\n\
             1970-01-01T00:00:03Z: waiting (2 duplicate lines omitted)"
        );
        for line in 0..20 {
            log.say(at(9), line.to_string());
        }
        assert_eq!(log.below("").lines().count(), 4 + LINES);
    }
}
