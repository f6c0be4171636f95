//! Encrypted document and unwrapped keys in, document out.
//!
//! ```text
//! bytes ── Encrypted::parse(Format) ──> tree + Metadata
//!                                         │ data_key(KeyService) ──> DataKey
//!                                         │    age, OpenPGP: here; services: asked by the caller
//!                                         v
//!                    decrypt(DataKey, Integrity) ──> Plain ── emit(Format) ──> bytes
//! ```
//!
//! The documents are those of sops v3.11.0: YAML, JSON, dotenv, INI and binary files, values as
//! AES-256-GCM with their path, a hash over all of them, key groups with Shamir's sharing. The
//! error texts are those of Flux.
//!
//! Invariants: what was secret is in results only, never in errors or `Debug`; data keys are wiped
//! from memory; randomness for encryption comes from outside.
//!
//! ```
//! use sops::{Error, Format, Integrity, Keyring, decrypt};
//!
//! let error = decrypt(b"a: 1\n", (Format::Yaml, Format::Yaml), &Keyring::new(), Integrity::Verified);
//! assert_eq!(
//!     error.unwrap_err().to_string(),
//!     "failed to load encrypted YAML data: sops metadata not found"
//! );
//! ```
//!
//! It does not talk to key services: [`Error::Pending`] names the keys they must be asked about.
#![deny(missing_docs)]

mod cipher;
mod crypt;
mod data_key;
mod document;
mod error;
mod format;
mod keyring;
mod master_key;
mod metadata;
mod object;
mod rule;
mod shamir;
mod store;
mod tree;

pub use data_key::{DATA_KEY, DataKey, KeyService, Refusal};
pub use document::{Encrypted, Integrity, Plain, Recipe, Wrap, decrypt};
pub use error::Error;
pub use format::Format;
pub use keyring::Keyring;
pub use master_key::{Kind, MasterKey};
pub use metadata::Metadata;
pub use object::{decrypt_object, is_encrypted, leftover};
pub use rule::Rule;
