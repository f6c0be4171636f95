//! Conformance with image-reflector-controller and Go's regexp, and properties.
#![allow(clippy::disallowed_methods, reason = "tests read the conformance data from disk")]

mod conformance;
mod pattern;
mod property;
mod reason;
mod scan;
