//! What a build sees: the extracted artifact, with the files of this turn over it.
//!
//! The artifact's folder is shared by everybody who holds it, so nothing is written to it: what is
//! generated or decrypted stays in memory and ends with the turn. Nothing outside the folder can
//! be seen, whatever links and `..` say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use artifact::ignore::{self, Rules};
use artifact::tarball;
use kustomize::{Entry, Tree};

/// Where a build finds the artifact.
pub(super) const ROOT: &str = "/artifact";

/// How large a file may be.
const FILE_LIMIT: u64 = 64 << 20;

/// A folder with files over it.
pub(super) struct SourceTree {
    folder: PathBuf,
    /// Where a build finds the folder.
    root: &'static str,
    over: BTreeMap<String, Vec<u8>>,
    /// What is left out, by rules about what is below a folder.
    ignored: Option<(String, Rules)>,
}

impl SourceTree {
    /// The tree of an extracted artifact.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), root: ROOT, over: BTreeMap::new(), ignored: None }
    }

    /// The whole disk, as the user who builds on it sees it, without the files below `folder` that
    /// its `.sourceignore` and `ignored` (in the form of `.gitignore`) leave out of an artifact.
    ///
    /// # Errors
    /// There are too many rules.
    pub(super) fn disk(folder: &Path, ignored: &str) -> Result<Self, String> {
        let own = fs::read_to_string(folder.join(ignore::FILE)).unwrap_or_default();
        let rules = Rules::only(vec![(tarball::Path::root(), own)], Some(ignored));
        let rules = rules.map_err(|why| why.to_string())?;
        let ignored = Some((folder.to_string_lossy().into_owned(), rules));
        Ok(Self { folder: PathBuf::from("/"), root: "", over: BTreeMap::new(), ignored })
    }

    /// Whether a path is in the folder.
    pub(super) fn holds(&self, path: &str) -> bool {
        path.starts_with(self.root)
    }

    /// Puts a file over what is there. The path begins with where a build finds the folder.
    pub(super) fn put(&mut self, path: String, content: Vec<u8>) {
        self.over.insert(path, content);
    }

    /// The names in a folder, sorted. A folder that cannot be read has none.
    pub(super) fn names(&self, folder: &str) -> BTreeSet<String> {
        let entries = self.place(folder).and_then(|place| fs::read_dir(place).ok());
        let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
        let names = entries.into_iter().flatten().flatten().filter_map(name);
        names.filter(|name| !self.leaves_out(&format!("{folder}/{name}"))).collect()
    }

    fn leaves_out(&self, path: &str) -> bool {
        let Some((folder, rules)) = &self.ignored else { return false };
        let inside =
            path.strip_prefix(folder.as_str()).map(|inside| inside.trim_start_matches('/'));
        let parsed = inside.and_then(|inside| tarball::Path::parse(inside).ok());
        parsed.is_some_and(|path_in| {
            !self.place(path).is_some_and(|place| place.is_dir())
                && rules.leaves_out(&path_in, false)
        })
    }

    /// Where a path is on disk, if it is in the folder. Its parents are folders, so the path has
    /// no links in it but maybe at its end.
    fn place(&self, path: &str) -> Option<PathBuf> {
        let inside = path.strip_prefix(self.root)?;
        let is_plain = inside.is_empty() || inside.starts_with('/');
        let has_dots = inside.split('/').any(|part| part == "..");
        (is_plain && !has_dots).then(|| self.folder.join(inside.trim_start_matches('/')))
    }

    fn outside(&self, operation: &str, path: &str) -> String {
        let root = self.root;
        format!(
            "fs-security-constraint {operation} {path}: path '{path}' is not in or below '{root}'"
        )
    }
}

impl Tree for SourceTree {
    fn entry(&self, path: &str) -> Entry {
        if path == "/" {
            return Entry::Folder;
        }
        if self.over.contains_key(path) {
            return Entry::File;
        }
        let Some(place) = self.place(path) else {
            return Entry::Refused(self.outside("abs", path));
        };
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => link(&place),
            Ok(found) if found.is_dir() => Entry::Folder,
            Ok(found) if found.is_file() => Entry::File,
            Ok(_) => Entry::Refused(format!("{path} is neither a file nor a folder")),
            Err(error) if error.kind() == ErrorKind::NotFound => Entry::Missing,
            Err(error) => Entry::Refused(error.to_string()),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if let Some(content) = self.over.get(path) {
            return Ok(content.clone());
        }
        let place = self.place(path).ok_or_else(|| self.outside("read", path))?;
        let file = fs::File::open(place).map_err(|error| error.to_string())?;
        let mut content = Vec::new();
        let read = file.take(FILE_LIMIT + 1).read_to_end(&mut content);
        read.map_err(|error| error.to_string())?;
        if content.len() as u64 > FILE_LIMIT {
            return Err(format!("is larger than {FILE_LIMIT} bytes"));
        }
        Ok(content)
    }
}

fn link(place: &Path) -> Entry {
    match fs::read_link(place) {
        Ok(target) => Entry::Link(target.to_string_lossy().into_owned()),
        Err(error) => Entry::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, SourceTree) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        fs::write(folder.path().join("app/a.yaml"), "a: 1").unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
        let tree = SourceTree::new(folder.path());
        (folder, tree)
    }

    #[test]
    fn the_artifact_is_seen_and_nothing_else() {
        let (_folder, tree) = tree();
        assert_eq!(tree.entry("/artifact/app"), Entry::Folder);
        assert_eq!(tree.read("/artifact/app/a.yaml").unwrap(), b"a: 1");
        assert_eq!(tree.entry("/artifact/out"), Entry::Link("/etc".to_owned()));
        for path in ["/etc", "/etc/passwd", "/artifact/../etc/passwd", "/artifactory"] {
            assert!(matches!(tree.entry(path), Entry::Refused(_)), "{path}");
            assert!(tree.read(path).unwrap_err().contains("is not in or below"), "{path}");
        }
    }

    #[test]
    fn files_of_the_turn_lie_over_those_of_the_artifact() {
        let (folder, mut tree) = tree();
        tree.put("/artifact/app/a.yaml".to_owned(), b"a: 2".to_vec());
        assert_eq!(tree.read("/artifact/app/a.yaml").unwrap(), b"a: 2");
        assert_eq!(fs::read(folder.path().join("app/a.yaml")).unwrap(), b"a: 1");
        assert_eq!(tree.names("/artifact").into_iter().collect::<Vec<_>>(), ["app", "out"]);
    }
}
