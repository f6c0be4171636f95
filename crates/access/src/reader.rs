//! Secrets and `ServiceAccounts` of one namespace, on behalf of one object.

use std::sync::Arc;

use api::image::RegistryProvider;
use cloud::{Cloud, Identity, InvolvedObject, Provider, Token};
use controller::secret;
use http_client::{
    Options, Proxy,
    secret::{Secret, Tls},
};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, ResourceExt as _};
use registry::{Access, Credential, DockerConfig};

use crate::Tokens;

/// As whom clouds are asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workload<'a> {
    /// Feature gate `ObjectLevelWorkloadIdentity`: objects may have identities of their own.
    pub per_object: bool,
    /// `--default-service-account`: the ServiceAccount of objects that name none.
    pub default_account: Option<&'a str>,
}

impl<'a> Workload<'a> {
    /// The ServiceAccount that stands for an object which names this one; none where the process
    /// itself does.
    pub fn account(&self, named: Option<&'a str>) -> Option<&'a str> {
        let named = named.filter(|name| !name.is_empty()).or(self.default_account);
        named.filter(|_| self.per_object)
    }
}

/// Reads what the objects of one namespace refer to.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Where identities become tokens.
    pub cloud: &'a Cloud,
    /// As whom clouds are asked.
    pub workload: Workload<'a>,
    /// Where everything is that is referred to.
    pub namespace: &'a str,
    /// The object that asks, for who counts.
    pub object: InvolvedObject<'a>,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({})", self.namespace)
    }
}

impl Reader<'_> {
    /// `namespace/name`.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    /// The data of a Secret.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn secret(&self, name: &str) -> Result<secret::Data, secret::Error> {
        secret::read(self.client, self.namespace, name).await
    }

    /// The proxy in a Secret.
    ///
    /// # Errors
    /// When the Secret cannot be read, or holds no proxy.
    pub async fn proxy(&self, name: &str) -> Result<Proxy, String> {
        let data = self.secret(name).await.map_err(|error| error.to_string())?;
        let name = self.full_name(name);
        http_client::secret::proxy(Secret { name: &name, data: &data })
            .map_err(|error| error.to_string())
    }

    /// The TLS material in a Secret.
    ///
    /// # Errors
    /// When the Secret cannot be read, or holds none.
    pub async fn tls(&self, name: &str) -> Result<Tls, String> {
        let data = self.secret(name).await.map_err(|error| error.to_string())?;
        let name = self.full_name(name);
        http_client::secret::tls(Secret { name: &name, data: &data })
            .map_err(|error| error.to_string())
    }

    /// The credentials in a pull secret.
    ///
    /// # Errors
    /// When it is none.
    pub fn docker_config(&self, name: &str, data: &secret::Data) -> Result<DockerConfig, String> {
        let name = self.full_name(name);
        DockerConfig::parse(Secret { name: &name, data }).map_err(|error| error.to_string())
    }

    /// The credentials in the pull secrets of a ServiceAccount.
    ///
    /// # Errors
    /// When the ServiceAccount or one of its pull secrets cannot be read.
    pub async fn account_configs(&self, name: &str) -> Result<Vec<DockerConfig>, String> {
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

    /// The credential that a cloud gives out for a repository; `account` is the ServiceAccount that
    /// the object names.
    ///
    /// # Errors
    /// When the cloud refuses, or the ServiceAccount cannot be read.
    pub async fn login(
        &self,
        provider: RegistryProvider,
        repository: &str,
        (account, proxy): (Option<&str>, &Proxy),
    ) -> Result<Option<Credential>, String> {
        let provider = match provider {
            RegistryProvider::Generic => return Ok(None),
            RegistryProvider::Aws => Provider::Aws,
            RegistryProvider::Azure => Provider::Azure,
            RegistryProvider::Gcp => Provider::Gcp,
        };
        let account = self.workload_account(account).await?;
        let tokens = self.tokens(account.as_ref());
        let identity = identity(self.namespace, account.as_ref(), &tokens);
        let object = self.object;
        let request = cloud::Request { provider, repository, identity, proxy, sts: None, object };
        let login = self.cloud.login(&request).await.map_err(|error| error.to_string())?;
        Ok(Some(login.into()))
    }

    /// The bearer token that a cloud gives out for one of its services; `account` is the
    /// ServiceAccount that the object names.
    ///
    /// # Errors
    /// When the cloud refuses or has no such tokens, or the ServiceAccount cannot be read.
    pub async fn bearer(
        &self,
        provider: Provider,
        service: &str,
        (account, proxy): (Option<&str>, &Proxy),
    ) -> Result<String, String> {
        match self.token((provider, service), None, (account, proxy)).await? {
            Token::Bearer(bearer) => Ok(bearer.token),
            Token::Aws(_) => Err("AWS has no bearer tokens".to_owned()),
        }
    }

    /// What a cloud gives out for one of its services, as [`Cloud::token`] says; `account` is the
    /// ServiceAccount that the object names, `sts` the address of AWS' token service if it names one.
    ///
    /// # Errors
    /// When the cloud refuses, or the ServiceAccount cannot be read.
    pub async fn token(
        &self,
        (provider, target): (Provider, &str),
        sts: Option<&str>,
        (account, proxy): (Option<&str>, &Proxy),
    ) -> Result<Token, String> {
        let account = self.workload_account(account).await?;
        let tokens = self.tokens(account.as_ref());
        let identity = identity(self.namespace, account.as_ref(), &tokens);
        let object = self.object;
        let request = cloud::Request { provider, repository: "", identity, proxy, sts, object };
        self.cloud.token(&request, target).await.map_err(|error| error.to_string())
    }

    fn tokens(&self, account: Option<&ServiceAccount>) -> Tokens {
        let name = account.map(ServiceAccount::name_any).unwrap_or_default();
        Tokens::new(self.client.clone(), self.namespace, name)
    }

    /// The ServiceAccount whose identity is used, if not that of the process.
    async fn workload_account(
        &self,
        named: Option<&str>,
    ) -> Result<Option<ServiceAccount>, String> {
        match self.workload.account(named) {
            None => Ok(None),
            Some(name) => self.account(name).await.map(Some),
        }
    }

    async fn account(&self, name: &str) -> Result<ServiceAccount, String> {
        let api = Api::<ServiceAccount>::namespaced(self.client.clone(), self.namespace);
        let full = self.full_name(name);
        match api.get_opt(name).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(format!("serviceaccount '{full}' not found")),
            Err(error) => Err(format!("failed to get serviceaccount '{full}': {error}")),
        }
    }
}

fn identity<'a>(
    namespace: &'a str,
    account: Option<&'a ServiceAccount>,
    tokens: &'a Tokens,
) -> Identity<'a> {
    match account {
        None => Identity::Process,
        Some(account) => Identity::ServiceAccount(cloud::ServiceAccount {
            namespace,
            name: tokens.name(),
            annotations: account.annotations(),
            tokens,
        }),
    }
}

/// Access to a registry with everything that was found.
pub fn to_registry(namespace: &str, http: Options, credential: Credential) -> Access {
    Access { tenant: namespace.to_owned(), http: Arc::new(http), credential: Arc::new(credential) }
}
