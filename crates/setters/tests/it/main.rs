//! Conformance with image-automation-controller, and properties.
#![allow(clippy::disallowed_methods, reason = "tests read the conformance data from disk")]

mod attachment;
mod conformance;
mod outcome;
mod property;
mod stage;
