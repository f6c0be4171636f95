//! Buckets of a real server in memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests may fail loudly and say what they skip"
)]

mod s3;
mod server;
