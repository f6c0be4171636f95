//! Signatures, made here and recorded from the real tools.
#![allow(clippy::unwrap_used, reason = "functions of tests may fail loudly")]

mod authority;
mod cosign;
mod notation;
