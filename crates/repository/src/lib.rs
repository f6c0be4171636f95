//! Repositories that controllers write to: how one gets in, who signs, and whose turn it is.
//!
//! ```text
//! GitRepository ──┐
//! Secrets ────────┼─> remote ──> git::Mirrors          Writers: one at a time for each branch
//! GitHub App ─────┘   signer ──> git::Snapshot::commit
//! ```
//!
//! Image automation and promotion share it, so that they get into repositories in the same way, use the
//! same mirrors, and never write to one branch at the same time.
//!
//! It fetches and writes nothing.
#![deny(missing_docs)]

mod access;
mod turn;

pub use access::{Access, Refused, remote, signer};
pub use turn::Writers;
