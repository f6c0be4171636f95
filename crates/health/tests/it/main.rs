//! Conformance with kstatus, and what goes beyond it.
#![allow(clippy::disallowed_methods, reason = "tests read the conformance data from disk")]

mod conformance;
mod pod;
mod rules;
