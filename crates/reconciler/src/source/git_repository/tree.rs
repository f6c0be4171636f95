//! The tree of a commit as what is archived.

use std::{path::PathBuf, sync::Arc};

use api::source::GitRepository;
use artifact::{
    Lease,
    ignore::{self, Rules},
    tarball::{Node, Path},
};
use git::{Id, Mode, Snapshot};
use tempfile::TempDir;

use super::{
    act::{Checkout, Part},
    plan::{LINKS, is_enabled},
};

/// How large a file with ignore rules may be, in bytes.
const RULES: usize = 1 << 20;

/// Where the content of a file is.
#[derive(Debug)]
pub(super) enum Content {
    /// In one of the parts of the checkout.
    Blob { part: usize, id: Id },
    /// In an extracted artifact, which stays as long as this does.
    File { path: PathBuf, _lease: Lease },
    /// In a folder that stays as long as this does.
    Large { path: PathBuf, _folder: Arc<TempDir> },
}

/// What is archived.
pub(super) type Tree = artifact::tarball::Tree<Content>;

/// The entries of all parts. Links vanish as in upstream's archive, unless the object asks for those
/// that stay within the tree; a submodule that is not fetched is an empty folder.
pub(super) async fn of(it: &GitRepository, checkout: &Checkout) -> Result<Tree, artifact::Error> {
    let mut tree = Tree::default();
    for (number, part) in checkout.parts.iter().enumerate() {
        if !part.at.is_empty() {
            tree.insert(Path::parse(&part.at)?, Node::Folder)?;
        }
        for entry in &part.entries {
            let path = Path::parse(&entry.path)?;
            let content = || Content::Blob { part: number, id: entry.id };
            let node = match entry.mode {
                Mode::File => Node::File { executable: false, content: content() },
                Mode::Executable => Node::File { executable: true, content: content() },
                Mode::Submodule => Node::Folder,
                Mode::Symlink => {
                    tree.insert(path.parent().unwrap_or_default(), Node::Folder)?;
                    let target = target(&part.snapshot, entry.id, is_enabled(it, LINKS)).await?;
                    match target.filter(|target| path.reaches(target)) {
                        Some(target) => Node::Link { target },
                        None => continue,
                    }
                }
            };
            tree.insert(path, node)?;
        }
    }
    Ok(tree)
}

/// Where a link leads, if that matters.
async fn target(
    snapshot: &Snapshot,
    id: Id,
    wanted: bool,
) -> Result<Option<String>, artifact::Error> {
    if !wanted {
        return Ok(None);
    }
    let snapshot = snapshot.clone();
    let read = tokio::task::spawn_blocking(move || snapshot.blobs()?.read(id)).await;
    let bytes = read.map_err(|why| artifact::Error::Content(why.to_string()))?.map_err(unread)?;
    Ok(String::from_utf8(bytes).ok())
}

/// The ignore rules of the tree and of the spec.
pub(super) async fn rules(
    it: &GitRepository,
    tree: &Tree,
    parts: &[Part],
) -> Result<Rules, artifact::Error> {
    let mut files = Vec::new();
    for (path, node) in tree.iter().filter(|(path, _)| path.name() == Some(ignore::FILE)) {
        let Node::File { content, .. } = node else { continue };
        let bytes = match content {
            Content::Blob { part, id } => {
                let (snapshot, id) = (parts[*part].snapshot.clone(), *id);
                tokio::task::spawn_blocking(move || snapshot.blobs()?.read(id))
                    .await
                    .map_err(|why| artifact::Error::Content(why.to_string()))?
                    .map_err(unread)?
            }
            Content::File { path, .. } | Content::Large { path, .. } => {
                tokio::fs::read(path).await?
            }
        };
        if bytes.len() > RULES {
            return Err(artifact::Error::Content(format!("{path} has more than {RULES} bytes")));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        files.push((path.parent().unwrap_or_default(), text));
    }
    Rules::of(files, it.spec.ignore.as_deref())
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
pub(super) fn unread(why: git::Error) -> artifact::Error {
    artifact::Error::Content(why.to_string())
}
