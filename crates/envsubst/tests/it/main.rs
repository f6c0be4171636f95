//! Conformance with fluxcd/pkg/envsubst, and whole objects.
#![allow(clippy::disallowed_methods, reason = "tests read the conformance data from disk")]

mod conformance;
mod limit;
mod object;
mod property;
