//! The disk as a kustomization's tree.

use std::io::ErrorKind;

use kustomize::{Entry, Tree};

/// All of it; what a build may leave its folders for is for the engine to say.
pub(super) struct Disk;

impl Tree for Disk {
    fn entry(&self, path: &str) -> Entry {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => match std::fs::read_link(path) {
                Ok(target) => Entry::Link(target.to_string_lossy().into_owned()),
                Err(error) => Entry::Refused(format!("readlink {path}: {}", plain(&error))),
            },
            Ok(found) if found.is_dir() => Entry::Folder,
            Ok(_) => Entry::File,
            Err(error) if error.kind() == ErrorKind::NotFound => Entry::Missing,
            Err(error) => Entry::Refused(format!("lstat {path}: {}", plain(&error))),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| plain(&error))
    }
}

/// An error of the operating system as Go says it.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let (words, _) = text.split_once(" (os error").unwrap_or((&text, ""));
    words.to_lowercase()
}
