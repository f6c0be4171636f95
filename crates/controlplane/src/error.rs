//! What can go wrong with the server itself; a refused request is answered with a `Status` instead.

use std::path::PathBuf;

/// Why the server could not start or keep its state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process serves from the same data directory.
    #[error("{} is in use by another process: stop it, or choose another data directory", .0.display())]
    DataDirInUse(PathBuf),
    /// The data directory cannot be used.
    #[error("data directory {}: {why}", path.display())]
    DataDir {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// What is in the data directory cannot be understood.
    #[error(
        "{} is damaged ({why}): put a copy of the data directory in its place, or move this file \
         away to start with nothing",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The log of changes cannot be read or written.
    #[error("state log: {0}")]
    Log(String),
    /// A part of the server did not start.
    #[error("cannot start: {0}")]
    Start(String),
}
