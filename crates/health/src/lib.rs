//! One resource in, whether it is current, in progress or failed out.
//!
//! ```text
//!             ┌ expressions of the user (CEL), if there are any for the kind
//! object ─────┤ Flux' rule for Jobs                                         ├──> Health
//!             └ kstatus: deletion, generation, conditions, kind, Ready ─────┘
//! ```
//!
//! The verdicts and the texts are those of kstatus as Flux uses it (fluxcd/cli-utils
//! v0.36.0-flux.15), whose users see them in conditions and events.
//!
//! Invariants: no object, however broken, makes it panic; the same object, rules and moment always
//! give the same health.
//!
//! ```
//! use health::{Status, compute};
//!
//! let object = serde_json::json!({
//!     "apiVersion": "example.com/v1",
//!     "kind": "Widget",
//!     "metadata": { "generation": 2 },
//!     "status": { "observedGeneration": 1 },
//! });
//! let health = compute(&object, jiff::Timestamp::UNIX_EPOCH)?;
//! assert_eq!(health.status, Status::InProgress);
//! assert_eq!(health.message, "Widget generation is 2, but latest observed generation is 1");
//! # Ok::<(), health::Error>(())
//! ```
//!
//! It does not read objects, and does not wait: [`Health::changes_at`] says when to look again.
#![deny(missing_docs)]

mod builtin;
mod condition;
mod error;
mod field;
mod generated;
mod generic;
mod rules;
mod status;
mod workload;

pub use error::Error;
pub use generated::{has_pods, with_pods};
pub use generic::compute;
pub use rules::{Check, Rules};
pub use status::{Health, Status};
