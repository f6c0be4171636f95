//! Commits of components that are commits: whether they are there, what changed between two of them, and
//! folders that stages copy.

use std::collections::BTreeMap;

use api::{
    promotion::{self as v1, GitSource, Pipeline},
    source::GitRepository,
};
use git::{Entry, Fetched, Id, Mode, Snapshot, Want};
use kube::ResourceExt as _;
use setters::stage::{Copy, Kind};

use crate::{Context, branch, message, origin::Unknown, store::Stores};

/// How many commits are looked through for one that is not a promotion's.
const HISTORY: usize = 1000;

fn later(why: impl std::fmt::Display) -> Unknown {
    Unknown::Later(format!("{why}"))
}

/// The repository of a component, fetched with all commits of its branch.
pub(crate) async fn fetch(it: &GitRepository, context: &Context) -> Result<Fetched, Unknown> {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let access = repository::Access {
        client: &context.client,
        cloud: &context.cloud,
        forge: &context.forge,
        kind: "GitRepository",
        name: &name,
        namespace: &namespace,
    };
    let remote = repository::remote(it, &access).await.map_err(later)?;
    let want = if let Some(branch) = branch_of(it) {
        Want::branch(&branch).with_history()
    } else {
        let commit = commit_of(it).ok_or_else(|| later("it has no commit yet"))?;
        Want { commits: vec![commit], ..Want::default() }
    };
    context.mirrors.fetch(&namespace, &remote, &want).await.map_err(later)
}

/// The branch that a source follows, if it follows one.
pub(crate) fn branch_of(it: &GitRepository) -> Option<String> {
    let Some(reference) = &it.spec.reference else { return Some("master".to_owned()) };
    let other = reference.tag.is_some() || reference.semver.is_some();
    let other = other || reference.commit.is_some() || reference.name.is_some();
    let branch = reference.branch.clone().filter(|it| !it.is_empty());
    branch.or_else(|| (!other).then(|| "master".to_owned()))
}

fn commit_of(it: &GitRepository) -> Option<Id> {
    let revision = &it.status.as_ref()?.artifact.as_ref()?.revision;
    crate::deploy::commit_of(revision)
}

/// Whether the branch of a source holds a commit: a forced push may have thrown it away.
pub(crate) async fn holds(it: &GitRepository, id: Id, context: &Context) -> Result<(), Unknown> {
    let Some(branch) = branch_of(it) else { return Ok(()) };
    let fetched = fetch(it, context).await?;
    let head = fetched.commit(&format!("refs/heads/{branch}"));
    let head = head.ok_or_else(|| later(format!("branch '{branch}' is not there")))?;
    let head = fetched.snapshot(head).await.map_err(later)?;
    match head.contains(id).await.map_err(later)? {
        Some(false) => Err(Unknown::Gone(format!("branch '{branch}' does not hold {id}"))),
        Some(true) | None => Ok(()),
    }
}

/// Whether anything that counts differs between two commits of a component.
pub(crate) struct Change<'a> {
    pub(crate) source: &'a GitRepository,
    pub(crate) spec: &'a GitSource,
    pub(crate) pipe: &'a Pipeline,
    pub(crate) from: Id,
    pub(crate) to: Id,
}

impl Change<'_> {
    /// Whether the newer commit is another value of the component.
    pub(crate) async fn counts(
        &self,
        (context, stores): (&Context, &Stores),
    ) -> Result<bool, Unknown> {
        let ignored = self.ignored(stores);
        let writes_here = !ignored.is_empty();
        if self.spec.paths.is_empty() && self.spec.ignore_paths.is_empty() && !writes_here {
            return Ok(true);
        }
        let fetched = fetch(self.source, context).await?;
        let to = fetched.snapshot(self.to).await.map_err(later)?;
        // What was there before may be gone: then everything counts.
        let Ok(from) = fetched.snapshot(self.from).await else { return Ok(true) };
        if writes_here {
            let since = to.since(self.from, HISTORY).await.map_err(later)?;
            let own = |it: &Vec<(Id, String)>| {
                !it.is_empty() && it.iter().all(|(_, text)| message::is_ours(text))
            };
            if since.as_ref().is_some_and(own) {
                return Ok(false);
            }
        }
        let ignored: Vec<&String> =
            ignored.iter().filter(|it| !it.is_empty()).chain(&self.spec.ignore_paths).collect();
        Ok(self.listed(&from, &ignored).await? != self.listed(&to, &ignored).await?)
    }

    /// The paths that stages of the same pipeline edit in this very repository; their own commits make no
    /// bundles. An empty one stands for the whole repository.
    fn ignored(&self, stores: &Stores) -> Vec<String> {
        let stages = stores.stages.in_namespace(&self.pipe.namespace().unwrap_or_default());
        let own = stages.iter().filter(|it| it.spec.pipeline_ref.name == self.pipe.name_any());
        let writes = |it: &&std::sync::Arc<v1::Stage>| {
            let key = branch::repository_key(it, self.pipe);
            let to = key.and_then(|(namespace, name)| stores.repositories.get(&namespace, &name));
            to.is_some_and(|to| to.spec.url == self.source.spec.url)
                && branch::branch_of(it, self.pipe, stores) == branch_of(self.source)
        };
        let paths = |it: &std::sync::Arc<v1::Stage>| {
            let paths = it.spec.edit.clone().unwrap_or_default().paths;
            if paths.is_empty() { vec![String::new()] } else { paths }
        };
        own.filter(writes).flat_map(paths).collect()
    }

    async fn listed(
        &self,
        at: &Snapshot,
        ignored: &[&String],
    ) -> Result<BTreeMap<String, Id>, Unknown> {
        let inside = |path: &str, folder: &str| {
            let folder = folder.trim_start_matches("./").trim_matches('/');
            let rest = path.strip_prefix(folder);
            matches!(folder, "" | ".")
                || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let all: Vec<Entry> = at.files("").await.map_err(later)?;
        let counts = |path: &str| {
            let paths = &self.spec.paths;
            (paths.is_empty() || paths.iter().any(|it| inside(path, it)))
                && !ignored.iter().any(|it| inside(path, it))
        };
        Ok(all.into_iter().filter(|it| counts(&it.path)).map(|it| (it.path, it.id)).collect())
    }
}

/// A folder at a commit of a component, to be copied.
///
/// # Errors
/// What cannot be had.
pub(crate) async fn folder(
    it: &v1::Copy,
    (source, id): (&GitRepository, Id),
    context: &Context,
) -> Result<Copy, Unknown> {
    let fetched = fetch(source, context).await?;
    let at = fetched.snapshot(id).await.map_err(later)?;
    let from = it.from.trim_start_matches("./").trim_matches('/').to_owned();
    let prefix = if from.is_empty() { String::new() } else { format!("{from}/") };
    let take = move |entry: &Entry, bytes: Vec<u8>| {
        let kind = match entry.mode {
            Mode::File | Mode::Executable => Kind::File,
            Mode::Symlink | Mode::Submodule => Kind::Other,
        };
        // A single file is no folder.
        entry.path.strip_prefix(&prefix).map(|rest| (rest.to_owned(), (kind, bytes)))
    };
    let scan = at.scan(&from, |_| true, take).await;
    let scan = scan.map_err(|why| Unknown::Gone(format!("'{from}' at {id}: {why}")))?;
    if scan.found.is_empty() {
        return Err(Unknown::Gone(format!("'{from}' is no folder at {id}")));
    }
    if let Some(large) = scan.skipped.first() {
        return Err(Unknown::Gone(format!("'{}' at {id} is too large", large.path)));
    }
    let (component, to) = (it.component.clone(), it.to.clone());
    Ok(Copy { component, to, tree: scan.found.into_iter().collect() })
}
