//! The kit's proofs, on the embedded control plane with a toy kind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod deletion;
mod election;
mod event;
mod metric;
mod parking;
mod queueing;
mod report;
mod schedule;
mod toy;
mod world;
