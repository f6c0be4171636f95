//! How an object's specification says the outside world is entered: the Secrets and `ServiceAccounts`
//! that it names become what adapters want to have.
//!
//! ```text
//! spec ─> Reader ─┬─ Secret ─────────────> proxy, TLS material, pull credentials
//!                 ├─ ServiceAccount ─────> pull credentials, workload identity ─> cloud
//!                 └─ GitRepository ──────> git::Remote (Secret, GitHub App, Azure)
//! ```
//!
//! Invariants:
//! - Everything is read in the namespace of the object that names it, afresh each time, and kept
//!   nowhere.
//! - Texts are those of `fluxcd/pkg`; nothing of what Secrets hold is in them.
//!
//! It decides nothing about conditions: each controller has its own words for what is missing. It
//! asks no Git server and no registry.

mod account;
mod image;
mod reader;
mod repository;

pub use account::Tokens;
pub use image::image;
pub use reader::{Reader, Workload, to_registry};
pub use repository::{Refusal, remote};
