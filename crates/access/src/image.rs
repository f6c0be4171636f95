//! From an ImageRepository to its registry.

use api::image::ImageRepositorySpec;
use http_client::{Options, Proxy};
use registry::{Access, Credential, DockerConfig, Repository};

use crate::{Reader, to_registry};

/// Reads everything that the spec of an ImageRepository refers to.
///
/// # Errors
/// What of it cannot be used, in upstream's words without their prefix.
pub async fn image(spec: &ImageRepositorySpec, reader: &Reader<'_>) -> Result<Access, String> {
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
        None => pull_credential(spec, reader).await?,
    };
    Ok(to_registry(reader.namespace, Options::of(tls, proxy), credential))
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
    let repository = Repository::parse(&spec.image, spec.insecure.unwrap_or(false));
    let repository = repository.map_err(|error| error.to_string())?;
    Ok(DockerConfig::merge(configs).credential(&repository))
}
