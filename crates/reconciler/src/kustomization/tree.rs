//! What a build sees: the extracted artifact, with the files of this turn over it.
//!
//! The artifact's folder is shared by everybody who holds it, so nothing is written to it: what is
//! generated or decrypted stays in memory and ends with the turn. Nothing outside the folder can
//! be seen, whatever links and `..` say.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use artifact::ignore::{self, Rules};
use artifact::{Algorithm, Digest, tarball};
use kustomize::{Entry, Tree, generate::Listing};

/// Where a build finds the artifact.
pub(super) const ROOT: &str = "/artifact";

/// Where a build finds checkouts of remote bases, with a number behind it.
const BESIDE: &str = "/checkout-";

/// How large a file may be.
const FILE_LIMIT: u64 = 64 << 20;

/// How many links of a path are followed.
const LINKS: usize = 255;

/// How many things a record may hold.
const RECORDED: usize = 20_000;

/// A folder with files over it, and folders of other places beside it.
pub(super) struct SourceTree {
    folder: PathBuf,
    /// Where a build finds the folder.
    root: &'static str,
    over: BTreeMap<String, Vec<u8>>,
    /// What is left out, by rules about what is below a folder.
    ignored: Option<(String, Rules)>,
    /// Checkouts of remote bases: where a build finds them, and where they are.
    beside: Vec<(String, PathBuf)>,
    record: RefCell<BTreeMap<(String, Look), Option<Digest>>>,
}

/// In which way something was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// What is there.
    Entry,
    /// The content of a file.
    Content,
    /// The names in a folder.
    Names,
}

/// Everything of an artifact that a build looked at, by path: what was there and what was not,
/// contents and lists of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record(BTreeMap<(String, Look), Option<Digest>>);

impl Record {
    /// Whether all of it looks the same in another artifact, so that the same build is made of it.
    pub(super) fn holds(&self, folder: &Path) -> bool {
        let tree = SourceTree::new(folder);
        self.0.iter().all(|((path, look), seen)| tree.look(path, *look) == *seen)
    }
}

impl SourceTree {
    /// The tree of an extracted artifact.
    pub(super) fn new(folder: &Path) -> Self {
        Self::of(folder.to_owned(), ROOT, None)
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
        Ok(Self::of(PathBuf::from("/"), "", ignored))
    }

    fn of(folder: PathBuf, root: &'static str, ignored: Option<(String, Rules)>) -> Self {
        let (over, beside, record) = (BTreeMap::new(), Vec::new(), RefCell::default());
        Self { folder, root, over, ignored, beside, record }
    }

    /// Puts a folder beside the artifact; the build finds it at the path that is returned.
    pub(super) fn mount(&mut self, folder: PathBuf) -> String {
        let path = format!("{BESIDE}{}", self.beside.len() + 1);
        self.beside.push((path.clone(), folder));
        path
    }

    /// What was looked at so far; nothing if that was too much, or more than the artifact.
    pub(super) fn record(&self) -> Option<Record> {
        let record = self.record.borrow();
        (record.len() <= RECORDED && self.beside.is_empty()).then(|| Record(record.clone()))
    }

    /// What a look at the artifact shows, as a digest; nothing for a file or folder that cannot be
    /// read.
    fn look(&self, path: &str, look: Look) -> Option<Digest> {
        let of = |bytes: &[u8]| Algorithm::Sha256.digest(bytes);
        match look {
            Look::Entry => Some(of(format!("{:?}", self.entry_below(path)).as_bytes())),
            Look::Content => self.read_below(path).ok().map(|content| of(&content)),
            Look::Names => Some(of(format!("{:?}", self.names_below(path)).as_bytes())),
        }
    }

    fn note(&self, path: &str, look: Look, seen: &[u8]) {
        let mut record = self.record.borrow_mut();
        if path.starts_with(self.root) && record.len() <= RECORDED {
            let digest = Some(Algorithm::Sha256.digest(seen));
            record.insert((path.to_owned(), look), digest);
        }
    }

    /// The path in the artifact that `path` leads to, all links followed. It never leads out: `..`
    /// at the root and absolute links stay in it.
    pub(super) fn secure(&self, path: &str) -> String {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let mut rest: Vec<String> = inside.rsplit('/').map(str::to_owned).collect();
        let (mut at, mut links) = (self.root.to_owned(), 0);
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    let parent = at.rsplit_once('/').map_or(self.root, |(parent, _)| parent);
                    at = if at == self.root { at } else { parent.to_owned() };
                    continue;
                }
                _ => {}
            }
            let next = format!("{at}/{part}");
            match self.entry(&next) {
                Entry::Link(target) if links < LINKS => {
                    links += 1;
                    if target.starts_with('/') {
                        self.root.clone_into(&mut at);
                    }
                    rest.extend(target.rsplit('/').map(str::to_owned));
                }
                _ => at = next,
            }
        }
        at
    }

    /// Puts a file over what is there. The path begins with where a build finds the folder.
    pub(super) fn put(&mut self, path: String, content: Vec<u8>) {
        self.over.insert(path, content);
    }

    /// The names in a folder of the artifact.
    fn names_below(&self, folder: &str) -> BTreeSet<String> {
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

    /// Where a path is on disk, if it is in the artifact. Its parents are folders, so the path has
    /// no links in it but maybe at its end.
    fn place(&self, path: &str) -> Option<PathBuf> {
        if path.split('/').any(|part| part == "..") {
            return None;
        }
        let beside = self.beside.iter().map(|(at, folder)| (at.as_str(), folder));
        let mut places = beside.chain([(self.root, &self.folder)]);
        places.find_map(|(at, folder)| {
            let inside = path.strip_prefix(at)?;
            let is_below = inside.is_empty() || inside.starts_with('/');
            is_below.then(|| folder.join(inside.trim_start_matches('/')))
        })
    }

    fn outside(&self, operation: &str, path: &str) -> String {
        let root = self.root;
        format!(
            "fs-security-constraint {operation} {path}: path '{path}' is not in or below '{root}'"
        )
    }

    fn entry_below(&self, path: &str) -> Entry {
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

    fn read_below(&self, path: &str) -> Result<Vec<u8>, String> {
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

impl Tree for SourceTree {
    fn entry(&self, path: &str) -> Entry {
        if path == "/" {
            return Entry::Folder;
        }
        if self.over.contains_key(path) {
            return Entry::File;
        }
        let entry = self.entry_below(path);
        self.note(path, Look::Entry, format!("{entry:?}").as_bytes());
        entry
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if let Some(content) = self.over.get(path) {
            return Ok(content.clone());
        }
        let content = self.read_below(path)?;
        self.note(path, Look::Content, &content);
        Ok(content)
    }
}

impl Listing for SourceTree {
    fn names(&self, folder: &str) -> BTreeSet<String> {
        let names = self.names_below(folder);
        self.note(folder, Look::Names, format!("{names:?}").as_bytes());
        names
    }

    fn holds(&self, path: &str) -> bool {
        path.starts_with(self.root)
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

    #[test]
    fn a_record_holds_while_nothing_that_was_looked_at_changes() {
        let (folder, tree) = tree();
        tree.names("/artifact/app");
        tree.read("/artifact/app/a.yaml").unwrap();
        assert_eq!(tree.entry("/artifact/app/kustomization.yaml"), Entry::Missing);
        let record = tree.record().unwrap();
        assert!(record.holds(folder.path()));
        let file = |name: &str| folder.path().join(name);
        fs::write(file("app/a.yaml"), "a: 2").unwrap();
        assert!(!record.holds(folder.path()), "a content");
        fs::write(file("app/a.yaml"), "a: 1").unwrap();
        fs::write(file("unread.yaml"), "").unwrap();
        assert!(record.holds(folder.path()), "nobody looked there");
        fs::write(file("app/b.yaml"), "").unwrap();
        assert!(!record.holds(folder.path()), "a name in a folder");
        fs::remove_file(file("app/b.yaml")).unwrap();
        fs::remove_file(file("app/a.yaml")).unwrap();
        assert!(!record.holds(folder.path()), "a file that is gone");
    }

    #[test]
    fn paths_stay_in_the_artifact_wherever_links_lead() {
        let (folder, tree) = tree();
        std::os::unix::fs::symlink("../app", folder.path().join("app/up")).unwrap();
        assert_eq!(tree.secure("/artifact/app/../../../app/a.yaml"), "/artifact/app/a.yaml");
        assert_eq!(tree.secure("/artifact/out/passwd"), "/artifact/etc/passwd");
        assert_eq!(tree.secure("/artifact/app/up/a.yaml"), "/artifact/app/a.yaml");
        assert_eq!(tree.secure("/artifact"), ROOT);
    }

    /// CVE-2022-24877: kustomize's own limits are off, those of the artifact hold.
    #[test]
    fn no_file_of_the_controller_gets_into_a_build() {
        let (folder, _) = tree();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), "hidden=token").unwrap();
        let outside = outside.path().to_str().unwrap();
        let link = folder.path().join("app/link");
        std::os::unix::fs::symlink(outside, &link).unwrap();
        let up = format!("../../../../../../../../../..{outside}");
        for path in [outside, &up, "link"] {
            for field in ["resources: [PATH]", "secretGenerator: [{name: a, files: [PATH]}]"] {
                let text = field.replace("PATH", path);
                fs::write(folder.path().join("app/kustomization.yaml"), &text).unwrap();
                let tree = SourceTree::new(folder.path());
                let inputs = kustomize::Inputs::new(&tree, kustomize::Budget::default());
                let options =
                    kustomize::Options { unrestricted: true, ..kustomize::Options::default() };
                let built = kustomize::build(&inputs, "/artifact/app", &options);
                let error = built.map(|it| it.to_yaml()).unwrap_err().to_string();
                assert!(!error.contains("hidden"), "{text}: {error}");
            }
        }
    }
}
