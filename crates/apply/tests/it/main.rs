//! Applying to, comparing with and pruning from the embedded control plane.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod cluster;
mod prune;
mod write;
