//! Git servers, an OCI registry and other outside worlds on loopback, for the demo and the tests.

pub mod git;
pub mod proxy;
pub mod registry;
pub mod ssh;
