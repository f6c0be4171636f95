//! Releases: what is recorded of them, and what to do next.

mod action;
mod digest;
mod history;
mod name;
mod record;

pub use action::{Action, Attempt, Failed, Policy, State, Strategy, next_action};
pub use digest::{
    Algorithm, is_observed, observation_digest, observation_digest_by, spec_digest, values_digest,
};
pub use history::{latest, pruned, superseded};
pub use name::{check_name, secret_name, shortened};
pub use record::{Info, LastRun, Record, Status};
