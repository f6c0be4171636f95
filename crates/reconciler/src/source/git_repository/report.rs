//! What is told of a run: pure.

use std::collections::BTreeMap;

use api::{
    reason,
    source::{Artifact, GitRepository, GitRepositoryStatus},
};
use controller::Event;

use super::{
    act::Checkout,
    plan::{OPTIONS, Plan, is_enabled},
};
use crate::source::{
    condition,
    pass::{Done, Pass},
};

/// How much of a commit's subject is told, in characters.
const SUBJECT: usize = 50;

type GitPass = Pass<GitRepositoryStatus>;

/// The server has what the artifact is.
pub(super) fn unchanged(pass: &mut GitPass, plan: &Plan, revision: &str) -> Done {
    pass.clear(condition::FETCH_FAILED);
    in_storage(pass, revision);
    let message = format!("no changes since last reconcilation: observed revision '{revision}'");
    Done {
        every: plan.every,
        news: format!("stored artifact for commit '{revision}'"),
        steady: Event::trace("GitOperationSucceeded", message),
    }
}

/// The commit that was checked out is what the artifact was made of.
pub(super) fn up_to_date(
    pass: &mut GitPass,
    plan: &Plan,
    checkout: &Checkout,
    revision: &str,
) -> Done {
    in_storage(pass, revision);
    let message = format!("artifact up-to-date with remote revision: '{revision}'");
    Done {
        every: plan.every,
        news: news(checkout),
        steady: Event::trace("ArtifactUpToDate", message),
    }
}

/// There is a new artifact: what it was made of is recorded.
pub(super) fn stored(
    it: &GitRepository,
    pass: &mut GitPass,
    includes: Vec<Artifact>,
    (plan, checkout): (&Plan, &Checkout),
) -> Done {
    let status = &mut pass.status;
    let options = OPTIONS.iter().filter(|option| is_enabled(it, option));
    let options: BTreeMap<_, _> =
        options.map(|option| ((*option).to_owned(), "enabled".to_owned())).collect();
    if let Some(artifact) = status.artifact.as_mut().filter(|_| !options.is_empty()) {
        artifact.metadata = Some(options);
    }
    status.included_artifacts = Some(includes).filter(|includes| !includes.is_empty());
    status.observed_ignore.clone_from(&it.spec.ignore);
    status.observed_recurse_submodules = it.spec.recurse_submodules.filter(|recurse| *recurse);
    status.observed_include = it.spec.include.clone().filter(|include| !include.is_empty());
    status.observed_sparse_checkout =
        it.spec.sparse_checkout.clone().filter(|sparse| !sparse.is_empty());
    up_to_date(pass, plan, checkout, checkout.revision())
}

fn in_storage(pass: &mut GitPass, revision: &str) {
    let message = format!("stored artifact for revision '{revision}'");
    pass.clear(condition::ARTIFACT_OUTDATED);
    pass.mark(condition::ARTIFACT_IN_STORAGE, "True", (reason::SUCCEEDED, &message));
}

fn news(checkout: &Checkout) -> String {
    let subject = &checkout.subject;
    match subject.char_indices().nth(SUBJECT) {
        Some((end, _)) => format!("stored artifact for commit '{}...'", &subject[..end]),
        None => format!("stored artifact for commit '{subject}'"),
    }
}
