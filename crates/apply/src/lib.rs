//! Server-side apply in stages, drift, inventory and pruning, over an API client.
//!
//! ```text
//!  objects ─ normalize ─ stages ─> Cluster::compare ─> Comparison ─> Cluster::write ─> Changes
//!                                  (dry-runs, no write)             (what differs)
//!  inventory before − inventory now ─> Cluster::prune ─> Changes
//! ```
//!
//! The rules are those of Flux' `pkg/ssa`, with which objects are handed over back and forth: its
//! field manager, owner labels, order of kinds, control annotations and error texts.
//!
//! Invariants:
//! - Nothing of a stage is written before every object of it passed its dry-run.
//! - An object that does not differ is not written.
//! - What fails in the middle does not hide what was written before.
//! - Only an object that carries the owner's labels is pruned, and only the very one that was read.
//! - An object is deleted to be created anew only if creating it would be accepted.
//!
//! ```
//! use serde_json::json;
//!
//! let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
//!                  "metadata": {"name": "a", "namespace": "ns"}});
//! let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
//!                  "metadata": {"name": "crontabs.example.com"}});
//! let stages = apply::stages(vec![map, crd]);
//! let first = apply::Id::of(&stages[0][0]);
//! assert_eq!(first.to_string(), "CustomResourceDefinition/crontabs.example.com");
//! ```
//!
//! It does not build objects, decide when to wait, or judge health.

mod builtin;
mod change;
mod cleanup;
mod cluster;
mod compare;
mod control;
mod drift;
mod error;
mod id;
mod inventory;
mod kinds;
mod metadata;
mod normalize;
mod object;
mod order;
mod prune;
mod secret;
mod write;

pub use change::{Action, Change};
pub use cluster::{Cluster, Owner};
pub use compare::{Comparison, Options};
pub use error::{Attempt, Error, Refusal, Refused};
pub use id::Id;
pub use inventory::Entry;
pub use kinds::Kinds;
pub use metadata::{set_common, set_owner};
pub use normalize::normalize;
pub use object::{PatchKind, Propagation};
pub use order::{sort, stages};
pub use secret::mask;
pub use write::Written;
