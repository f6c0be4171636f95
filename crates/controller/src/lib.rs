//! How a reconciliation runs: watches, queue, backoff, finalizer, status, events, metrics.
//!
//! ```text
//!              ┌───────────────────────── Host: client, clock, metrics, events ───────┐
//!  Feed<K> ──> │ Queue ──> Turn ──> Reconcile::turn ──> Report ──> outcome ──> status │──> API
//!  (one watch  │   ^  fair by namespace                            │  │               │
//!   per kind)  │   └────── Next: interval, backoff, parked ────────┘  └──> events     │
//!              └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! - One object never runs twice at the same time; a turn that waits for nothing holds a worker,
//!   a parked object holds its references and a time.
//! - A turn never starts from a state older than what this process wrote.
//! - Only the kit writes Ready, Reconciling, Stalled, `observedGeneration` and
//!   `lastHandledReconcileAt`, and only if something differs, never over a newer version. What the
//!   first three say is its own, too, but for kinds that have [rules](Verdict::Own) of their own.
//! - A panic in a turn is a failure of that object and of nothing else.
//! - Nobody else asks what time it is ([`clock`]).
//!
//! ```
//! use api::image::ImageRepository;
//! use controller::{Controller, Next, Reconcile, Report, Stop, Turn};
//! use std::time::Duration;
//!
//! /// Says of every repository which image it is about.
//! struct Namer;
//!
//! impl Reconcile for Namer {
//!     type Resource = ImageRepository;
//!     const CONTROLLER: &'static str = "namer";
//!
//!     async fn turn(&self, it: &ImageRepository, _: &mut Turn) -> Result<Report<Self>, Stop> {
//!         if it.spec.image.is_empty() {
//!             return Err(Stop::stall(api::reason::IMAGE_URL_INVALID, "spec.image is empty"));
//!         }
//!         let status = it.status.clone().unwrap_or_default();
//!         let every = Duration::from_secs(60);
//!         Ok(Report::ready(status, format!("image {}", it.spec.image), Next::Interval { every }))
//!     }
//! }
//!
//! // The binary folds over a list of these: `controller.run(host)`.
//! let controller = Controller::new(Namer);
//! assert_eq!((controller.name(), controller.kind()), ("namer", "ImageRepository"));
//! ```
//!
//! It knows no GitOps, reads no flags and environment, binds no socket: the binary does.

mod activity;
mod backoff;
mod board;
pub mod clock;
mod compute;
mod condition;
pub mod event;
mod feed;
mod follow;
mod host;
pub mod lease;
mod metric;
mod outcome;
mod patch;
mod pprof;
pub mod probe;
mod queue;
mod reconcile;
mod reference;
mod request;
mod runner;
pub mod secret;
mod turn;
mod watch;

pub use compute::{Compute, Panicked};
pub use condition::{Claim, Conditions};
pub use event::Event;
pub use feed::Store;
pub use host::{Context, Host, Options, Placed};
pub use metric::Metrics;
pub use outcome::{Next, Report, Stop, Telling, Verdict};
pub use reconcile::Reconcile;
pub use reference::{Key, Reference};
pub use request::{CountRequests, Counted};
pub use runner::{Controller, run};
pub use turn::Turn;
pub use watch::{Watch, Watchable};
