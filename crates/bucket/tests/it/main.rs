//! Buckets of a real S3 server in memory; Google, Azure and STS as stubs that check what they are asked.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests may fail loudly and say what they skip"
)]

mod azure;
mod gcs;
mod real;
mod s3;
mod server;
mod sts;
mod stub;
