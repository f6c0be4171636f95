//! Spans of time that are open or shut.

use jiff::{SignedDuration, Timestamp};

use crate::{Error, cron::Cron};

/// How many spans may follow one another without a break before it counts as one without end.
const UNBROKEN: usize = 400;
/// How many edges are looked at for the next change.
const EDGES: usize = 200;

/// A span of time that starts whenever a cron expression says so.
#[derive(Debug, Clone)]
pub struct Window {
    cron: Cron,
    duration: SignedDuration,
    /// As people read it.
    text: String,
}

/// When something is open: within one of `allow`, if there are any, and in none of `deny`.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    /// When it is open; always when empty.
    pub allow: Vec<Window>,
    /// When it is shut whatever else.
    pub deny: Vec<Window>,
}

/// How windows stand at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether they are open.
    pub open: bool,
    /// Why, as people read it.
    pub message: String,
    /// When that changes; nothing if it does not.
    pub next_change: Option<Timestamp>,
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with it.
    pub fn parse(cron: &str, duration: SignedDuration, zone: Option<&str>) -> Result<Self, Error> {
        if !duration.is_positive() {
            return Err(Error::EmptyWindow);
        }
        let text = format!("{cron} {}", zone.unwrap_or("UTC"));
        Ok(Self { cron: Cron::parse(cron, zone)?, duration, text })
    }

    /// Whether an instant is within a span.
    pub fn covers(&self, now: Timestamp) -> bool {
        self.start(now).is_some()
    }

    /// The first start of the spans that an instant is in.
    fn start(&self, now: Timestamp) -> Option<Timestamp> {
        let after = now.checked_sub(self.duration).ok()?;
        self.cron.next(after).filter(|start| *start <= now)
    }

    /// When it is no longer, or is next, within a span.
    pub fn edge(&self, now: Timestamp) -> Option<Timestamp> {
        let Some(mut start) = self.start(now) else { return self.cron.next(now) };
        for _ in 0..UNBROKEN {
            let end = start.checked_add(self.duration).ok()?;
            match self.cron.next(start).filter(|next| *next <= end) {
                Some(next) => start = next,
                None => return Some(end),
            }
        }
        None
    }
}

impl Windows {
    /// How they stand at an instant.
    pub fn at(&self, now: Timestamp) -> Standing {
        let open = self.is_open(now);
        let next_change = self.change(now, open);
        Standing { open, message: self.message(now, open, next_change), next_change }
    }

    fn is_open(&self, now: Timestamp) -> bool {
        let allowed = self.allow.is_empty() || self.allow.iter().any(|it| it.covers(now));
        allowed && !self.deny.iter().any(|it| it.covers(now))
    }

    fn change(&self, now: Timestamp, open: bool) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..EDGES {
            let edges = self.allow.iter().chain(&self.deny).filter_map(|it| it.edge(at));
            at = edges.min()?;
            if self.is_open(at) != open {
                return Some(at);
            }
        }
        None
    }

    fn message(&self, now: Timestamp, open: bool, next: Option<Timestamp>) -> String {
        let word = if open { "shuts" } else { "opens" };
        let when = next.map_or_else(|| format!("never {word}"), |at| format!("{word} {at}"));
        match self.deny.iter().find(|it| !open && it.covers(now)) {
            Some(deny) => format!("denied by window '{}'; {when}", deny.text),
            None if open => format!("open; {when}"),
            None => format!("window shut; {when}"),
        }
    }
}
