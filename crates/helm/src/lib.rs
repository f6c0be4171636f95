//! Helm charts: read, pack and render; what a release is, and what to do next with it.
//!
//! ```text
//! .tgz or files ─ chart ─┬─> package            index ─┐
//!                        ├─ requirement <── which version of what, from where
//! values ─ set, merge ───┴─ render ─> manifests, hooks, notes ─┬─> release record ─> next_action
//!                             └─ enable, schema, engine        └─> patch (old, new, live)
//! ```
//!
//! The reference is Helm 3.19.2: what it prints, refuses and hashes is kept to the letter, because
//! charts, releases in clusters and users' scripts rely on it.
//!
//! Invariants:
//! - Nothing here reads a disk or a network: files and archives come in as bytes, indexes as bytes or
//!   from a reader, of which only one chart is in memory at a time.
//! - No archive, chart or index makes it panic, recurse without bound or unpack more than
//!   [`chart::MAX_CHART_BYTES`].
//! - The same chart packs to the same bytes.
//! - Templates see time, randomness, keys and the cluster only through what the caller gives, and all
//!   templates of a chart share one bounded budget.
//!
//! ```
//! use helm::chart::{Chart, File};
//!
//! let chart = Chart::from_files(vec![
//!     File::new("Chart.yaml", "apiVersion: v2\nname: demo\nversion: 0.1.0\n"),
//!     File::new("values.yaml", "replicas: 2\n"),
//! ])?;
//! assert_eq!(chart.metadata.name, "demo");
//! assert_eq!(Chart::from_archive(&helm::chart::package(&chart)?)?, chart);
//! # Ok::<(), helm::Error>(())
//! ```

#![deny(missing_docs)]

pub mod capability;
pub mod chart;
mod decode;
mod enable;
mod engine;
mod error;
pub mod hook;
pub mod index;
mod json;
mod kind;
pub mod lint;
pub mod manifest;
pub mod patch;
pub mod provenance;
pub mod release;
pub mod render;
pub mod requirement;
mod schema;
pub mod values;

pub use error::Error;
