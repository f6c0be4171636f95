//! Artifacts on disk: written, verified, collected, served and extracted.
//!
//! ```text
//!  tree ──> tarball ─┐                                  ┌─ router ──> HTTP, by path
//!                    ├─> Store: KIND/NAMESPACE/NAME/FILE ┤
//!  bytes ────────────┘    temporary file, then rename   └─ tree ───> extracted once per digest,
//!                                                                    for whoever has a grant
//! ```
//!
//! Invariants:
//! - A file is whole or absent, and what was there before stays until the new one is whole.
//! - Equal trees make equal tarballs.
//! - No path leaves the folder of its object; what is extracted never leaves its folder.
//! - A digest is no credential: an extracted tree is given only to the owner that this process made,
//!   verified or fetched the artifact for.
//! - Bytes and files are capped, per artifact and per namespace.
//!
//! ```
//! use artifact::tarball::{Node, Path, Tree};
//!
//! let mut tree = Tree::default();
//! let file = Node::File { executable: false, content: b"hello".to_vec() };
//! tree.insert(Path::parse("docs/hello.txt")?, file)?;
//! let paths: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
//! assert_eq!(paths, ["docs", "docs/hello.txt"]);
//! # Ok::<(), artifact::Error>(())
//! ```
//!
//! It knows neither Kubernetes nor where the content comes from, and asks nobody what time it is.
#![deny(missing_docs)]

mod digest;
mod error;
mod garbage;
mod glob;
pub mod ignore;
mod place;
mod server;
mod store;
pub mod tarball;
mod tree;
mod usage;

pub use digest::{Algorithm, Digest};
pub use error::Error;
pub use glob::Glob;
pub use place::{Kind, Place};
pub use store::{Health, Limits, Options, Retention, Store, Stored};
pub use tree::Lease;
