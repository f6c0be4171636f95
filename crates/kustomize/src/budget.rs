//! How much one build may do.

use std::cell::Cell;

use crate::Error;

/// How many nodes aliases may stand for in one build: a few lines of YAML can name billions.
const COPIES: u64 = 300_000;

/// Limits of one build, and what is used up of them.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    copies: Cell<u64>,
    depth: usize,
}

impl Default for Budget {
    /// Far above any real tree: 100 million steps, 1 GiB read or copied, 100 kustomizations deep.
    fn default() -> Self {
        Self::new(100_000_000, 1 << 30, 100)
    }
}

impl Budget {
    /// `steps`: nodes read, copied or compared; `bytes`: of texts read or copied; `depth`: how far
    /// kustomizations may be nested.
    pub fn new(steps: u64, bytes: u64, depth: usize) -> Self {
        Self { steps: Cell::new(steps), bytes: Cell::new(bytes), copies: Cell::new(COPIES), depth }
    }

    /// How far kustomizations may be nested.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn step(&self) -> Result<(), Error> {
        self.steps(1)
    }

    pub(crate) fn steps(&self, count: usize) -> Result<(), Error> {
        take(&self.steps, count, "steps")
    }

    /// A node that is there because an alias names it.
    pub(crate) fn copy(&self) -> Result<(), Error> {
        take(&self.copies, 1, "nodes through YAML aliases")
    }

    pub(crate) fn bytes(&self, count: usize) -> Result<(), Error> {
        take(&self.bytes, count, "bytes")
    }
}

fn take(left: &Cell<u64>, count: usize, what: &str) -> Result<(), Error> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let rest = left
        .get()
        .checked_sub(count)
        .ok_or_else(|| Error::Limit(format!("the build takes more {what} than it is given")))?;
    left.set(rest);
    Ok(())
}
