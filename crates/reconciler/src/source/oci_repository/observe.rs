//! What there is: the registry with its credentials, and the digest it has now.

use std::time::Duration;

use access::Reader;
use api::{
    image::RegistryProvider,
    reason,
    source::{OciRepository, OciRepositoryStatus},
};
use controller::Event;
use http_client::{Options, Proxy, Roots};
use kube::ResourceExt as _;
use registry::{Access, Call, Credential, Digest, DockerConfig, Repository};

use super::tag;
use crate::source::{
    Context, condition,
    pass::{Class, Failure, Pass},
};

const PREFIX: &str = "oci://";
const TIMEOUT: Duration = Duration::from_mins(1);

/// A failure to fetch that may pass.
pub(super) fn fetch(reason: &'static str, message: impl Into<String>) -> Failure {
    Failure::retry(condition::FETCH_FAILED, reason, message)
}

/// Whom to ask, and as whom.
pub(super) struct Target {
    pub(super) repository: Repository,
    access: Access,
    timeout: Duration,
}

impl Target {
    pub(super) fn call(&self) -> Call<'_> {
        Call { repository: &self.repository, access: &self.access, timeout: self.timeout }
    }
}

/// What of the repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    Tag(String),
    Digest(String),
}

impl Reference {
    /// The reference with its repository, as people write it.
    pub(super) fn shown(&self, repository: &Repository) -> String {
        match self {
            Self::Tag(tag) => format!("{}:{tag}", repository.canonical()),
            Self::Digest(digest) => format!("{}@{digest}", repository.canonical()),
        }
    }
}

/// Reads everything that the spec refers to, in upstream's order.
pub(super) async fn target(
    it: &OciRepository,
    pass: &mut Pass<OciRepositoryStatus>,
    context: &Context,
) -> Result<Target, Failure> {
    let spec = &it.spec;
    let unauthenticated = |message: String| fetch(reason::AUTHENTICATION_FAILED, message);
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = context.reader(&namespace, ("OCIRepository", &name));
    let config = keychain(it, pass, &reader).await;
    let config =
        config.map_err(|why| unauthenticated(format!("failed to get credential: {why}")))?;
    let proxy = match &spec.proxy_secret_ref {
        Some(reference) => reader
            .proxy(&reference.name)
            .await
            .map_err(|why| unauthenticated(format!("failed to get proxy address: {why}")))?,
        None => Proxy::default(),
    };
    let named = repository(it);
    let credential = match (&config, &named) {
        (Some(config), Ok(repository)) => config.credential(repository),
        (None, Ok(repository)) => login(it, repository, (&reader, &proxy)).await?,
        (_, Err(_)) => Credential::Anonymous,
    };
    let insecure = |why: String| {
        unauthenticated(format!("failed to generate transport for '{}': {why}", spec.url))
    };
    let http = options(it, proxy, &reader).await.map_err(insecure)?;
    let access = access::to_registry(&namespace, http, credential);
    context.registry.check(&access).map_err(|error| insecure(error.to_string()))?;
    let repository = named?;
    let timeout = spec.timeout.as_deref().and_then(|text| api::duration::parse(text).ok());
    Ok(Target { repository, access, timeout: timeout.unwrap_or(TIMEOUT) })
}

/// The repository in the URL.
fn repository(it: &OciRepository) -> Result<Repository, Failure> {
    let url = &it.spec.url;
    let stall = |why: String| {
        let message = format!("URL validation failed for '{url}': {why}");
        Failure::stall(condition::FETCH_FAILED, reason::URL_INVALID, message)
    };
    let name = url
        .strip_prefix(PREFIX)
        .ok_or_else(|| stall("URL must be in format 'oci://<domain>/<org>/<repo>'".to_owned()))?;
    Repository::named(name, it.spec.insecure.unwrap_or(false))
        .map_err(|error| stall(error.to_string()))
}

/// The pull secrets; none if the spec names none.
async fn keychain(
    it: &OciRepository,
    pass: &mut Pass<OciRepositoryStatus>,
    reader: &Reader<'_>,
) -> Result<Option<DockerConfig>, String> {
    let mut configs = Vec::new();
    if let Some(reference) = &it.spec.secret_ref {
        let name = &reference.name;
        let data = reader.secret(name).await.map_err(|why| {
            let message = format!("auth secret '{name}' not found");
            pass.tell(Event::trace(reason::AUTHENTICATION_FAILED, message));
            format!("failed to get secret '{}': {}", reader.full_name(name), why.bare())
        })?;
        configs.push(reader.docker_config(name, &data)?);
    }
    if let Some(name) = it.spec.service_account_name.as_deref().filter(|it| !it.is_empty()) {
        configs.extend(reader.account_configs(name).await?);
    }
    Ok(if configs.is_empty() { None } else { Some(DockerConfig::merge(configs)) })
}

/// The credential of a cloud provider, where there are no pull secrets.
async fn login(
    it: &OciRepository,
    repository: &Repository,
    (reader, proxy): (&Reader<'_>, &Proxy),
) -> Result<Credential, Failure> {
    let provider = it.spec.provider.unwrap_or_default();
    if provider == RegistryProvider::Generic {
        return Ok(Credential::Anonymous);
    }
    let account = it.spec.service_account_name.as_deref().filter(|it| !it.is_empty());
    if account.is_some() && !reader.workload.per_object {
        let message = "to use spec.serviceAccountName for provider authentication please enable \
                       the ObjectLevelWorkloadIdentity feature gate in the controller";
        let failure = Failure::plain(reason::FEATURE_GATE_DISABLED, message);
        return Err(failure.into_class(Class::Stall));
    }
    let place = repository.canonical();
    let found = reader.login(provider, &place, (account, proxy)).await.map_err(|why| {
        let message = format!("failed to get credential from {}: {why}", name(provider));
        fetch(reason::AUTHENTICATION_FAILED, message)
    })?;
    Ok(found.unwrap_or_default())
}

fn name(provider: RegistryProvider) -> &'static str {
    match provider {
        RegistryProvider::Generic => "generic",
        RegistryProvider::Aws => "aws",
        RegistryProvider::Azure => "azure",
        RegistryProvider::Gcp => "gcp",
    }
}

/// How connections are made. `insecure` without a Secret means that nobody is checked.
async fn options(it: &OciRepository, proxy: Proxy, reader: &Reader<'_>) -> Result<Options, String> {
    let secret = it.spec.cert_secret_ref.as_ref().filter(|it| !it.name.is_empty());
    let tls = match secret {
        Some(reference) => Some(reader.tls(&reference.name).await?),
        None => None,
    };
    let unchecked = tls.is_none() && it.spec.insecure.unwrap_or(false);
    let options = Options::of(tls, proxy);
    Ok(if unchecked { Options { roots: Roots::Unchecked, ..options } } else { options })
}

/// What of the repository the spec means: digest before range before tag.
pub(super) async fn reference(
    it: &OciRepository,
    call: &Call<'_>,
    context: &Context,
) -> Result<Reference, Failure> {
    let wanted = it.spec.reference.clone().unwrap_or_default();
    let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
    if let Some(digest) = filled(wanted.digest) {
        return Ok(Reference::Digest(digest));
    }
    if let Some(range) = filled(wanted.semver) {
        let filter = wanted.semver_filter.unwrap_or_default();
        let tag = tag::highest(call, &context.registry, (&range, &filter)).await;
        return tag.map(Reference::Tag).map_err(|why| {
            let url = &it.spec.url;
            let message = format!("failed to determine the artifact tag for '{url}': {why}");
            fetch(reason::READ_OPERATION_FAILED, message)
        });
    }
    Ok(Reference::Tag(filled(wanted.tag).unwrap_or_else(|| "latest".to_owned())))
}

/// The revision: the digest, with the tag it was found by.
pub(super) async fn revision(
    reference: &Reference,
    call: &Call<'_>,
    context: &Context,
) -> Result<String, Failure> {
    let unknown = |why: registry::Error| {
        fetch(reason::OCI_PULL_FAILED, format!("failed to determine artifact digest: {why}"))
    };
    match reference {
        Reference::Digest(digest) => {
            Digest::parse(digest).map(|it| it.to_string()).map_err(unknown)
        }
        Reference::Tag(tag) => {
            let digest = context.registry.resolve(call, tag).await.map_err(unknown)?;
            Ok(format!("{tag}@{digest}"))
        }
    }
}

/// The digest of a revision.
pub(super) fn digest(revision: &str) -> Result<Digest, Failure> {
    let text = revision.rsplit_once('@').map_or(revision, |(_, digest)| digest);
    Digest::parse(text).map_err(|why| {
        let message = format!("failed to determine artifact digest: {why}");
        fetch(reason::OCI_PULL_FAILED, message)
    })
}
