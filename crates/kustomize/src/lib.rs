//! A file tree with a kustomization.yaml in, resources out: kustomize v5.7.1 in process.
//!
//! ```text
//! Tree ─ Inputs (recorded) ─ Loader ─> kustomization.yaml
//!                                      │ resources, bases      documents.rs, build/accumulate.rs
//!                                      │ generators            generator/    one a file
//!                                      │ components
//!                                      │ transformers          transformer/  one a file
//!                                      v
//!              hashes, name references, variables, order  ──>  Output
//! ```
//!
//! Invariants:
//! - Nothing is read but through [`Inputs`], which records every file, link, folder and miss.
//! - What a tree does not hold is an [`Error::Asked`]: answer the [`Question`] and build again.
//! - Nothing is executed; plugins other than kustomize's own are refused.
//! - Equal inputs make equal outputs, and work is bounded by a [`Budget`].
//!
//! ```
//! use kustomize::{Budget, Entry, Inputs, Options, Tree, build};
//!
//! struct One;
//! impl Tree for One {
//!     fn entry(&self, path: &str) -> Entry {
//!         match path {
//!             "/app" => Entry::Folder,
//!             "/app/kustomization.yaml" => Entry::File,
//!             _ => Entry::Missing,
//!         }
//!     }
//!     fn read(&self, _: &str) -> Result<Vec<u8>, String> {
//!         Ok(b"namePrefix: a-\nconfigMapGenerator: [{name: b, literals: [k=v]}]\n".to_vec())
//!     }
//! }
//!
//! let inputs = Inputs::new(&One, Budget::default());
//! let output = build(&inputs, "/app", &Options::default())?;
//! assert_eq!(
//!     output.to_yaml()?,
//!     "apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  name: a-b-bdg947hgcc\n"
//! );
//! # Ok::<(), kustomize::Error>(())
//! ```
//!
//! It does not fetch repositories, files and charts, and does not substitute variables after a build.

mod budget;
mod build;
mod config;
mod crds;
mod documents;
mod error;
mod field;
mod fields;
pub mod generate;
mod generator;
mod gvk;
mod inputs;
mod json_patch;
mod kustomization;
mod loader;
mod merge;
mod name_reference;
mod node;
mod origin;
mod output;
pub mod path;
mod pattern;
mod repository;
mod resource;
mod resources;
mod schema;
mod selector;
mod transformer;
mod variable;

pub use budget::Budget;
pub use build::{Options, Reorder, build};
pub use documents::check_manifests;
pub use error::Error;
pub use generator::helm::Access;
pub use inputs::{Answer, Chart, Entry, Inputs, Question, Read, Tree};
pub use kustomization::FIELDS;
pub use output::{Manifest, Output};

/// Whether kustomize takes a target for a repository's URL, not for a folder.
///
/// ```
/// assert!(kustomize::is_repository("https://github.com/org/repo//deploy?ref=v1"));
/// assert!(!kustomize::is_repository("overlays/production"));
/// ```
pub fn is_repository(target: &str) -> bool {
    repository::Repository::parse(target).is_some()
}
