//! Artifacts of other `GitRepository` objects, put into the tree.

use std::{fs, path::Path as FilePath};

use api::source::{Artifact, GitRepository, GitRepositoryInclude};
use artifact::{
    Health, Kind, Lease, Place,
    tarball::{Node, Path},
};
use kube::ResourceExt as _;

use super::tree::{Content, Tree};
use crate::source::{Context, condition, pass::Failure};

/// Puts all includes into the tree, in the order of the spec. What is there already is not merged:
/// a target that is not empty is a failure, as upstream's rename is.
pub(super) async fn all(
    it: &GitRepository,
    tree: &mut Tree,
    includes: &[Artifact],
    context: &Context,
) -> Result<(), Failure> {
    let namespace = it.namespace().unwrap_or_default();
    for (include, artifact) in it.spec.include.iter().flatten().zip(includes) {
        let name = &include.repository.name;
        let (from, to) = (include.from_path.as_deref().unwrap_or_default(), target(include));
        let target = Path::clamp(to).map_err(|why| {
            let what = format!("path calculation for include '{name}' failed");
            Failure::storage("IllegalPath", &what, &why)
        })?;
        let copied = async {
            let lease = lease((&namespace, name), artifact, context).await?;
            let from = Path::clamp(from)?;
            copy(tree, (&lease, &from), &target)
        };
        copied.await.map_err(|why| {
            let message = format!("failed to copy '{name}' include from {from} to {to}: {why}");
            Failure::retry(condition::STORAGE_OPERATION_FAILED, "CopyFailure", message)
        })?;
    }
    Ok(())
}

/// Where an include goes.
fn target(include: &GitRepositoryInclude) -> &str {
    let given = include.to_path.as_deref().filter(|path| !path.is_empty());
    given.unwrap_or(&include.repository.name)
}

/// The extracted artifact. It must lie where artifacts of that repository lie, whatever its status
/// says, and is verified.
async fn lease(
    (namespace, name): (&str, &str),
    artifact: &Artifact,
    context: &Context,
) -> Result<Lease, artifact::Error> {
    let store = &context.store;
    let place = Place::new(Kind::GitRepository, namespace, name)?.to_string();
    let gone = || artifact::Error::Content(format!("artifact '{}' is gone", artifact.revision));
    if !artifact.path.starts_with(&format!("{place}/")) {
        return Err(gone());
    }
    match store.verify(&artifact.path, &artifact.digest).await? {
        Health::Sound => {}
        Health::Missing => return Err(gone()),
        Health::Damaged(why) => return Err(artifact::Error::Content(why)),
    }
    let owner = format!("include of {place}");
    store.grant(&owner, &artifact.path, &artifact.digest)?;
    store.tree(&owner, &artifact.digest).await?.ok_or_else(gone)
}

/// Puts what is at `from` in an extracted artifact to `to`.
fn copy(tree: &mut Tree, (lease, from): (&Lease, &Path), to: &Path) -> Result<(), artifact::Error> {
    let root = lease.path().join(from.as_str());
    let missing = || artifact::Error::Content(format!("'{from}' is not in the artifact"));
    let kind = fs::symlink_metadata(&root).map_err(|_| missing())?;
    let taken = tree.below(to).next().is_some()
        || (kind.is_dir() && !matches!(tree.get(to), None | Some(Node::Folder)));
    if taken {
        return Err(artifact::Error::Content(format!("'{to}' is there and not empty")));
    }
    let mut waiting = vec![(root, to.clone())];
    while let Some((at, to)) = waiting.pop() {
        let kind = fs::symlink_metadata(&at)?;
        if kind.is_dir() {
            tree.insert(to.clone(), Node::Folder)?;
            for entry in fs::read_dir(&at)? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(missing)?;
                waiting.push((entry.path(), to.join(&Path::parse(name)?)?));
            }
        } else if kind.is_file() {
            tree.insert(to, file(&at, &kind, lease))?;
        }
    }
    Ok(())
}

fn file(at: &FilePath, kind: &fs::Metadata, lease: &Lease) -> Node<Content> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = kind.permissions().mode() & 0o111 != 0;
    let content = Content::File { path: at.to_owned(), _lease: lease.clone() };
    Node::File { executable, content }
}
