//! Brakes for many stages at once.

use jiff::Timestamp;

use crate::{promotion::Kind, window::Window};

/// A brake that selects a stage.
#[derive(Debug, Clone, Default)]
pub struct Freeze {
    /// Name.
    pub name: String,
    /// When it begins; at once when absent.
    pub start: Option<Timestamp>,
    /// When it ends; never when absent.
    pub end: Option<Timestamp>,
    /// When it comes again and again; then `start` and `end` are absent.
    pub schedule: Vec<Window>,
    /// What goes on all the same.
    pub except: Vec<Exception>,
    /// Why, and who says so, as people read it.
    pub why: String,
}

/// What goes on during a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// Rollbacks.
    Rollback,
    /// Promotions that people ask for.
    Manual,
    /// Promotions that skip gates.
    Bypass,
}

impl Freeze {
    /// Whether it freezes at an instant.
    pub fn is_active(&self, now: Timestamp) -> bool {
        if !self.schedule.is_empty() {
            return self.schedule.iter().any(|it| it.covers(now));
        }
        self.start.is_none_or(|start| start <= now) && self.end.is_none_or(|end| now < end)
    }

    /// When that changes by itself.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        if self.schedule.is_empty() {
            return self.start.into_iter().chain(self.end).find(|at| *at > now);
        }
        let active = self.is_active(now);
        let mut at = now;
        for _ in 0..64 {
            at = self.schedule.iter().filter_map(|it| it.edge(at)).min()?;
            if self.is_active(at) != active {
                return Some(at);
            }
        }
        None
    }

    /// Whether it lets such a promotion through.
    pub fn excepts(&self, kind: Kind, skips_gates: bool) -> bool {
        let has = |it| self.except.contains(&it);
        match kind {
            Kind::Rollback => has(Exception::Rollback),
            Kind::Manual => has(Exception::Manual) || skips_gates && has(Exception::Bypass),
            Kind::Auto => false,
            // It writes nothing.
            Kind::Adopt => true,
        }
    }
}
