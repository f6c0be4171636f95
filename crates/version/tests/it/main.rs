//! Conformance with Masterminds/semver, and properties of the parser.
#![allow(clippy::disallowed_methods, reason = "tests read the conformance data from disk")]

mod conformance;
mod grammar;
mod property;
