//! Git repositories of Flux sources: clone, read, commit, sign and push, with no worktree on disk.
//!
//! ```text
//! Secret ──> Remote ──┐
//!                     ├─ Mirrors::checkout ──> Snapshot ── scan ──> files
//!  GitRepositoryRef ──┘        │                  │
//!                              │               commit (edits, Signer) ──> NewCommit
//!                              │                                             │
//!  server <── Network ── Mirrors::push (compare and swap) <──────────────────┘
//! ```
//!
//! Invariants:
//! - Every operation starts at the server with the caller's credentials; a mirror on disk saves
//!   transfers and is never an answer by itself.
//! - Credentials go to the host of the configured address and nowhere else, and are in no error, log
//!   or `Debug` text.
//! - Nothing is written to disk before a push succeeded; equal edits make an equal commit.
//! - A push changes a reference only if it is what the caller expects.
//! - Dropping the future of an operation ends it; no operation outlives its timeout.
//!
//! ```
//! use git::{Address, Remote, Scheme};
//!
//! let remote = Remote::anonymous("https://user:secret@example.com/fleet.git")?;
//! assert_eq!(remote.address.to_string(), "https://example.com/fleet.git");
//! assert_eq!(remote.address.scheme(), Scheme::Https);
//! # Ok::<(), git::Error>(())
//! ```
//!
//! It does not know Kubernetes, does not check out files, does not fetch LFS objects, and gets no
//! tokens: those of a GitHub App reach it ready-made.
#![deny(missing_docs)]

mod blob;
mod checkout;
mod commit;
mod connection;
mod error;
mod http;
mod id;
mod lfs;
mod listing;
mod mirror;
mod network;
mod push;
mod remote;
mod secret;
mod semver;
mod signer;
mod snapshot;
mod ssh;
mod submodule;
mod task;
mod verify;
mod wording;

pub use blob::Blobs;
pub use checkout::{Checkout, Reference};
pub use commit::{CommitMeta, Edit, NewCommit, Person};
pub use error::Error;
pub use id::Id;
pub use lfs::Pointer;
pub use listing::RemoteRef;
pub use mirror::{Fetched, Limits, Mirrors, Moment, Want};
pub use network::{Network, Options};
pub use push::{Expected, Outcome, Push, Pushed, Refspec, Update};
pub use remote::{Address, Auth, Remote, Scheme, SshAuth};
pub use signer::Signer;
pub use snapshot::{Entry, Logged, Mode, Scan, Snapshot};
pub use submodule::Submodule;
pub use verify::{Signed, Tag, Trust};
