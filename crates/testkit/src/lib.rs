//! Test fixtures: conformance corpora, txtar files, golden comparison.
//!
//! Only ever a dev-dependency. It reads files and prints, so engines may use it in tests without
//! losing their purity.

mod corpus;
mod golden;
mod txtar;

pub use corpus::{Tally, corpus};
pub use golden::check_golden;
pub use txtar::{Archive, File};
