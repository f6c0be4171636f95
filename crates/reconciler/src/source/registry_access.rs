//! From a spec and its Secrets to the way a registry is spoken to.

use std::{pin::Pin, sync::Arc};

use api::image::RegistryProvider;
use cloud::{Identity, Provider};
use controller::secret;
use http_client::{
    Options, Proxy, Roots,
    secret::{Secret, Tls},
};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, ResourceExt as _, api::PostParams};
use registry::{Credential, DockerConfig, Repository};

use super::Context;

/// Reads what the objects of one namespace refer to.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context,
    pub(super) namespace: &'a str,
    /// Kind and name of the object that asks.
    pub(super) object: (&'static str, &'a str),
}

impl Reader<'_> {
    /// `namespace/name`.
    pub(super) fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    /// The data of a Secret.
    pub(super) async fn secret(&self, name: &str) -> Result<secret::Data, secret::Error> {
        secret::read(&self.context.client, self.namespace, name).await
    }

    /// The proxy in a Secret.
    pub(super) async fn proxy(&self, name: &str) -> Result<Proxy, String> {
        let data = self.secret(name).await.map_err(|error| error.to_string())?;
        let name = self.full_name(name);
        http_client::secret::proxy(Secret { name: &name, data: &data })
            .map_err(|error| error.to_string())
    }

    /// The TLS material in a Secret.
    pub(super) async fn tls(&self, name: &str) -> Result<Tls, String> {
        let data = self.secret(name).await.map_err(|error| error.to_string())?;
        let name = self.full_name(name);
        http_client::secret::tls(Secret { name: &name, data: &data })
            .map_err(|error| error.to_string())
    }

    /// The credentials in a pull secret.
    pub(super) fn docker_config(
        &self,
        name: &str,
        data: &secret::Data,
    ) -> Result<DockerConfig, String> {
        let name = self.full_name(name);
        DockerConfig::parse(Secret { name: &name, data }).map_err(|error| error.to_string())
    }

    /// The credentials in the pull secrets of a ServiceAccount.
    pub(super) async fn account_configs(&self, name: &str) -> Result<Vec<DockerConfig>, String> {
        let account = self.account(name).await?;
        let mut configs = Vec::new();
        for reference in account.image_pull_secrets.iter().flatten() {
            let data = self.secret(&reference.name).await.map_err(|why| {
                let account = self.full_name(name);
                format!("failed to get image pull secret for serviceaccount '{account}': {why}")
            })?;
            configs.push(self.docker_config(&reference.name, &data)?);
        }
        Ok(configs)
    }

    /// The credential that a cloud gives out for a repository.
    pub(super) async fn login(
        &self,
        provider: RegistryProvider,
        repository: &Repository,
        (account, proxy): (Option<&str>, &Proxy),
    ) -> Result<Option<Credential>, String> {
        let provider = match provider {
            RegistryProvider::Generic => return Ok(None),
            RegistryProvider::Aws => Provider::Aws,
            RegistryProvider::Azure => Provider::Azure,
            RegistryProvider::Gcp => Provider::Gcp,
        };
        let account = self.workload_account(account).await?;
        let annotations = account.as_ref().map(ServiceAccount::annotations);
        let tokens = Tokens {
            accounts: Api::namespaced(self.context.client.clone(), self.namespace),
            name: account.as_ref().map(ServiceAccount::name_any).unwrap_or_default(),
        };
        let identity = match annotations {
            None => Identity::Process,
            Some(annotations) => Identity::ServiceAccount(cloud::ServiceAccount {
                namespace: self.namespace,
                name: &tokens.name,
                annotations,
                tokens: &tokens,
            }),
        };
        let name = repository.canonical();
        let (kind, asking) = self.object;
        let object = cloud::InvolvedObject {
            kind,
            name: asking,
            namespace: self.namespace,
            operation: "reconcile",
        };
        let request = cloud::Request { provider, repository: &name, identity, proxy, object };
        let login = self.context.cloud.login(&request).await.map_err(|error| error.to_string())?;
        Ok(Some(login.into()))
    }

    /// The ServiceAccount whose identity is used, if not that of the process.
    async fn workload_account(
        &self,
        named: Option<&str>,
    ) -> Result<Option<ServiceAccount>, String> {
        let options = &self.context.options;
        let named = named.filter(|name| !name.is_empty());
        let named = named.or(options.default_service_account.as_deref());
        match named.filter(|_| options.object_level_workload_identity) {
            None => Ok(None),
            Some(name) => self.account(name).await.map(Some),
        }
    }

    async fn account(&self, name: &str) -> Result<ServiceAccount, String> {
        let api = Api::<ServiceAccount>::namespaced(self.context.client.clone(), self.namespace);
        let full = self.full_name(name);
        match api.get_opt(name).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(format!("serviceaccount '{full}' not found")),
            Err(error) => Err(format!("failed to get serviceaccount '{full}': {error}")),
        }
    }
}

/// Connections with this TLS material; the authorities of the system stay trusted.
pub(super) fn connections(tls: Option<Tls>, proxy: Proxy) -> Options {
    let Some(tls) = tls else { return Options { proxy, ..Options::default() } };
    let roots = tls.ca.map_or(Roots::System, Roots::Added);
    Options { roots, identity: tls.identity, proxy }
}

/// Access with everything that was found.
pub(super) fn access(namespace: &str, http: Options, credential: Credential) -> registry::Access {
    registry::Access {
        tenant: namespace.to_owned(),
        http: Arc::new(http),
        credential: Arc::new(credential),
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
