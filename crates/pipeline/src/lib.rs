//! Staged promotion: stages, bundles and observed facts in, decisions and their reasons out.
//!
//! ```text
//! values ──creation──> Bundle ──choice──> candidate ──stage──> Promotion ──next──> action
//!                                            │                     │
//!                                   graph, soak, order        gates, windows, freezes
//! ```
//!
//! Nothing here waits, reads or writes: a controller observes, asks, does the one thing it is told,
//! and asks again. What was decided is always said with its reason, and with the time at which it
//! can change by itself.
//!
//! Invariants: a promotion is written at most once; a stage has at most one promotion that is being
//! written, deployed or verified; no bundle is passed over without a record; nothing is written while
//! a stateless gate is shut. They are checked by a model of crashes and races (`tests/it/model.rs`).
//!
//! ```
//! use pipeline::value::{Part, Value, bundle_name};
//!
//! let image = |tag: &str| Value::Image {
//!     name: "ghcr.io/acme/api".into(),
//!     tag: tag.into(),
//!     digest: Some("sha256:11".into()),
//! };
//! let parts = [Part { component: "api".into(), value: image("1.0.0") }];
//! let name = bundle_name("shop", &parts);
//! assert!(name.starts_with("shop-") && name.len() == 15);
//! // The same content has the same name, wherever it is made.
//! assert_eq!(name, bundle_name("shop", &parts));
//! ```
//!
//! It knows neither Kubernetes nor Git: names, values and times come from its caller.
#![deny(missing_docs)]

pub mod approval;
pub mod bundle;
pub mod choice;
pub mod creation;
pub mod cron;
pub mod freeze;
pub mod gate;
pub mod graph;
pub mod path;
pub mod promotion;
pub mod request;
pub mod simulation;
pub mod stage;
pub mod value;
pub mod window;
pub mod write;

/// What of a user's object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A cron expression (first field).
    #[error("cron expression '{0}' {1}; want five fields: minute hour day-of-month month weekday")]
    Cron(String, String),
    /// A time zone.
    #[error("time zone '{0}' is not in the IANA database; want a name such as Europe/Berlin")]
    Zone(String),
    /// A duration that is not positive.
    #[error("a window must last longer than nothing")]
    EmptyWindow,
    /// A CEL expression; the text names the place.
    #[error("{0}")]
    Expression(String),
}
