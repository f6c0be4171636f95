//! Git servers, an OCI registry and other outside worlds on loopback, for the demo and the tests.

pub mod cache;
pub mod git;
pub mod kubernetes;
pub mod proxy;
pub mod registry;
pub mod ssh;
