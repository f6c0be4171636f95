//! Bounds on what one execution may use.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::value::{Map, free_cycles};

/// Bounds of one execution. The defaults let every sane template through and keep a hostile one
/// within seconds and a few hundred megabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Templates within templates. Go's own bound is 100000, and its error names the number.
    pub template_depth: usize,
    /// Nesting of values that are printed, encoded, copied or compared, and of templates executed
    /// by functions.
    pub value_depth: usize,
    /// Evaluated nodes and visited values.
    pub steps: u64,
    /// Bytes of output and of strings and lists made on the way.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { template_depth: 100_000, value_depth: 1_000, steps: 20_000_000, bytes: 256 << 20 }
    }
}

/// What one execution, or several together, have left of their [`Limits`].
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    steps: Cell<u64>,
    bytes: Cell<u64>,
    depth: Cell<usize>,
    /// Maps that were written to: cycles can only run through them.
    changed: RefCell<BTreeMap<usize, Map>>,
    /// How many such maps there may be before those are forgotten that nothing else holds.
    sweep_at: Cell<usize>,
}

/// The least number of maps that are looked through.
const SWEEP: usize = 1 << 10;

/// A limit was reached; the text says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exhausted(pub(crate) String);

impl Budget {
    /// All of `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            steps: Cell::new(limits.steps),
            bytes: Cell::new(limits.bytes),
            depth: Cell::new(limits.value_depth),
            changed: RefCell::default(),
            sweep_at: Cell::new(SWEEP),
            limits: limits.clone(),
        }
    }

    /// The bounds this budget started with.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Pays for one step.
    pub(crate) fn step(&self) -> Result<(), Exhausted> {
        self.steps(1)
    }

    /// Pays for `count` steps.
    pub(crate) fn steps(&self, count: u64) -> Result<(), Exhausted> {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or_else(|| {
            Exhausted(format!("template takes more than {} steps", self.limits.steps))
        })
    }

    /// Pays for `count` bytes that are about to be made.
    pub(crate) fn bytes(&self, count: usize) -> Result<(), Exhausted> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let left = self.bytes.get().checked_sub(count);
        self.bytes.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or_else(|| {
            Exhausted(format!("template makes more than {} bytes", self.limits.bytes))
        })
    }

    /// Pays for a list of `count` values that is about to be made.
    pub(crate) fn values(&self, count: usize) -> Result<(), Exhausted> {
        self.bytes(count.saturating_mul(size_of::<crate::Value>()))
    }

    /// Notes a map that a function wrote to.
    pub(crate) fn changed(&self, map: &Map) -> Result<(), Exhausted> {
        let mut changed = self.changed.borrow_mut();
        let old = changed.insert(map.address(), map.clone());
        if changed.len() > self.sweep_at.get() {
            sweep(&mut changed);
            self.sweep_at.set(SWEEP.max(2 * changed.len()));
        }
        if old.is_none() { self.values(4) } else { Ok(()) }
    }

    /// Runs `work` one level deeper, on a stack that is large enough.
    pub(crate) fn nested<T, E: From<Exhausted>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let depth = self.depth.get().checked_sub(1).ok_or_else(|| {
            Exhausted(format!("value is nested deeper than {} levels", self.limits.value_depth))
        })?;
        self.depth.set(depth);
        let result = with_stack(work);
        self.depth.set(depth + 1);
        result
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        free_cycles(std::mem::take(self.changed.get_mut()).into_values());
    }
}

/// Forgets maps that nothing else holds: most are copies that live as long as one expression. What
/// goes may have held others, so this goes on while it frees much.
fn sweep(changed: &mut BTreeMap<usize, Map>) {
    loop {
        let before = changed.len();
        changed.retain(|_, map| map.holders() > 1);
        if before - changed.len() <= before / 8 {
            return;
        }
    }
}

/// Runs `work` with room for a few deep calls; recursion goes through here, so its depth is bounded
/// by counters and never by the thread's stack.
pub(crate) fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(128 << 10, 1 << 20, work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn changed_maps_are_forgotten_when_nobody_else_holds_them() {
        let budget = Budget::new(&Limits::default());
        let kept = Map::dict([]);
        budget.changed(&kept).unwrap();
        for _ in 0..10 * SWEEP {
            let inner = Map::dict([]);
            let outer = Map::dict([("inner".into(), Value::Map(inner.clone()))]);
            budget.changed(&inner).unwrap();
            budget.changed(&outer).unwrap();
        }
        let changed = budget.changed.borrow();
        assert!(changed.len() <= 2 * SWEEP, "{} are held", changed.len());
        assert!(changed.contains_key(&kept.address()));
    }
}
