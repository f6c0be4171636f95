//! What there is: the remote with its credentials, the included artifacts, the server's references.

use api::{
    reason,
    source::{Artifact, GitProvider, GitRepository, GitRepositoryStatus},
};
use controller::{Store, secret};
use git::Remote;
use kube::ResourceExt as _;

use super::{login, plan::Plan};
use crate::source::{
    Context, condition,
    pass::{Class, Failure},
};

/// Time for one Git operation when the spec tells none.
const TIMEOUT: &str = "60s";

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
    let proxy = proxy(it, context).await?;
    let data = secret(it, context).await?;
    let mut remote = Remote::from_secret(&it.spec.url, data.as_ref()).map_err(|why| match why {
        git::Error::Config(text) if text.starts_with("failed to parse URL") => {
            let message = format!("failed to parse url '{}': {text}", bare(&it.spec.url));
            Failure::stall(condition::FETCH_FAILED, "URLInvalid", message)
        }
        other => unconfigured(other),
    })?;
    remote.proxy = proxy;
    let timeout = it.spec.timeout.as_deref().unwrap_or(TIMEOUT);
    remote.timeout = api::duration::parse(timeout)
        .map_err(|why| Failure::stall(condition::FETCH_FAILED, reason::FAILED, why.to_string()))?;
    log_in(it, &mut remote, data.as_ref(), context).await?;
    Ok(remote)
}

/// A URL without what may be a password.
fn bare(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

async fn secret(it: &GitRepository, context: &Context) -> Result<Option<secret::Data>, Failure> {
    let Some(reference) = &it.spec.secret_ref else { return Ok(None) };
    let (namespace, name) = (it.namespace().unwrap_or_default(), &reference.name);
    let data = secret::read(&context.client, &namespace, name).await;
    data.map(Some).map_err(|why| {
        // Upstream says it twice.
        let what = format!("failed to get secret '{namespace}/{name}'");
        fetch(reason::AUTHENTICATION_FAILED, format!("{what}: {what}: {}", why.bare()))
    })
}

async fn proxy(it: &GitRepository, context: &Context) -> Result<Option<git::Proxy>, Failure> {
    let Some(reference) = &it.spec.proxy_secret_ref else { return Ok(None) };
    let (namespace, name) = (it.namespace().unwrap_or_default(), &reference.name);
    let failed = |why: String| {
        let message = format!("failed to configure proxy options: {why}");
        fetch(reason::AUTHENTICATION_FAILED, message)
    };
    let data = secret::read(&context.client, &namespace, name).await;
    let data = data.map_err(|why| failed(why.to_string()))?;
    let text = |key: &str| {
        let value = data.get(key).map(|value| String::from_utf8_lossy(value).trim().to_owned());
        value.filter(|value| !value.is_empty())
    };
    let address = text("address")
        .ok_or_else(|| failed(format!("secret '{namespace}/{name}': key 'address' not found")))?;
    Ok(Some(git::Proxy { address, username: text("username"), password: text("password") }))
}

/// Logs in where the provider is more than a Secret.
async fn log_in(
    it: &GitRepository,
    remote: &mut Remote,
    data: Option<&secret::Data>,
    context: &Context,
) -> Result<(), Failure> {
    const CONFIGURATION: &str = "InvalidProviderConfiguration";
    let has_app = data.is_some_and(|data| data.contains_key("githubAppID"));
    let secret = it.spec.secret_ref.clone().unwrap_or_default().name;
    let name = format!("{}/{secret}", it.namespace().unwrap_or_default());
    match it.spec.provider.unwrap_or_default() {
        GitProvider::Generic if has_app => Err(fetch(
            CONFIGURATION,
            format!("secretRef '{name}' has github app data but provider is not set to github"),
        )),
        GitProvider::Generic => Ok(()),
        GitProvider::Github => {
            let needed =
                "secretRef with github app data must be specified when provider is set to github";
            let Some(data) = data else {
                return Err(Failure::stall(condition::FETCH_FAILED, CONFIGURATION, needed));
            };
            if !has_app {
                return Err(fetch(CONFIGURATION, needed));
            }
            login::github(remote, it, (&name, data), context).await.map_err(unconfigured)
        }
        GitProvider::Azure => Err(unconfigured(
            "provider 'azure' is not supported yet; use provider 'generic' with a token in the \
             secretRef",
        )),
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
