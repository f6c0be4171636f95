//! The engine as other crates use it.
#![allow(clippy::disallowed_methods, reason = "conformance data is read from disk")]

mod document;
mod emit;
mod limit;
mod parse;
mod resolve;
mod scalar;
