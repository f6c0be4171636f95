//! Why a document stays encrypted.

use crate::{Format, MasterKey};

/// What is wrong with a document or its keys. The texts are those of Flux; values never show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The document is not of its format, or its metadata is broken.
    #[error("failed to load encrypted {format} data: {why}")]
    Load {
        /// The format it was read as.
        format: Format,
        /// What is wrong.
        why: String,
    },
    /// The text of a plain document is not of its format.
    #[error("failed to load {format} data: {why}")]
    Plain {
        /// The format it was read as.
        format: Format,
        /// What is wrong.
        why: String,
    },
    /// No key could unwrap the data key; each is named with its reason.
    #[error("cannot get sops data key: {0}")]
    DataKey(String),
    /// The data key could perhaps be had from a key service: ask it to unwrap these, and decrypt
    /// again with the answers.
    #[error("the data key is wrapped by {} keys of services that were not asked yet", .0.len())]
    Pending(Vec<MasterKey>),
    /// A value cannot be decrypted.
    #[error("error decrypting sops tree: {0}")]
    Decrypt(String),
    /// The document was changed after it was encrypted.
    #[error("failed to verify sops data integrity: {0}")]
    Integrity(String),
    /// The document cannot be written in the format asked for.
    #[error("failed to emit encrypted file as decrypted {format}: {why}")]
    Emit {
        /// The format asked for.
        format: Format,
        /// What it cannot hold.
        why: String,
    },
    /// A private key cannot be read.
    #[error("failed to import {kind} key: {why}")]
    Import {
        /// `age` or `PGP`.
        kind: &'static str,
        /// What is wrong with it, without its content.
        why: String,
    },
    /// The document cannot be encrypted as asked.
    #[error("cannot encrypt: {0}")]
    Encrypt(String),
}
