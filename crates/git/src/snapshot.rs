//! The tree of one commit, read without a worktree on disk.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use gix::{
    bstr::ByteSlice as _,
    objs::{Find as _, Write as _, tree::EntryKind},
    odb::HeaderExt as _,
};

use crate::{
    Error, Id, Person,
    commit::Objects,
    mirror::{Generation, LOCAL},
    task,
};

/// How many links of a path are followed, as the kernel does.
const LINKS: usize = 40;
/// How deep a tree may be.
const DEPTH: usize = 256;
/// How many files a tree may have.
const FILES: usize = 2_000_000;

/// What kind of thing a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link; its content is the target.
    Symlink,
    /// Another repository at some commit.
    Submodule,
}

/// One file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path from the root of the repository, with `/` between its parts.
    pub path: String,
    /// What it is.
    pub mode: Mode,
    /// The id of its content, equal for equal bytes.
    pub id: Id,
}

/// One commit of a [`Snapshot::log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its id.
    pub id: Id,
    /// When it was committed, in seconds since 1970 (UTC).
    pub committed: i64,
    /// Its message.
    pub message: String,
}

/// What a [`Snapshot::scan`] found.
#[derive(Clone, Debug)]
pub struct Scan<T> {
    /// What was taken of the files, in path order.
    pub found: Vec<T>,
    /// Files that were wanted but are larger than a file that is read may be.
    pub skipped: Vec<Entry>,
}

/// The tree of a commit; clones share it, and it stays readable whatever happens to the mirror.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) generation: Arc<Generation>,
    /// Objects of commits that no server has yet.
    pub(crate) unpushed: Arc<Objects>,
    pub(crate) commit: Id,
    pub(crate) tree: Id,
    committed: i64,
}

impl Snapshot {
    pub(crate) fn open(generation: Arc<Generation>, commit: Id) -> Result<Self, Error> {
        Self::of(generation, Arc::default(), commit)
    }

    pub(crate) fn of(
        generation: Arc<Generation>,
        unpushed: Arc<Objects>,
        commit: Id,
    ) -> Result<Self, Error> {
        let mut this = Self { generation, unpushed, commit, tree: commit, committed: 0 };
        let repository = this.repository()?;
        let damaged = || this.generation.damaged(commit);
        let found = repository.find_commit(commit.raw()).map_err(|_| damaged())?;
        let time = found.time().map_err(|_| damaged())?.seconds;
        let tree = Id::new(found.tree_id().map_err(|_| damaged())?.detach());
        repository.find_tree(tree.raw()).map_err(|_| this.generation.damaged(tree))?;
        (this.tree, this.committed) = (tree, time);
        Ok(this)
    }

    /// The commit's id.
    pub fn commit_id(&self) -> Id {
        self.commit
    }

    /// The id of the whole tree, equal for equal content.
    pub fn tree_id(&self) -> Id {
        self.tree
    }

    /// When it was committed, in seconds since 1970 (UTC).
    pub fn committed(&self) -> i64 {
        self.committed
    }

    /// The commit's message.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn message(&self) -> Result<String, Error> {
        self.read(|this, repository| {
            let damaged = || this.generation.damaged(this.commit);
            let commit = repository.find_commit(this.commit.raw()).map_err(|_| damaged())?;
            Ok(commit.message_raw_sloppy().to_str_lossy().into_owned())
        })
        .await
    }

    /// Who wrote the commit.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn author(&self) -> Result<Person, Error> {
        self.read(|this, repository| {
            let damaged = |_| this.generation.damaged(this.commit);
            let commit = repository.find_commit(this.commit.raw()).map_err(damaged)?;
            let author = commit.author().map_err(|_| this.generation.damaged(this.commit))?;
            let text = |bytes: &gix::bstr::BStr| bytes.to_str_lossy().into_owned();
            Ok(Person { name: text(author.name), email: text(author.email) })
        })
        .await
    }

    /// The commits that are before this one or this one, but not before `ancestor` nor it itself, the
    /// newest first: their ids and messages. `None` when the history that is here does not tell, or
    /// when there are more than `limit`.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn since(
        &self,
        ancestor: Id,
        limit: usize,
    ) -> Result<Option<Vec<(Id, String)>>, Error> {
        self.read(move |this, repository| since(this, repository, ancestor, limit)).await
    }

    /// The commits up to this one, the newest first, as far as the history is here; `None` when there are
    /// more than `limit`.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn log(&self, limit: usize) -> Result<Option<Vec<Logged>>, Error> {
        self.read(move |this, repository| log(this, repository, limit)).await
    }

    /// All files below the folder (or the one file) `under`, in path order. `under` cannot leave the
    /// repository, neither by `..` nor over a link; `""`, `.` and `/` are all of it.
    ///
    /// # Errors
    /// There is nothing at `under`, or the mirror is damaged.
    pub async fn files(&self, under: &str) -> Result<Vec<Entry>, Error> {
        let under = under.to_owned();
        self.read(move |this, repository| this.walk(repository, &under)).await
    }

    /// The id of all that is at a path, a folder or a file: equal for equal content, modes included. `None` if
    /// there is nothing.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn id_at(&self, path: &str) -> Result<Option<Id>, Error> {
        let path = path.to_owned();
        self.read(move |this, repository| {
            Ok(this.locate(repository, &path)?.map(|it| match it {
                Place::Folder(id, _) => id,
                Place::File(entry) => entry.id,
            }))
        })
        .await
    }

    /// The content of a file, `None` if there is no file at `path`. Links are followed within the
    /// repository.
    ///
    /// # Errors
    /// The mirror is damaged or the file larger than a file that is read may be.
    pub async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = path.to_owned();
        self.read(move |this, repository| match this.locate(repository, &path)? {
            Some(Place::File(entry)) if entry.mode != Mode::Submodule => {
                let bytes = this.bytes(repository, entry.id)?;
                let limit = this.generation.file_bytes();
                bytes.ok_or(Error::FileTooLarge { path: entry.path, limit }).map(Some)
            }
            Some(_) | None => Ok(None),
        })
        .await
    }

    /// Reads all files below `under` that `want` asks for and collects what `take` makes of them, in
    /// one pass off the async threads. `want` sees no content; files of other modes than plain and
    /// executable are offered too, links with their target as content.
    ///
    /// # Errors
    /// There is nothing at `under`, or the mirror is damaged.
    pub async fn scan<T: Send + 'static>(
        &self,
        under: &str,
        want: impl Fn(&Entry) -> bool + Send + 'static,
        mut take: impl FnMut(&Entry, Vec<u8>) -> Option<T> + Send + 'static,
    ) -> Result<Scan<T>, Error> {
        let under = under.to_owned();
        self.read(move |this, repository| {
            let mut scan = Scan { found: Vec::new(), skipped: Vec::new() };
            for entry in this.walk(repository, &under)? {
                if entry.mode == Mode::Submodule || !want(&entry) {
                    continue;
                }
                match this.bytes(repository, entry.id)? {
                    Some(bytes) => scan.found.extend(take(&entry, bytes)),
                    None => scan.skipped.push(entry),
                }
            }
            Ok(scan)
        })
        .await
    }

    /// Whether `ancestor` is this commit or one before it; `None` when the history that is here does
    /// not go back far enough to tell.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn contains(&self, ancestor: Id) -> Result<Option<bool>, Error> {
        self.read(move |this, repository| ancestry(this, repository, ancestor)).await
    }

    /// Whether `ancestor` is known to be this commit or one before it.
    pub(crate) fn has_ancestor(&self, ancestor: Id) -> Result<bool, Error> {
        Ok(ancestry(self, &self.repository()?, ancestor)? == Some(true))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &gix::Repository) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        task::run(LOCAL, move |_| work(&this, &this.repository()?)).await
    }

    /// A view of the mirror that holds the unpushed objects too, and keeps what is written to it in
    /// memory.
    pub(crate) fn repository(&self) -> Result<gix::Repository, Error> {
        let repository = self.generation.repository().with_object_memory();
        for (id, (kind, bytes)) in self.unpushed.iter() {
            repository
                .objects
                .write_buf(*kind, bytes)
                .map_err(|_| self.generation.damaged(Id::new(*id)))?;
        }
        Ok(repository)
    }

    /// The bytes of an object, `None` if it is too large.
    fn bytes(&self, repository: &gix::Repository, id: Id) -> Result<Option<Vec<u8>>, Error> {
        let damaged = || self.generation.damaged(id);
        let header = repository.objects.header(id.raw()).map_err(|_| damaged())?;
        if header.size() > self.generation.file_bytes() {
            return Ok(None);
        }
        let mut buffer = Vec::new();
        let found = repository.objects.try_find(&id.raw(), &mut buffer);
        found.map_err(|_| damaged())?.ok_or_else(damaged)?;
        Ok(Some(buffer))
    }

    fn walk(&self, repository: &gix::Repository, under: &str) -> Result<Vec<Entry>, Error> {
        let (root, prefix) = match self.locate(repository, under)? {
            None => return Err(Error::PathNotFound(under.to_owned())),
            Some(Place::File(entry)) => return Ok(vec![entry]),
            Some(Place::Folder(id, path)) => (id, path),
        };
        let mut found = Vec::new();
        let mut folders = vec![(root, prefix, 0)];
        while let Some((id, prefix, depth)) = folders.pop() {
            let damaged = || self.generation.damaged(id);
            let tree = repository.find_tree(id.raw()).map_err(|_| damaged())?;
            for entry in tree.iter() {
                let entry = entry.map_err(|_| damaged())?;
                // A name that is no text cannot be the path of a manifest.
                let Some(path) =
                    entry.filename().to_str().ok().and_then(|name| join(&prefix, name))
                else {
                    continue;
                };
                let id = Id::new(entry.oid().to_owned());
                match mode(entry.kind()) {
                    Some(mode) => found.push(Entry { path, mode, id }),
                    None => folders.push((id, path, depth + 1)),
                }
            }
            if depth > DEPTH || found.len() > FILES {
                return Err(Error::Config(format!(
                    "the tree of {} is too deep or too large",
                    self.commit
                )));
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// What is at a path, links followed but never out of the repository (as filepath-securejoin).
    fn locate(&self, repository: &gix::Repository, path: &str) -> Result<Option<Place>, Error> {
        let mut waiting: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        // The folders from the root to here, and the names that lead there.
        let mut folders = vec![self.tree];
        let mut names: Vec<String> = Vec::new();
        while let Some(part) = waiting.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    if names.pop().is_some() {
                        folders.pop();
                    }
                    continue;
                }
                _ => {}
            }
            let here = folders.last().copied().unwrap_or(self.tree);
            let Some(entry) = self.child(repository, here, &part)? else { return Ok(None) };
            match entry.mode {
                None => {
                    folders.push(entry.id);
                    names.push(part);
                }
                Some(Mode::Symlink) => {
                    links += 1;
                    let target = self.bytes(repository, entry.id)?.unwrap_or_default();
                    let target = String::from_utf8_lossy(&target).into_owned();
                    if links > LINKS {
                        return Err(Error::Config(format!("{path}: too many links")));
                    }
                    if target.starts_with('/') {
                        folders.truncate(1);
                        names.clear();
                    }
                    waiting.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(mode) => {
                    if waiting.iter().any(|part| !matches!(part.as_str(), "" | ".")) {
                        return Ok(None);
                    }
                    names.push(part);
                    let entry = Entry { path: names.join("/"), mode, id: entry.id };
                    return Ok(Some(Place::File(entry)));
                }
            }
        }
        let here = folders.last().copied().unwrap_or(self.tree);
        Ok(Some(Place::Folder(here, names.join("/"))))
    }

    fn child(
        &self,
        repository: &gix::Repository,
        folder: Id,
        name: &str,
    ) -> Result<Option<Child>, Error> {
        let damaged = || self.generation.damaged(folder);
        let tree = repository.find_tree(folder.raw()).map_err(|_| damaged())?;
        for entry in tree.iter() {
            let entry = entry.map_err(|_| damaged())?;
            if entry.filename() == name {
                let id = Id::new(entry.oid().to_owned());
                return Ok(Some(Child { mode: mode(entry.kind()), id }));
            }
        }
        Ok(None)
    }
}

enum Place {
    Folder(Id, String),
    File(Entry),
}

struct Child {
    /// `None` for a folder.
    mode: Option<Mode>,
    id: Id,
}

fn mode(kind: EntryKind) -> Option<Mode> {
    match kind {
        EntryKind::Tree => None,
        EntryKind::Blob => Some(Mode::File),
        EntryKind::BlobExecutable => Some(Mode::Executable),
        EntryKind::Link => Some(Mode::Symlink),
        EntryKind::Commit => Some(Mode::Submodule),
    }
}

/// The path of `name` in a folder; `None` for names that no file can have and only an attacker would
/// put into a tree.
fn join(prefix: &str, name: &str) -> Option<String> {
    let wrong = name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\0']);
    let path = || if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    (!wrong).then(path)
}

/// Walks back from the snapshot's commit. Where a commit is not here, history was cut off.
fn ancestry(
    this: &Snapshot,
    repository: &gix::Repository,
    ancestor: Id,
) -> Result<Option<bool>, Error> {
    let mut seen = HashSet::from([this.commit.raw()]);
    let mut waiting = VecDeque::from([this.commit.raw()]);
    let mut cut_off = false;
    while let Some(id) = waiting.pop_front() {
        if id == ancestor.raw() {
            return Ok(Some(true));
        }
        let damaged = || this.generation.damaged(Id::new(id));
        match repository.try_find_object(id).map_err(|_| damaged())? {
            None => cut_off = true,
            Some(object) => {
                let commit = object.try_into_commit().map_err(|_| damaged())?;
                for parent in commit.parent_ids() {
                    if seen.insert(parent.detach()) {
                        waiting.push_back(parent.detach());
                    }
                }
            }
        }
    }
    Ok((!cut_off).then_some(false))
}

fn since(
    this: &Snapshot,
    repository: &gix::Repository,
    ancestor: Id,
    limit: usize,
) -> Result<Option<Vec<(Id, String)>>, Error> {
    let mut seen = HashSet::from([this.commit.raw(), ancestor.raw()]);
    let mut waiting = VecDeque::new();
    if this.commit != ancestor {
        waiting.push_back(this.commit.raw());
    }
    let mut found = Vec::new();
    while let Some(id) = waiting.pop_front() {
        let damaged = || this.generation.damaged(Id::new(id));
        let object = repository.try_find_object(id).map_err(|_| damaged())?;
        let Some(object) = object.filter(|_| found.len() < limit) else { return Ok(None) };
        let commit = object.try_into_commit().map_err(|_| damaged())?;
        found.push((Id::new(id), commit.message_raw_sloppy().to_str_lossy().into_owned()));
        for parent in commit.parent_ids() {
            if seen.insert(parent.detach()) {
                waiting.push_back(parent.detach());
            }
        }
    }
    Ok(Some(found))
}

fn log(
    this: &Snapshot,
    repository: &gix::Repository,
    limit: usize,
) -> Result<Option<Vec<Logged>>, Error> {
    let mut seen = HashSet::from([this.commit.raw()]);
    let mut waiting = VecDeque::from([this.commit.raw()]);
    let mut found = Vec::new();
    while let Some(id) = waiting.pop_front() {
        let damaged = || this.generation.damaged(Id::new(id));
        let Some(object) = repository.try_find_object(id).map_err(|_| damaged())? else { continue };
        if found.len() == limit {
            return Ok(None);
        }
        let commit = object.try_into_commit().map_err(|_| damaged())?;
        found.push(Logged {
            id: Id::new(id),
            committed: commit.time().map_err(|_| damaged())?.seconds,
            message: commit.message_raw_sloppy().to_str_lossy().into_owned(),
        });
        for parent in commit.parent_ids() {
            if seen.insert(parent.detach()) {
                waiting.push_back(parent.detach());
            }
        }
    }
    // One line of history comes in its order already; of two, each commit is where its time is.
    found.sort_by_key(|it| std::cmp::Reverse(it.committed));
    Ok(Some(found))
}
