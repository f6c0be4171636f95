//! What is fetched, built and applied.
//!
//! ```text
//! Git, registries, charts, buckets ──> source ──> artifacts on disk, told in the status
//! artifacts ──> kustomization ──> objects in a cluster, told in the inventory
//! charts ──> helm_release ──> releases in a cluster, told in Helm's records
//! ```
//!
//! Invariants: controllers meet in API objects and in the artifact store, never in each other; what a
//! source had stays, and is served, until there is something new.
//!
//! It knows neither Git's wire (`git`) nor how artifacts are kept (`artifact`).

mod account;
pub mod base;
mod fetch;
pub mod helm_release;
pub mod kustomization;
mod remote;
pub mod source;
mod target;

pub use fetch::{Fetcher, Owner, Unfetched};
