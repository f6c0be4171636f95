//! What the outside says about a promotion: HTTP servers, metrics, Jobs, commit statuses.
//!
//! ```text
//!  http    request ──> server ──> CEL over status, headers, json ─┐
//!  metric  query ──> Prometheus ──> CEL over result ──────────────┤
//!  job     object ──> conditions ─────────────────────────────────┼─> Answer ─> kept, given back
//!  status  statuses of a commit ──────────────────────────────────┘     as Before the next time
//! ```
//!
//! Invariants:
//! - One call is at most one question; nothing waits. When to ask again is in the answer.
//! - What could not be found out is an error and not a failure; it is asked again, more and more seldom,
//!   until its limit.
//! - Where a request may go is the guard's to say: an allow-list, and neither link-local addresses nor
//!   the API server, also after redirects.
//! - What is kept is at most [`MAX_EVIDENCE`] bytes; no credentials are in it or in a message.
//!
//! ```
//! use gate::{State, job};
//!
//! let status = serde_json::json!({"conditions": [{"type": "Complete", "status": "True"}]});
//! let job = serde_json::json!({"metadata": {"name": "smoke"}, "status": status});
//! assert_eq!(job::evaluate(&job).state, State::Passed);
//! ```
//!
//! It reads no Kubernetes objects, keeps nothing, and decides neither order nor time-outs (`pipeline`
//! does).

mod answer;
pub mod http;
pub mod job;
pub mod login;
mod measure;
pub mod metric;
pub mod status;

pub use answer::{Answer, Before, Evidence, MAX_EVIDENCE, State};
pub use measure::{Measured, Rule};
