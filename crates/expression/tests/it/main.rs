//! The environment against what cel-go says, and its limits.
#![allow(clippy::disallowed_methods, reason = "tests read recorded data from disk")]

mod limit;
mod oracle;
