//! Metrics under upstream's names.

/// The metrics of all controllers of a process.
#[derive(Debug, Clone, Default)]
pub struct Metrics {}
