//! Files of Git LFS, for objects that ask for them.

use std::sync::Arc;

use artifact::{
    ignore::Rules,
    tarball::{Node, Path},
};
use git::{Pointer, Remote};

use super::{
    act::Part,
    observe::fetch as failed,
    tree::{Content, Tree, unread},
};
use crate::source::{Context, pass::Failure};

/// A larger file is not fetched, in bytes: it is in memory while it is archived.
const FILE: u64 = 64 << 20;

/// Puts the files of Git LFS in the place of their pointers. Those that the rules leave out stay
/// away, and so do those of submodules, which have servers of their own.
pub(super) async fn all(
    tree: &mut Tree,
    (rules, parts): (&Rules, &[Part]),
    remote: &Remote,
    context: &Context,
) -> Result<(), Failure> {
    let not_fetched = |why: String| {
        let message = format!("failed to fetch files of Git LFS: {why}");
        failed(api::reason::GIT_OPERATION_FAILED, message)
    };
    let found = pointers(tree, rules, parts).await.map_err(|why| not_fetched(why.to_string()))?;
    let most = context.store.options().limits.extracted_bytes;
    check(&found, most).map_err(not_fetched)?;
    if found.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|why| not_fetched(why.to_string()))?;
    let mut wanted: Vec<Pointer> = found.iter().map(|it| it.pointer.clone()).collect();
    wanted.sort_by(|one, other| one.oid.cmp(&other.oid));
    wanted.dedup();
    let network = context.mirrors.network();
    let fetched = network.large_files(remote, &wanted, folder.path()).await;
    fetched.map_err(|why| not_fetched(why.to_string()))?;
    let folder = Arc::new(folder);
    for Found { path, executable, pointer } in found {
        let at = folder.path().join(&pointer.oid);
        let large = Content::Large { path: at, _folder: Arc::clone(&folder) };
        let placed = tree.insert(path, Node::File { executable, content: large });
        placed.map_err(|why| not_fetched(why.to_string()))?;
    }
    Ok(())
}

struct Found {
    path: Path,
    executable: bool,
    pointer: Pointer,
}

/// The pointers in the repository's own tree that are archived.
async fn pointers(
    tree: &Tree,
    rules: &Rules,
    parts: &[Part],
) -> Result<Vec<Found>, artifact::Error> {
    let Some(own) = parts.first() else { return Ok(Vec::new()) };
    let files: Vec<_> = tree
        .iter()
        .filter(|(path, _)| !rules.leaves_out(path, false))
        .filter_map(|(path, node)| match node {
            Node::File { executable, content: Content::Blob { part: 0, id } } => {
                Some((path.clone(), *executable, *id))
            }
            Node::File { .. } | Node::Folder | Node::Link { .. } => None,
        })
        .collect();
    let snapshot = own.snapshot.clone();
    let work = move || {
        let blobs = snapshot.blobs().map_err(unread)?;
        let mut found = Vec::new();
        for (path, executable, id) in files {
            if let Some(pointer) = blobs.pointer(id).map_err(unread)? {
                found.push(Found { path, executable, pointer });
            }
        }
        Ok(found)
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|why| artifact::Error::Content(why.to_string()))?
}

/// Refuses what would not fit into an artifact before anything is fetched.
fn check(found: &[Found], most: u64) -> Result<(), String> {
    if let Some(large) = found.iter().find(|it| it.pointer.size > FILE) {
        return Err(format!("'{}' has more than {FILE} bytes", large.path));
    }
    let all = found.iter().fold(0_u64, |sum, it| sum.saturating_add(it.pointer.size));
    if all > most {
        return Err(format!("they have {all} bytes, more than the {most} of an artifact"));
    }
    Ok(())
}
