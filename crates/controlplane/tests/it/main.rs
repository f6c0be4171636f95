//! The server through `kube::Client` in process and through stock kubectl on a socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests stop at the first surprise, and say what is skipped"
)]

mod access;
mod certificate;
mod client;
mod durable;
mod kubectl;
mod load;
mod restart;
mod table;
mod toy;
mod webhook;
