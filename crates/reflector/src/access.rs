//! From a spec and its Secrets to the way a registry is spoken to.

use std::time::Duration;

use ::access::{Reader, Workload, to_registry};
use api::image::{ImageRepository, ImageRepositorySpec};
use cloud::InvolvedObject;
use http_client::{Options, Proxy};
use kube::ResourceExt as _;
use registry::{Access, Credential, DockerConfig, Repository};

use crate::Context;

/// The least time that a conversation gets.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// Whose reconciliation needs the access.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Referrer {
    Repository,
    Policy,
}

/// The repository that a spec names.
pub(crate) fn parse(spec: &ImageRepositorySpec) -> Result<Repository, registry::Error> {
    Repository::parse(&spec.image, spec.insecure.unwrap_or(false))
}

/// The time one conversation with the registry may take: the interval unless the spec says
/// otherwise, at least a second. The CRD admits only durations.
pub(crate) fn timeout(spec: &ImageRepositorySpec) -> Duration {
    let text = spec.timeout.as_deref().unwrap_or(&spec.interval);
    api::duration::parse(text).unwrap_or_default().max(LEAST_TIMEOUT)
}

/// Reads everything that the spec of `it` refers to. Errors are upstream's, without its prefix.
pub(crate) async fn of(context: &Context, it: &ImageRepository) -> Result<Access, String> {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = Reader {
        client: &context.client,
        cloud: &context.cloud,
        workload: Workload {
            per_object: context.options.object_level_workload_identity,
            default_account: context.options.default_service_account.as_deref(),
        },
        namespace: &namespace,
        object: InvolvedObject {
            kind: "ImageRepository",
            name: &name,
            namespace: &namespace,
            operation: "reconcile",
        },
    };
    let spec = &it.spec;
    let proxy = match &spec.proxy_secret_ref {
        Some(reference) => reader.proxy(&reference.name).await?,
        None => Proxy::default(),
    };
    // The credential of a cloud takes the place of all Secrets.
    let (provider, account) =
        (spec.provider.unwrap_or_default(), spec.service_account_name.as_deref());
    let login = reader.login(provider, &spec.image, (account, &proxy)).await?;
    let tls = match &spec.cert_secret_ref {
        Some(reference) => Some(reader.tls(&reference.name).await?),
        None => None,
    };
    let credential = match login {
        Some(credential) => credential,
        None => pull_credential(spec, &reader).await?,
    };
    let access = to_registry(&namespace, Options::of(tls, proxy), credential);
    context.registry.check(&access).map_err(|error| error.to_string())?;
    Ok(access)
}

/// The credential for the repository in the Secret and in the pull secrets.
async fn pull_credential(
    spec: &ImageRepositorySpec,
    reader: &Reader<'_>,
) -> Result<Credential, String> {
    let mut configs = Vec::new();
    if let Some(reference) = &spec.secret_ref {
        let data = reader.secret(&reference.name).await.map_err(|error| error.bare())?;
        configs.push(reader.docker_config(&reference.name, &data)?);
    }
    if let Some(name) = spec.service_account_name.as_deref().filter(|name| !name.is_empty()) {
        configs.extend(reader.account_configs(name).await?);
    }
    let repository = parse(spec).map_err(|error| error.to_string())?;
    Ok(DockerConfig::merge(configs).credential(&repository))
}
