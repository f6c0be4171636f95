//! The simulator on the embedded control plane and beside a real kube-controller-manager.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests stop at the first surprise, and say what is skipped"
)]

mod simulator;
mod stage;
