//! New commits, made in memory.

use std::{collections::BTreeMap, sync::Arc};

use gix::{
    actor::Signature,
    bstr::BString,
    date::Time,
    objs::{Kind, Write as _, tree::EntryKind},
};

use crate::{Error, Id, Signer, Snapshot, mirror::LOCAL, task};

/// Objects by id.
pub(crate) type Objects = BTreeMap<gix::ObjectId, (Kind, Vec<u8>)>;

/// One change of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The file has these bytes; an existing one keeps its mode.
    Write {
        /// The path from the root.
        path: String,
        /// The whole content.
        bytes: Vec<u8>,
    },
    /// The file is gone.
    Remove {
        /// The path from the root.
        path: String,
    },
}

/// Somebody in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name, may be empty.
    pub name: String,
    /// The mail address.
    pub email: String,
}

/// What a commit says besides its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitMeta {
    /// Who made the change.
    pub author: Person,
    /// Who made the commit.
    pub committer: Person,
    /// When, in seconds since 1970 (UTC).
    pub time: i64,
    /// The message, taken as it is.
    pub message: String,
}

/// A commit that exists in memory only, until it is pushed.
#[derive(Clone, Debug)]
pub struct NewCommit {
    pub(crate) snapshot: Snapshot,
    parent: Id,
}

impl NewCommit {
    /// The commit's id.
    pub fn id(&self) -> Id {
        self.snapshot.commit
    }

    /// The id of its tree.
    pub fn tree_id(&self) -> Id {
        self.snapshot.tree
    }

    /// The commit before it.
    pub fn parent(&self) -> Id {
        self.parent
    }

    /// Its tree, to be read or to commit on top of.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Snapshot {
    /// Commits `edits` on top of this commit, or nothing if they leave the tree as it is.
    ///
    /// Equal input makes an equal commit, so a commit made again after a crash has the same id
    /// (signatures of some kinds of keys excepted). Nothing is written to disk.
    ///
    /// # Errors
    /// A path is not one a file can have, a person's name cannot be written, or signing fails.
    pub async fn commit(
        &self,
        edits: Vec<Edit>,
        meta: CommitMeta,
        signer: Option<Arc<Signer>>,
    ) -> Result<Option<NewCommit>, Error> {
        let this = self.clone();
        task::run(LOCAL, move |_| commit(&this, &edits, &meta, signer.as_deref())).await
    }
}

fn commit(
    base: &Snapshot,
    edits: &[Edit],
    meta: &CommitMeta,
    signer: Option<&Signer>,
) -> Result<Option<NewCommit>, Error> {
    let mut repository = base.repository()?;
    let tree = edit(base, &repository, edits)?;
    if tree == base.tree.raw() {
        return Ok(None);
    }
    let person = |person: &Person| -> Result<Signature, Error> {
        let wrong = |text: &str| text.contains(['<', '>', '\n', '\0']);
        if wrong(&person.name) || wrong(&person.email) {
            let why = "the name and address in a commit cannot hold '<', '>' or a line break";
            return Err(Error::Config(why.to_owned()));
        }
        Ok(Signature {
            name: person.name.as_str().into(),
            email: person.email.as_str().into(),
            time: Time::new(meta.time, 0),
        })
    };
    let mut commit = gix::objs::Commit {
        tree,
        parents: [base.commit.raw()].into_iter().collect(),
        author: person(&meta.author)?,
        committer: person(&meta.committer)?,
        encoding: None,
        message: meta.message.as_str().into(),
        extra_headers: Vec::new(),
    };
    let cannot =
        |why: &dyn std::fmt::Display| Error::Config(format!("the commit cannot be written: {why}"));
    if let Some(signer) = signer {
        let mut payload = Vec::new();
        gix::objs::WriteTo::write_to(&commit, &mut payload).map_err(|why| cannot(&why))?;
        let signature = signer.sign(&payload, meta.time)?;
        commit.extra_headers.push((BString::from("gpgsig"), signature.into()));
    }
    let id = repository.objects.write(&commit).map_err(|why| cannot(&why))?;
    let objects = repository.objects.take_object_memory().unwrap_or_default();
    let unpushed: Objects =
        objects.iter().map(|(id, (kind, bytes))| (*id, (*kind, bytes.clone()))).collect();
    let generation = Arc::clone(&base.generation);
    let snapshot = Snapshot::of(generation, Arc::new(unpushed), Id::new(id))?;
    Ok(Some(NewCommit { snapshot, parent: base.commit }))
}

/// Writes the changed tree into the memory of `repository`.
fn edit(
    base: &Snapshot,
    repository: &gix::Repository,
    edits: &[Edit],
) -> Result<gix::ObjectId, Error> {
    let damaged = || base.generation.damaged(base.tree);
    let root = repository.find_tree(base.tree.raw()).map_err(|_| damaged())?;
    let root = root.decode().map_err(|_| damaged())?.into_owned();
    let mut editor =
        gix::objs::tree::Editor::new(root, &repository.objects, repository.object_hash());
    for edit in edits {
        let (Edit::Write { path, .. } | Edit::Remove { path }) = edit;
        let parts = checked(path)?;
        let refused =
            |why: &dyn std::fmt::Display| Error::Config(format!("{path} cannot be changed: {why}"));
        match edit {
            Edit::Remove { .. } => {
                editor.remove_leaf(parts.iter()).map_err(|why| refused(&why))?;
            }
            Edit::Write { bytes, .. } => {
                let root = repository.find_tree(base.tree.raw()).map_err(|_| damaged())?;
                let before = root.lookup_entry(parts.iter().copied()).map_err(|_| damaged())?;
                let kind = match before.map(|entry| entry.mode().kind()) {
                    None | Some(EntryKind::Blob) => EntryKind::Blob,
                    Some(EntryKind::BlobExecutable) => EntryKind::BlobExecutable,
                    Some(_) => return Err(refused(&"it is not a file")),
                };
                // Straight into memory, even if the mirror has such an object: the server may not.
                let id =
                    repository.objects.write_buf(Kind::Blob, bytes).map_err(|why| refused(&why))?;
                editor.upsert(parts.iter(), kind, id).map_err(|why| refused(&why))?;
            }
        }
    }
    editor
        .write(|tree| repository.objects.write(tree))
        .map_err(|why| Error::Config(format!("the tree cannot be written: {why}")))
}

/// The parts of a path that a file in a repository can have.
fn checked(path: &str) -> Result<Vec<&str>, Error> {
    let parts: Vec<&str> = path.split('/').collect();
    let wrong = |part: &&str| {
        part.is_empty()
            || matches!(*part, "." | "..")
            || part.eq_ignore_ascii_case(".git")
            || part.contains('\0')
    };
    if parts.iter().any(wrong) {
        return Err(Error::Config(format!("'{path}' is not the path of a file in a repository")));
    }
    Ok(parts)
}
