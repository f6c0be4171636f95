//! What there is: the remote with its credentials, the included artifacts, the server's references.

use access::Refusal;
use api::{
    reason,
    source::{Artifact, GitRepository, GitRepositoryStatus},
};
use controller::Store;
use git::Remote;
use kube::ResourceExt as _;

use super::plan::Plan;
use crate::source::{
    Context, condition,
    pass::{Class, Failure},
};

/// A failure to fetch that may pass.
pub(super) fn fetch(reason: &'static str, message: impl Into<String>) -> Failure {
    Failure::retry(condition::FETCH_FAILED, reason, message)
}

fn unconfigured(why: impl std::fmt::Display) -> Failure {
    let message = format!("failed to configure authentication options: {why}");
    fetch(reason::AUTHENTICATION_FAILED, message)
}

/// The repository on its server.
pub(super) async fn remote(it: &GitRepository, context: &Context) -> Result<Remote, Failure> {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = context.reader(&namespace, ("GitRepository", &name));
    access::remote(it, &reader, &context.forge).await.map_err(|why| match why {
        Refusal::Secret(why) => {
            // Upstream says it twice.
            let name = it.spec.secret_ref.clone().unwrap_or_default().name;
            let what = format!("failed to get secret '{namespace}/{name}'");
            fetch(reason::AUTHENTICATION_FAILED, format!("{what}: {what}: {}", why.bare()))
        }
        Refusal::Proxy(why) => {
            let message = format!("failed to configure proxy options: {why}");
            fetch(reason::AUTHENTICATION_FAILED, message)
        }
        Refusal::Remote(why @ git::Error::Address(_)) => {
            let message = format!("failed to parse url '{}': {why}", bare(&it.spec.url));
            Failure::stall(condition::FETCH_FAILED, reason::URL_INVALID, message)
        }
        Refusal::Remote(why) => unconfigured(why),
        Refusal::Timeout(why) => Failure::stall(condition::FETCH_FAILED, reason::FAILED, why),
        Refusal::Provider { message, is_final } => {
            let failure = fetch(reason::INVALID_PROVIDER_CONFIGURATION, message);
            if is_final { failure.into_class(Class::Stall) } else { failure }
        }
        Refusal::Gate(why) => {
            Failure::stall(condition::FETCH_FAILED, reason::FEATURE_GATE_DISABLED, why)
        }
        Refusal::Login(why) => unconfigured(why),
    })
}

/// A URL without what may be a password.
fn bare(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

/// The artifacts of the included repositories, in the order of the spec.
pub(super) fn includes(
    it: &GitRepository,
    repositories: &Store<GitRepository>,
    context: &Context,
) -> Result<Vec<Artifact>, Failure> {
    let namespace = it.namespace().unwrap_or_default();
    let missing = |reason: &'static str, message: String| {
        let after = context.options.requeue_dependency;
        Failure::retry(condition::INCLUDE_UNAVAILABLE, reason, message)
            .into_class(Class::Wait(after))
    };
    let of = |name: &str| {
        let found = repositories.get(&namespace, name).ok_or_else(|| {
            missing(
                "NotFound",
                format!(
                    "could not get resource for include '{name}': \
                     GitRepository.source.toolkit.fluxcd.io {name:?} not found"
                ),
            )
        })?;
        found.status.as_ref().and_then(|status| status.artifact.clone()).ok_or_else(|| {
            missing("NoArtifact", format!("no artifact available for include '{name}'"))
        })
    };
    it.spec.include.iter().flatten().map(|include| of(&include.repository.name)).collect()
}

/// The revision of the artifact, if that is what the server has now. Nothing is fetched.
pub(super) async fn unchanged(
    plan: &Plan,
    status: &GitRepositoryStatus,
    (remote, context): (&Remote, &Context),
) -> Result<Option<String>, Failure> {
    let Some(known) = &status.artifact else { return Ok(None) };
    let network = context.mirrors.network();
    let now = plan.reference.observe(network, remote).await.map_err(not_checked_out)?;
    Ok(now.filter(|now| *now == known.revision))
}

/// What a Git operation failed with.
pub(super) fn not_checked_out(why: git::Error) -> Failure {
    match why {
        git::Error::Empty => fetch("EmptyGitRepository", "git repository is empty"),
        why => fetch(
            reason::GIT_OPERATION_FAILED,
            format!("failed to checkout and determine revision: {why}"),
        ),
    }
}
