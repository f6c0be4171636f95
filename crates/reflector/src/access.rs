//! From a spec and its Secrets to the way a registry is spoken to.

use std::{pin::Pin, sync::Arc, time::Duration};

use api::image::{ImageRepository, ImageRepositorySpec, RegistryProvider};
use cloud::{Identity, InvolvedObject, Provider};
use controller::secret::{self, Data};
use http_client::{Options, Proxy, Roots};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, ResourceExt as _, api::PostParams};
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
    let reader = Reader { context, it, namespace: it.namespace().unwrap_or_default() };
    let proxy = reader.proxy().await?;
    let login = reader.login(&proxy).await?;
    let options = reader.options(proxy).await?;
    let credential = match login {
        Some(credential) => credential,
        None => reader.pull_credential().await?,
    };
    let access = Access {
        tenant: reader.namespace,
        http: Arc::new(options),
        credential: Arc::new(credential),
    };
    context.registry.check(&access).map_err(|error| error.to_string())?;
    Ok(access)
}

struct Reader<'a> {
    context: &'a Context,
    it: &'a ImageRepository,
    namespace: String,
}

impl Reader<'_> {
    async fn proxy(&self) -> Result<Proxy, String> {
        let Some(reference) = &self.it.spec.proxy_secret_ref else { return Ok(Proxy::default()) };
        let data = self.secret(&reference.name).await?;
        let name = self.full_name(&reference.name);
        http_client::secret::proxy(http_client::secret::Secret { name: &name, data: &data })
            .map_err(|error| error.to_string())
    }

    /// System authorities and the given ones, and the client certificate.
    async fn options(&self, proxy: Proxy) -> Result<Options, String> {
        let Some(reference) = &self.it.spec.cert_secret_ref else {
            return Ok(Options { proxy, ..Options::default() });
        };
        let data = self.secret(&reference.name).await?;
        let name = self.full_name(&reference.name);
        let tls =
            http_client::secret::tls(http_client::secret::Secret { name: &name, data: &data })
                .map_err(|error| error.to_string())?;
        let roots = tls.ca.map_or(Roots::System, Roots::Added);
        Ok(Options { roots, identity: tls.identity, proxy })
    }

    /// The credential of a cloud provider, which takes the place of all Secrets.
    async fn login(&self, proxy: &Proxy) -> Result<Option<Credential>, String> {
        let provider = match self.it.spec.provider.unwrap_or_default() {
            RegistryProvider::Generic => return Ok(None),
            RegistryProvider::Aws => Provider::Aws,
            RegistryProvider::Azure => Provider::Azure,
            RegistryProvider::Gcp => Provider::Gcp,
        };
        let account = self.workload_account().await?;
        let annotations = account.as_ref().map(ServiceAccount::annotations);
        let tokens = Tokens {
            accounts: Api::namespaced(self.context.client.clone(), &self.namespace),
            name: account.as_ref().map(ServiceAccount::name_any).unwrap_or_default(),
        };
        let identity = match annotations {
            None => Identity::Process,
            Some(annotations) => Identity::ServiceAccount(cloud::ServiceAccount {
                namespace: &self.namespace,
                name: &tokens.name,
                annotations,
                tokens: &tokens,
            }),
        };
        let object = InvolvedObject {
            kind: "ImageRepository",
            name: &self.it.name_any(),
            namespace: &self.namespace,
            operation: "reconcile",
        };
        let repository = &self.it.spec.image;
        let request = cloud::Request { provider, repository, identity, proxy, object };
        let login = self.context.cloud.login(&request).await.map_err(|error| error.to_string())?;
        Ok(Some(login.into()))
    }

    /// The ServiceAccount whose identity is used, if not that of the process.
    async fn workload_account(&self) -> Result<Option<ServiceAccount>, String> {
        let options = &self.context.options;
        let named = self.it.spec.service_account_name.clone().filter(|name| !name.is_empty());
        let named = named.or_else(|| options.default_service_account.clone());
        match named.filter(|_| options.object_level_workload_identity) {
            None => Ok(None),
            Some(name) => self.account(&name).await.map(Some),
        }
    }

    /// The credential for the repository in the Secret and in the pull secrets.
    async fn pull_credential(&self) -> Result<Credential, String> {
        let spec = &self.it.spec;
        let mut configs = Vec::new();
        if let Some(reference) = &spec.secret_ref {
            let data = secret::read(&self.context.client, &self.namespace, &reference.name)
                .await
                .map_err(|error| error.bare())?;
            configs.push(self.docker_config(&reference.name, &data)?);
        }
        if let Some(name) = spec.service_account_name.as_deref().filter(|name| !name.is_empty()) {
            let account = self.account(name).await?;
            for reference in account.image_pull_secrets.iter().flatten() {
                let data = self.secret(&reference.name).await.map_err(|why| {
                    let account = self.full_name(name);
                    format!("failed to get image pull secret for serviceaccount '{account}': {why}")
                })?;
                configs.push(self.docker_config(&reference.name, &data)?);
            }
        }
        let repository = parse(spec).map_err(|error| error.to_string())?;
        Ok(DockerConfig::merge(configs).credential(&repository))
    }

    fn docker_config(&self, name: &str, data: &Data) -> Result<DockerConfig, String> {
        let name = self.full_name(name);
        DockerConfig::parse(http_client::secret::Secret { name: &name, data })
            .map_err(|error| error.to_string())
    }

    async fn account(&self, name: &str) -> Result<ServiceAccount, String> {
        let api = Api::<ServiceAccount>::namespaced(self.context.client.clone(), &self.namespace);
        let full = self.full_name(name);
        match api.get_opt(name).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(format!("serviceaccount '{full}' not found")),
            Err(error) => Err(format!("failed to get serviceaccount '{full}': {error}")),
        }
    }

    async fn secret(&self, name: &str) -> Result<Data, String> {
        secret::read(&self.context.client, &self.namespace, name)
            .await
            .map_err(|error| error.to_string())
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }
}

/// Tokens of one ServiceAccount.
struct Tokens {
    accounts: Api<ServiceAccount>,
    name: String,
}

impl cloud::TokenSource for Tokens {
    fn token<'a>(
        &'a self,
        audiences: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
        Box::pin(async move {
            let request = TokenRequest {
                spec: TokenRequestSpec { audiences: audiences.to_vec(), ..Default::default() },
                ..Default::default()
            };
            let answer = self
                .accounts
                .create_token_request(&self.name, &PostParams::default(), &request)
                .await
                .map_err(|error| error.to_string())?;
            answer.status.map(|status| status.token).ok_or_else(|| "no token was made".to_owned())
        })
    }
}
