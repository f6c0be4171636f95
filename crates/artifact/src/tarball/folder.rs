//! Trees from folders on disk.

use std::{
    fs,
    path::{Path as FilePath, PathBuf},
};

use super::{Node, Path, Tree};
use crate::{
    Error,
    ignore::{self, Rules},
};

/// A file with ignore rules is shorter than this.
const MAX_RULES: u64 = 1 << 20;

impl Tree<PathBuf> {
    /// Everything below a folder, at most `most` nodes; links and whatever else is neither file nor
    /// folder are left out.
    ///
    /// # Errors
    /// The disk cannot be used, a name is no UTF-8, or there are too many nodes.
    pub fn read(folder: &FilePath, most: usize) -> Result<Self, Error> {
        let mut tree = Self::default();
        let mut folders = vec![(folder.to_owned(), Path::root())];
        while let Some((at, path)) = folders.pop() {
            for entry in fs::read_dir(&at)? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(|| {
                    Error::Path(format!("the name of {} is no UTF-8", entry.path().display()))
                })?;
                let path = path.join(&Path::parse(name)?)?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    tree.insert(path.clone(), Node::Folder)?;
                    folders.push((entry.path(), path));
                } else if kind.is_file() {
                    let executable = is_executable(&entry.metadata()?);
                    tree.insert(path, Node::File { executable, content: entry.path() })?;
                }
                if tree.len() > most {
                    return Err(Error::limit("the number of files", most.to_string()));
                }
            }
        }
        Ok(tree)
    }

    /// The rules of an artifact of this tree: those of its own files, then those of `spec`.
    ///
    /// # Errors
    /// A file with rules cannot be read, or there are too many rules.
    pub fn rules(&self, spec: Option<&str>) -> Result<Rules, Error> {
        let mut files = Vec::new();
        for (path, node) in self.iter() {
            let Node::File { content, .. } = node else { continue };
            if path.name() != Some(ignore::FILE) {
                continue;
            }
            if fs::metadata(content)?.len() > MAX_RULES {
                return Err(Error::limit("the size of an ignore file", MAX_RULES.to_string()));
            }
            let text = String::from_utf8_lossy(&fs::read(content)?).into_owned();
            files.push((path.parent().unwrap_or_default(), text));
        }
        Rules::of(files, spec)
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}
