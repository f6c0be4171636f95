//! What a build may read, and the record of what it did read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use crate::{Budget, Error, path};

/// What is found under a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Missing,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link to a path, relative to its own folder or absolute.
    Link(String),
    /// Something that must not be looked at, and why.
    Refused(String),
}

/// A tree of files, given by the caller. Paths are absolute and have no `.` and `..` in them.
pub trait Tree {
    /// What is found under a path whose parents are folders, no links.
    fn entry(&self, path: &str) -> Entry;
    /// The content of a file, or why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Something from outside of the tree that a build needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Question {
    /// A checkout of a Git repository.
    Repository {
        /// What to clone.
        url: String,
        /// Branch, tag or commit; empty for the default branch.
        revision: String,
        /// Whether to check out submodules, too.
        submodules: bool,
        /// Seconds it may take.
        timeout: u64,
    },
    /// A file over HTTP.
    File(String),
    /// The manifests of a Helm chart.
    Chart(Box<Chart>),
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repository { url, revision, .. } if revision.is_empty() => {
                write!(f, "repository {url}")
            }
            Self::Repository { url, revision, .. } => write!(f, "repository {url} at {revision}"),
            Self::File(url) => write!(f, "file {url}"),
            Self::Chart(chart) => write!(f, "chart {}", chart.name),
        }
    }
}

/// A chart to inflate: an entry of `helmCharts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chart {
    /// The name of the chart.
    pub name: String,
    /// The version asked for, or empty.
    pub version: String,
    /// The repository's URL, or empty for a chart in `home`.
    pub repository: String,
    /// The absolute path of the folder of local charts.
    pub home: String,
    /// The name of the release, or empty.
    pub release: String,
    /// The namespace of the release, or empty.
    pub namespace: String,
    /// A template of the name of the release, or empty.
    pub name_template: String,
    /// Texts of values files, later ones win.
    pub values: Vec<String>,
    /// Whether custom resource definitions are part of the answer.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// API versions that templates may ask for.
    pub api_versions: Vec<String>,
    /// The version of Kubernetes that templates see, or empty.
    pub kube_version: String,
}

/// What the caller found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A [`Question::Repository`]: the absolute path of the checkout in the tree.
    Checkout(String),
    /// A [`Question::File`] or [`Question::Chart`]: the text.
    Text(Vec<u8>),
    /// A [`Question::File`] that the server refused, with its HTTP status and the text of that.
    Status(u16, String),
    /// It cannot be found out, and why.
    Failed(String),
}

/// One thing that a build looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Nothing is there.
    Missing,
    /// A file is there; what is in it was not looked at.
    File,
    /// A folder is there.
    Folder,
    /// A link is there, and where it leads.
    Link(String),
    /// The SHA-256 of a file's content.
    Content([u8; 32]),
    /// Something that must not be looked at is there.
    Refused,
}

/// All that a build may know: a tree, answers, and limits.
pub struct Inputs<'t> {
    tree: &'t dyn Tree,
    answers: HashMap<Question, Answer>,
    pub(crate) budget: Budget,
    entries: RefCell<HashMap<String, Entry>>,
    record: RefCell<BTreeMap<String, Read>>,
}

impl std::fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs").field("record", &self.record.borrow()).finish_non_exhaustive()
    }
}

impl<'t> Inputs<'t> {
    /// Inputs without answers.
    pub fn new(tree: &'t dyn Tree, budget: Budget) -> Self {
        Self {
            tree,
            answers: HashMap::new(),
            budget,
            entries: RefCell::default(),
            record: RefCell::default(),
        }
    }

    /// Answers a question that an earlier build asked.
    pub fn answer(&mut self, question: Question, answer: Answer) {
        self.answers.insert(question, answer);
    }

    /// Everything that was looked at so far, by path. Equal records mean equal builds, given equal
    /// answers and options.
    pub fn record(&self) -> BTreeMap<String, Read> {
        self.record.borrow().clone()
    }

    /// A digest of [`Inputs::record`].
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (path, read) in self.record.borrow().iter() {
            for part in [path.as_bytes(), format!("{read:?}").as_bytes()] {
                hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().into()
    }

    pub(crate) fn ask(&self, question: Question) -> Result<&Answer, Error> {
        self.answers.get(&question).ok_or(Error::Asked(question))
    }

    /// The folder or file that a path leads to, all links followed.
    pub(crate) fn resolve(&self, path: &str) -> Result<(String, Entry), Error> {
        let mut rest: Vec<String> = parts_backwards(&path::clean(path));
        let mut at = String::from("/");
        let mut links = 0;
        let mut last = Entry::Folder;
        while let Some(part) = rest.pop() {
            if part == ".." {
                at = path::parent(&at).to_owned();
                last = Entry::Folder;
                continue;
            }
            if last != Entry::Folder {
                return Err(Error::Load(format!(
                    "lstat {}: not a directory",
                    path::join(&at, &part)
                )));
            }
            let next = path::join(&at, &part);
            last = self.entry(&next);
            match &last {
                Entry::Missing => {
                    return Err(Error::Load(format!("lstat {next}: no such file or directory")));
                }
                Entry::Refused(why) => return Err(Error::Load(why.clone())),
                Entry::File | Entry::Folder => at = next,
                Entry::Link(target) => {
                    links += 1;
                    if links > 255 {
                        return Err(Error::Load("EvalSymlinks: too many links".to_owned()));
                    }
                    if target.starts_with('/') {
                        "/".clone_into(&mut at);
                    }
                    // A link is followed part by part: `..` goes up from where it leads.
                    rest.extend(
                        target
                            .split('/')
                            .rev()
                            .filter(|part| !matches!(*part, "" | "."))
                            .map(str::to_owned),
                    );
                    last = Entry::Folder;
                }
            }
        }
        Ok((at, last))
    }

    /// The content of the file that a path leads to.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let failed = |why: &str| Error::Load(format!("open {path}: {why}"));
        let (real, entry) = match self.resolve(path) {
            Ok(found) => found,
            Err(Error::Load(why)) if why.starts_with("lstat ") => {
                return Err(failed(why.rsplit(": ").next().unwrap_or_default()));
            }
            Err(error) => return Err(error),
        };
        if entry == Entry::Folder {
            return Err(Error::Load(format!("read {path}: is a directory")));
        }
        let content = self.tree.read(&real).map_err(|why| failed(&why))?;
        self.budget.bytes(content.len())?;
        let digest = Sha256::digest(&content).into();
        self.record.borrow_mut().insert(real, Read::Content(digest));
        Ok(content)
    }

    fn entry(&self, path: &str) -> Entry {
        if let Some(entry) = self.entries.borrow().get(path) {
            return entry.clone();
        }
        let entry = self.tree.entry(path);
        let read = match &entry {
            Entry::Missing => Read::Missing,
            Entry::File => Read::File,
            Entry::Folder => Read::Folder,
            Entry::Link(target) => Read::Link(target.clone()),
            Entry::Refused(_) => Read::Refused,
        };
        self.record.borrow_mut().insert(path.to_owned(), read);
        self.entries.borrow_mut().insert(path.to_owned(), entry.clone());
        entry
    }
}

fn parts_backwards(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
