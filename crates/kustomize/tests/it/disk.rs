//! A tree on disk.

use std::io::ErrorKind;

use kustomize::{Entry, Tree};

/// The whole disk.
pub(crate) struct Disk;

impl Tree for Disk {
    fn entry(&self, path: &str) -> Entry {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => match std::fs::read_link(path) {
                Ok(target) => Entry::Link(target.to_string_lossy().into_owned()),
                Err(error) => Entry::Refused(error.to_string()),
            },
            Ok(found) if found.is_dir() => Entry::Folder,
            Ok(_) => Entry::File,
            Err(error) if error.kind() == ErrorKind::NotFound => Entry::Missing,
            Err(error) => Entry::Refused(error.to_string()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the outside world of a test")]
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }
}
