//! The files of a commit as a build sees them, read as they are needed, with a plan's over them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use git::{Entry as GitEntry, Mode};
use kustomize::{Entry, Tree, generate::Listing};
use setters::stage::Plan;

/// Where a build finds the repository.
pub(super) const ROOT: &str = "/source";

/// How many bytes of a repository are read for a preview.
const BYTES: usize = 32 << 20;
/// How many files.
const FILES: usize = 8_192;

/// The files of one commit. Cheap to clone.
#[derive(Clone)]
pub(super) struct Files {
    /// All files by their path, with what was read of them.
    all: Arc<BTreeMap<String, Option<Arc<[u8]>>>>,
    links: Arc<BTreeMap<String, String>>,
    /// What the plan writes, and nothing for what it removes.
    over: Arc<BTreeMap<String, Option<Vec<u8>>>>,
    /// Whether the plan's files are seen.
    after: bool,
    /// Folders whose files must be read first.
    missed: RefCell<BTreeSet<String>>,
}

impl Files {
    pub(super) fn new(entries: Vec<GitEntry>, links: Vec<(String, String)>, plan: Plan) -> Self {
        let is_file = |it: &GitEntry| matches!(it.mode, Mode::File | Mode::Executable);
        let all = entries.into_iter().filter(is_file).map(|it| (it.path, None));
        let written = plan.files.into_iter().map(|(path, bytes)| (path, Some(bytes)));
        let over = written.chain(plan.removed.into_iter().map(|path| (path, None)));
        Self {
            all: Arc::new(all.collect()),
            links: Arc::new(links.into_iter().collect()),
            over: Arc::new(over.collect()),
            after: false,
            missed: RefCell::default(),
        }
    }

    /// The same files with those of the plan.
    pub(super) fn after(&self) -> Self {
        Self { after: true, ..self.clone() }
    }

    /// Whether the plan touches something below a folder.
    pub(super) fn touches(&self, folder: &str) -> bool {
        let below = format!("{}/", folder.trim_matches('/'));
        self.over.keys().any(|path| path.starts_with(&below))
    }

    /// How much was read.
    pub(super) fn bytes(&self) -> usize {
        self.all.values().flatten().map(|it| it.len()).sum()
    }

    /// The folders whose files a build lacked.
    pub(super) fn missed(&self) -> BTreeSet<String> {
        self.missed.borrow().clone()
    }

    /// Notes what another view of the same files lacked.
    pub(super) fn lacks(&self, other: &Self) {
        self.missed.borrow_mut().extend(other.missed());
    }

    /// The files of folders that were not read yet.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn unread(&self, folders: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
        let wanted = |path: &String| folders.contains(parent(path));
        let unread = self.all.iter().filter(|(path, bytes)| bytes.is_none() && wanted(path));
        let unread: BTreeSet<String> = unread.map(|(path, _)| path.clone()).collect();
        let known = self.all.values().flatten().count();
        if known + unread.len() > FILES || self.bytes() > BYTES {
            return Err(format!(
                "too much to be built for a preview: more than {FILES} files or {} MiB",
                BYTES >> 20
            ));
        }
        Ok(unread)
    }

    /// Adds what was read. What is not among it was too large, and is empty from now on.
    pub(super) fn add(&mut self, folders: &BTreeSet<String>, read: Vec<(String, Vec<u8>)>) {
        let mut all = BTreeMap::clone(&self.all);
        for (path, bytes) in &mut all {
            if bytes.is_none() && folders.contains(parent(path)) {
                *bytes = Some(Arc::default());
            }
        }
        all.extend(read.into_iter().map(|(path, bytes)| (path, Some(bytes.into()))));
        self.all = Arc::new(all);
        self.missed = RefCell::default();
    }

    /// The files below a folder, by their path in it.
    pub(super) fn below(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let start = format!("{}/", folder.trim_matches('/'));
        let over = self.over.keys().filter(|_| self.after);
        let paths: BTreeSet<&String> =
            self.all.keys().chain(over).filter(|path| path.starts_with(&start)).collect();
        let read = |path: &String| self.read(&format!("{ROOT}/{path}")).ok();
        let file = |path: &String| Some((path[start.len()..].to_owned(), read(path)?));
        paths.into_iter().filter_map(file).collect()
    }

    fn written(&self, path: &str) -> Option<&Option<Vec<u8>>> {
        self.over.get(path).filter(|_| self.after)
    }

    fn is_folder(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let starts = |it: Option<&String>| it.is_some_and(|it| it.starts_with(&below));
        let new = self.over.range(below.clone()..).next().filter(|_| self.after);
        starts(self.all.range(below.clone()..).next().map(|it| it.0))
            || starts(self.links.range(below.clone()..).next().map(|it| it.0))
            || new.is_some_and(|(path, bytes)| bytes.is_some() && path.starts_with(&below))
    }
}

/// The folder of a file; the root is empty.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn inside(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ROOT)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

impl Tree for Files {
    fn entry(&self, path: &str) -> Entry {
        if path == "/" || path == ROOT {
            return Entry::Folder;
        }
        let Some(path) = inside(path) else {
            return Entry::Refused(format!("path '{path}' is not in the repository"));
        };
        if let Some(written) = self.written(path) {
            return if written.is_some() { Entry::File } else { Entry::Missing };
        }
        if let Some(target) = self.links.get(path) {
            return Entry::Link(target.clone());
        }
        if self.all.contains_key(path) {
            return Entry::File;
        }
        if self.is_folder(path) { Entry::Folder } else { Entry::Missing }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = inside(path).ok_or("it is not in the repository")?;
        if let Some(Some(bytes)) = self.written(path) {
            return Ok(bytes.clone());
        }
        match self.all.get(path) {
            Some(Some(bytes)) => Ok(bytes.to_vec()),
            Some(None) => {
                self.missed.borrow_mut().insert(parent(path).to_owned());
                Err("it is not read yet".to_owned())
            }
            None => Err("no such file or directory".to_owned()),
        }
    }
}

impl Listing for Files {
    fn names(&self, folder: &str) -> BTreeSet<String> {
        let Some(folder) = inside(folder) else { return BTreeSet::new() };
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let stays = |path: &&String| self.written(path).is_none_or(Option::is_some);
        let over = self.over.keys().filter(|_| self.after);
        let paths = self.all.keys().chain(self.links.keys()).chain(over).filter(stays);
        let name = |path: &String| {
            let rest = path.strip_prefix(&start)?;
            rest.split('/').next().map(str::to_owned)
        };
        paths.filter_map(name).collect()
    }

    fn holds(&self, path: &str) -> bool {
        inside(path).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> GitEntry {
        let id = "0123456789012345678901234567890123456789".parse().unwrap();
        GitEntry { path: path.to_owned(), mode: Mode::File, id }
    }

    fn files() -> Files {
        let plan = Plan {
            files: vec![("app/a.yaml".into(), b"new".to_vec()), ("x/y.yaml".into(), Vec::new())],
            removed: vec!["app/b.yaml".into()],
            ..Plan::default()
        };
        let links = vec![("link".to_owned(), "app".to_owned())];
        Files::new(vec![entry("app/a.yaml"), entry("app/b.yaml"), entry("c.yaml")], links, plan)
    }

    #[test]
    fn a_plan_lies_over_the_commit_and_only_after() {
        let before = files();
        let after = before.after();
        assert_eq!(before.entry("/source/x"), Entry::Missing);
        assert_eq!(after.entry("/source/x"), Entry::Folder);
        assert_eq!(before.entry("/source/app/b.yaml"), Entry::File);
        assert_eq!(after.entry("/source/app/b.yaml"), Entry::Missing);
        assert_eq!(after.read("/source/app/a.yaml").unwrap(), b"new");
        assert_eq!(before.entry("/source/link"), Entry::Link("app".into()));
        let names = |it: &Files, folder: &str| it.names(folder).into_iter().collect::<Vec<_>>();
        assert_eq!(names(&before, "/source"), ["app", "c.yaml", "link"]);
        assert_eq!(names(&after, "/source/app"), ["a.yaml"]);
        assert!(matches!(after.entry("/etc/passwd"), Entry::Refused(_)));
    }

    #[test]
    fn what_is_needed_is_read_by_the_folder() {
        let mut it = files();
        it.read("/source/app/b.yaml").unwrap_err();
        let missed = it.missed();
        assert_eq!(missed, BTreeSet::from(["app".to_owned()]));
        assert_eq!(it.unread(&missed).unwrap().len(), 2);
        it.add(&missed, vec![("app/b.yaml".into(), b"b".to_vec())]);
        assert_eq!(it.read("/source/app/b.yaml").unwrap(), b"b");
        assert_eq!(it.read("/source/app/a.yaml").unwrap(), b"", "it was too large");
        assert!(it.missed().is_empty());
    }
}
