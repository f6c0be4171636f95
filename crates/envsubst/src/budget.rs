//! How much one rendering may take.

use crate::Fault;

/// How many bytes one rendering may make in all, with those of arguments.
pub const MAX_OUTPUT: usize = 64 << 20;

/// How many characters patterns may be compared with in one rendering.
pub const MAX_STEPS: usize = 10_000_000;

/// What is left of both.
pub(crate) struct Budget {
    bytes: usize,
    steps: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { bytes: MAX_OUTPUT, steps: MAX_STEPS }
    }

    /// Pays for `bytes` that will be made.
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Fault::TooLarge)?;
        Ok(())
    }

    /// Pays for one comparison of a pattern with a character.
    pub(crate) fn step(&mut self) -> Result<(), Fault> {
        self.steps = self.steps.checked_sub(1).ok_or(Fault::TooCostly)?;
        Ok(())
    }
}
