//! What the spec asks for, and whether the artifact may already be that: pure.

use std::time::Duration;

use api::{
    meta::Status as _,
    source::{Artifact, GitRepository, GitRepositoryRef, GitRepositoryStatus, GitVerificationMode},
};
use git::Reference;
use kube::ResourceExt as _;

use crate::source::{condition, pass::Failure};

/// What a run is about.
#[derive(Debug)]
pub(super) struct Plan {
    /// What to check out.
    pub(super) reference: Reference,
    /// Time between two looks.
    pub(super) every: Duration,
    /// Whether something else than the commit asks for another artifact.
    pub(super) content_changed: bool,
    /// Whether there is an artifact that a look at the references can confirm.
    pub(super) may_be_unchanged: bool,
    /// Directories to check out, as prefixes of paths; all when there are none.
    pub(super) sparse: Vec<String>,
}

/// Reads the spec and holds it against what was observed last.
pub(super) fn plan(
    it: &GitRepository,
    includes: &[Artifact],
    status: &GitRepositoryStatus,
) -> Result<Plan, Failure> {
    let every = api::duration::parse(&it.spec.interval).map_err(|why| {
        Failure::stall(condition::FETCH_FAILED, api::reason::FAILED, why.to_string())
    })?;
    let stored = status
        .condition(condition::ARTIFACT_IN_STORAGE)
        .is_some_and(|condition| condition.status == "True");
    let content_changed = content_changed(it, includes, status);
    let sparse = it.spec.sparse_checkout.iter().flatten();
    Ok(Plan {
        reference: it.spec.reference.as_ref().map(to_git).unwrap_or_default(),
        every,
        content_changed,
        may_be_unchanged: stored && status.artifact.is_some() && !content_changed,
        sparse: sparse.map(|path| path.strip_prefix("./").unwrap_or(path).to_owned()).collect(),
    })
}

fn to_git(it: &GitRepositoryRef) -> Reference {
    Reference {
        branch: it.branch.clone(),
        tag: it.tag.clone(),
        semver: it.semver.clone(),
        name: it.name.clone(),
        commit: it.commit.clone(),
    }
}

/// Whether another set of revisions is included than before, in whatever order.
pub(super) fn includes_differ(now: &[Artifact], status: &GitRepositoryStatus) -> bool {
    let before = status.included_artifacts.as_deref().unwrap_or_default();
    let is_known = |it: &Artifact| before.iter().any(|known| known.revision == it.revision);
    now.len() != before.len() || !now.iter().all(is_known)
}

/// Whether what makes up the artifact besides the commit differs from what it was made with, or
/// something must be verified that was not (source-controller `gitContentConfigChanged`).
fn content_changed(
    it: &GitRepository,
    includes: &[Artifact],
    status: &GitRepositoryStatus,
) -> bool {
    let spec = &it.spec;
    let same = |now: &[Artifact], before: &[Artifact]| {
        now.len() == before.len()
            && now
                .iter()
                .zip(before)
                .all(|(now, before)| now.revision == before.revision && now.digest == before.digest)
    };
    spec.ignore != status.observed_ignore
        || spec.recurse_submodules.unwrap_or_default()
            != status.observed_recurse_submodules.unwrap_or_default()
        || spec.include.as_deref().unwrap_or_default()
            != status.observed_include.as_deref().unwrap_or_default()
        || spec.sparse_checkout.as_deref().unwrap_or_default()
            != status.observed_sparse_checkout.as_deref().unwrap_or_default()
        || !same(includes, status.included_artifacts.as_deref().unwrap_or_default())
        || OPTIONS.iter().any(|option| is_enabled(it, option) != was_enabled(status, option))
        || must_be_verified(it, status)
}

/// Whether the artifact was made with an option: its metadata says so.
fn was_enabled(status: &GitRepositoryStatus, option: &str) -> bool {
    let metadata = status.artifact.as_ref().and_then(|artifact| artifact.metadata.as_ref());
    metadata.is_some_and(|metadata| metadata.contains_key(option))
}

fn must_be_verified(it: &GitRepository, status: &GitRepositoryStatus) -> bool {
    let Some(mode) = mode(it) else { return false };
    match status.source_verification_mode.as_deref() {
        None => true,
        Some("Tag") => mode != GitVerificationMode::Tag,
        Some("HEAD" | "head") => mode_name(mode) != "HEAD",
        Some(_) => false,
    }
}

/// A mode as the status tells it.
pub(super) fn mode_name(mode: GitVerificationMode) -> &'static str {
    match mode {
        GitVerificationMode::Head | GitVerificationMode::HEAD => "HEAD",
        GitVerificationMode::Tag => "Tag",
        GitVerificationMode::TagAndHEAD => "TagAndHEAD",
    }
}

/// The annotation that keeps symbolic links within the tree, with the value `enabled`.
pub(super) const LINKS: &str = "source.sluice.dev/symlinks";

/// The annotation that puts files of Git LFS in the place of their pointers, with the value
/// `enabled`.
pub(super) const LARGE: &str = "source.sluice.dev/lfs";

/// Annotations that change what is in the artifact.
pub(super) const OPTIONS: [&str; 2] = [LINKS, LARGE];

/// Whether an object asks for an option.
pub(super) fn is_enabled(it: &GitRepository, option: &str) -> bool {
    it.annotations().get(option).is_some_and(|value| value == "enabled")
}

/// What is to be verified.
pub(super) fn mode(it: &GitRepository) -> Option<GitVerificationMode> {
    it.spec.verify.as_ref().map(|verify| verify.mode.unwrap_or_default())
}
