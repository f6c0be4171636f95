//! Tests of the crate as its users see it.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod chart;
mod conformance;
mod index;
mod outside;
mod patch;
mod release;
mod render;
mod requirement;
