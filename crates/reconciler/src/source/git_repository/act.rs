//! What is done: check out, and archive.

use api::source::{Artifact, GitRepository};
use artifact::{Stored, tarball::Tarball};
use git::{Entry, Mirrors, Remote, Snapshot};
use kube::ResourceExt as _;

use super::{
    observe::{fetch, not_checked_out},
    place,
    plan::{self, Plan},
    tree::{self, Content},
};
use crate::source::{Context, pass::Failure};

/// A commit and what is in it.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) git: git::Checkout,
    /// The first line of the commit's message.
    pub(super) subject: String,
    /// What is wanted of its tree, and of those of its submodules.
    pub(super) parts: Vec<Part>,
}

/// A tree and where it is in the whole.
#[derive(Debug)]
pub(super) struct Part {
    /// Empty for the repository itself, else the path of a submodule.
    pub(super) at: String,
    pub(super) snapshot: Snapshot,
    /// With paths from the root of the whole.
    pub(super) entries: Vec<Entry>,
}

impl Checkout {
    /// The revision as the artifact tells it.
    pub(super) fn revision(&self) -> &str {
        &self.git.revision
    }
}

/// Fetches the commit that the spec means, and its submodules if they are wanted.
pub(super) async fn checkout(
    it: &GitRepository,
    plan: &Plan,
    remote: &Remote,
    context: &Context,
) -> Result<Checkout, Failure> {
    let scope = it.namespace().unwrap_or_default();
    let (mirrors, recurse) = (&context.mirrors, it.spec.recurse_submodules.unwrap_or_default());
    let fetched = fetched(mirrors, (&scope, remote), (plan, recurse));
    // One time for all of it, as upstream has it.
    let fetched = tokio::time::timeout(remote.timeout, fetched).await;
    let fetched = fetched.unwrap_or(Err(git::Error::Timeout));
    let mut checkout = fetched.map_err(not_checked_out)?;
    sparse(plan, &mut checkout.parts)?;
    Ok(checkout)
}

async fn fetched(
    mirrors: &Mirrors,
    (scope, remote): (&str, &Remote),
    (plan, recurse): (&Plan, bool),
) -> Result<Checkout, git::Error> {
    let git = mirrors.checkout(scope, remote, &plan.reference, &[]).await?;
    let message = git.snapshot.message().await?;
    let subject = message.split('\n').next().unwrap_or_default().to_owned();
    let mut parts = vec![part(String::new(), git.snapshot.clone()).await?];
    if recurse {
        let submodules = mirrors.submodules(scope, remote, &git.snapshot).await;
        let clone =
            |cause| git::Error::Clone { url: remote.address.to_string(), cause: Box::new(cause) };
        for submodule in submodules.map_err(clone)? {
            parts.push(part(submodule.path, submodule.snapshot).await?);
        }
    }
    Ok(Checkout { git, subject, parts })
}

async fn part(at: String, snapshot: Snapshot) -> Result<Part, git::Error> {
    let mut entries = snapshot.files("").await?;
    if !at.is_empty() {
        for entry in &mut entries {
            entry.path = format!("{at}/{}", entry.path);
        }
    }
    Ok(Part { at, snapshot, entries })
}

/// Keeps what begins with one of the wanted directories; upstream compares text, so `app` takes
/// `apple/x` too. Each directory must be there.
fn sparse(plan: &Plan, parts: &mut [Part]) -> Result<(), Failure> {
    if plan.sparse.is_empty() {
        return Ok(());
    }
    let wanted = |entry: &Entry| plan.sparse.iter().any(|prefix| entry.path.starts_with(prefix));
    for part in parts.iter_mut() {
        part.entries.retain(wanted);
    }
    for directory in &plan.sparse {
        let directory = directory.trim_end_matches('/');
        let is_there = |entry: &Entry| match entry.path.strip_prefix(directory) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || directory.is_empty(),
            None => false,
        };
        if !parts.iter().flat_map(|part| &part.entries).any(is_there) {
            let message = format!(
                "failed to sparse checkout directories : sparse checkout dir '{directory}' does \
                 not exist in repository: lstat {directory}: no such file or directory"
            );
            return Err(fetch(api::reason::GIT_OPERATION_FAILED, message));
        }
    }
    Ok(())
}

/// Stores the tree, with what it includes, as an artifact.
pub(super) async fn archive(
    it: &GitRepository,
    checkout: &Checkout,
    (remote, includes): (&Remote, &[Artifact]),
    context: &Context,
) -> Result<Stored, Failure> {
    let broken = |why: artifact::Error| {
        Failure::storage("ArchiveOperationFailed", "unable to archive artifact to storage", &why)
    };
    let mut tree = tree::of(it, checkout).await.map_err(broken)?;
    super::include::all(it, &mut tree, includes, context).await?;
    let rules = tree::rules(it, &tree, &checkout.parts).await.map_err(|why| {
        let message = format!("failed to load source ignore patterns from repository: {why}");
        Failure::plain("SourceIgnoreError", message)
    })?;
    if plan::is_enabled(it, plan::LARGE) {
        super::large::all(&mut tree, (&rules, &checkout.parts), remote, context).await?;
    }
    let most = context.store.options().limits.artifact_files;
    let snapshots: Vec<Snapshot> = checkout.parts.iter().map(|it| it.snapshot.clone()).collect();
    let write = move |to: &mut dyn std::io::Write| {
        let blobs = snapshots.iter().map(Snapshot::blobs).collect::<Result<Vec<_>, _>>();
        let blobs = blobs.map_err(tree::unread)?;
        let mut tarball = Tarball::new(to, most);
        tree.pack(&rules, &mut tarball, |_, content| match content {
            Content::Blob { part, id } => blobs[*part].read(*id).map_err(tree::unread),
            Content::File { path, .. } | Content::Large { path, .. } => Ok(std::fs::read(path)?),
        })?;
        tarball.finish().map(drop)
    };
    let file = format!("{}.tar.gz", checkout.git.commit());
    let place = place(it).map_err(broken)?;
    context.store.write(&place, &file, write).await.map_err(broken)
}
