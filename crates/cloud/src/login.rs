//! From an identity to credentials for a registry.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use http_client::{Options, Pool, Proxy};
use jiff::Timestamp;

use crate::cache::{Cache, CacheOptions, Clock};
use crate::provider::registry_of;
use crate::{AwsKey, Endpoints, Environment, Error, InvolvedObject, Provider, aws, azure, gcp};

/// Asks the providers, and remembers what they said; cheap to clone.
#[derive(Clone)]
pub struct Cloud(Arc<Inner>);

struct Inner {
    place: Place,
    pool: Pool,
    access: Cache<AccessKey, Access>,
    logins: Cache<LoginKey, Login>,
}

/// Where this process runs, and what time it is.
pub(crate) struct Place {
    pub(crate) environment: Environment,
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Clock,
    /// Found out when first needed.
    pub(crate) gke: tokio::sync::OnceCell<gcp::Gke>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cloud")
    }
}

/// Which credentials are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The provider.
    pub provider: Provider,
    /// The repository as in `spec.image`, or a registry host alone.
    pub repository: &'a str,
    /// As whom.
    pub identity: Identity<'a>,
    /// The proxy of the object; not used for metadata services of the machine.
    pub proxy: &'a Proxy,
    /// Where AWS' security token service is for a ServiceAccount, if not at the region's own address.
    pub sts: Option<&'a str>,
    /// The object that asks, for who counts.
    pub object: InvolvedObject<'a>,
}

/// As whom to ask.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// As this process.
    Process,
    /// As a ServiceAccount: object-level workload identity.
    ServiceAccount(ServiceAccount<'a>),
}

/// A ServiceAccount and how to get tokens for it.
#[derive(Clone, Copy)]
pub struct ServiceAccount<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
    /// The annotations, which say which identity of the provider it stands for.
    pub annotations: &'a BTreeMap<String, String>,
    /// Makes tokens of the ServiceAccount; asked only when nothing is cached.
    pub tokens: &'a dyn TokenSource,
}

impl std::fmt::Debug for ServiceAccount<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceAccount({}/{})", self.namespace, self.name)
    }
}

/// Makes tokens of one ServiceAccount (the API `TokenRequest`).
pub trait TokenSource: Send + Sync {
    /// A token for these audiences, or why there is none.
    fn token<'a>(
        &'a self,
        audiences: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;
}

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// Good until then.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Login {
    /// Shows no password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({}, until {})", self.username, self.expires_at)
    }
}

/// An access token of a provider.
#[derive(Clone)]
pub(crate) enum Access {
    Aws(aws::Credentials),
    /// Azure and Google Cloud.
    Bearer(Bearer),
}

/// A token and how long it is good for.
#[derive(Clone)]
pub struct Bearer {
    /// What goes after `Bearer` in the header.
    pub token: String,
    /// Good until then.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Bearer {
    /// Shows no token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bearer(until {})", self.expires_at)
    }
}

/// All that an access token depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AccessKey {
    provider: Provider,
    /// Namespace, name, audiences and provider identity of the ServiceAccount.
    account: Option<(String, String, Vec<String>, String)>,
    /// Scope (Azure) or region (AWS).
    target: String,
    /// The address of AWS' security token service, if it is not the usual one.
    sts: Option<String>,
    proxy: Proxy,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LoginKey {
    access: AccessKey,
    registry: String,
}

/// What is needed to make one access token.
pub(crate) struct Context<'a> {
    pub(crate) place: &'a Place,
    /// For the provider's public services.
    pub(crate) client: http_client::Client,
    /// For the metadata services of the machine.
    pub(crate) direct: http_client::Client,
}

impl Cloud {
    /// A cloud as seen by a process with this environment; tokens are cached as `cache` says.
    pub fn new(
        environment: Environment,
        endpoints: Endpoints,
        pool: Pool,
        cache: CacheOptions,
        clock: Clock,
    ) -> Self {
        let place = Place { environment, endpoints, clock, gke: tokio::sync::OnceCell::new() };
        // Of the two caches that a login goes through, upstream has the second only.
        let access = Cache::new(CacheOptions { observer: None, ..cache.clone() });
        Self(Arc::new(Inner { place, pool, access, logins: Cache::new(cache) }))
    }

    /// Credentials for the registry of a repository.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the registry is not the provider's or the identity is not
    /// set up; the others when the provider cannot be reached or refuses.
    pub async fn login(&self, request: &Request<'_>) -> Result<Login, Error> {
        request.provider.check(request.repository)?;
        let inner = &*self.0;
        let context = self.context(request.proxy)?;
        let registry = registry_of(request.repository);
        let target = match request.provider {
            Provider::Aws => aws::Registry::parse(registry)?.region().to_owned(),
            Provider::Azure => azure::scope(&context).await?,
            Provider::Gcp => String::new(),
        };
        let doing = "failed to get access token for artifact registry";
        let access_key =
            access_key(request, &target, &context).await.map_err(|error| error.during(doing))?;
        let clock = &inner.place.clock;
        let fetch = fetch(request, &access_key, &context);
        let access = inner.access.get_or_fetch(&access_key, clock, fetch).await;
        let access = access.map_err(|error| error.during(doing))?;
        let key = LoginKey { access: access_key, registry: registry.to_owned() };
        let login = inner.logins.get_or_fetch_for(&request.object, &key, clock, async {
            let login = exchange(request.provider, registry, access, &context).await?;
            let until = login.expires_at;
            Ok((login, until))
        });
        let doing = "failed to create artifact registry credentials";
        login.await.map_err(|error: Error| error.during(doing))
    }

    /// A token for a service of the provider: for AWS a key for the region `target`, for Azure a
    /// token with the scope `target`, for Google one for everything the identity may do. The
    /// repository of the request is not looked at.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the identity is not set up; the others when the provider
    /// cannot be reached or refuses.
    pub async fn token(&self, request: &Request<'_>, target: &str) -> Result<Token, Error> {
        let inner = &*self.0;
        let context = self.context(request.proxy)?;
        let target = if request.provider == Provider::Gcp { "" } else { target };
        let key = access_key(request, target, &context).await?;
        let (clock, fetch) = (&inner.place.clock, fetch(request, &key, &context));
        let access = inner.access.get_or_fetch(&key, clock, fetch).await?;
        Ok(match access {
            Access::Aws(credentials) => Token::Aws(AwsKey(credentials)),
            Access::Bearer(bearer) => Token::Bearer(bearer),
        })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Connections to the provider, through a proxy if there is one.
    pub(crate) fn context(&self, proxy: &Proxy) -> Result<Context<'_>, Error> {
        let inner = &*self.0;
        let client = |proxy: Proxy| {
            let options = Options { proxy, ..Options::default() };
            inner.pool.client(&options).map_err(|source| Error::Http {
                operation: "cannot reach the cloud provider",
                source,
            })
        };
        let (client, direct) = (client(proxy.clone())?, client(Proxy::Direct)?);
        Ok(Context { place: &inner.place, client, direct })
    }
}

/// What a service of a provider wants to see.
#[derive(Debug, Clone)]
pub enum Token {
    /// A key that signs requests to AWS.
    Aws(AwsKey),
    /// A bearer token of Azure or Google.
    Bearer(Bearer),
}

/// Works out who is asking, without asking for a token.
async fn access_key(
    request: &Request<'_>,
    target: &str,
    context: &Context<'_>,
) -> Result<AccessKey, Error> {
    let account = match request.identity {
        Identity::Process => None,
        Identity::ServiceAccount(it) => {
            let audiences = match request.provider {
                Provider::Aws => vec!["sts.amazonaws.com".to_owned()],
                Provider::Azure => vec!["api://AzureADTokenExchange".to_owned()],
                Provider::Gcp => gcp::audiences(it.annotations, context)
                    .await
                    .map_err(|error| error.during("failed to get provider audience"))?,
            };
            let identity = match request.provider {
                Provider::Aws => aws::role(it.annotations),
                Provider::Azure => azure::identity(it.annotations).map(|(t, c)| format!("{t}/{c}")),
                Provider::Gcp => gcp::email(it.annotations).map(Option::unwrap_or_default),
            };
            let identity = identity.map_err(|error| {
                error.during(format!(
                    "failed to get provider identity from service account '{}/{}' annotations",
                    it.namespace, it.name
                ))
            })?;
            Some((it.namespace.to_owned(), it.name.to_owned(), audiences, identity))
        }
    };
    Ok(AccessKey {
        provider: request.provider,
        account,
        target: target.to_owned(),
        sts: request.sts.map(str::to_owned),
        proxy: request.proxy.clone(),
    })
}

/// Gets an access token from the provider.
async fn fetch(
    request: &Request<'_>,
    key: &AccessKey,
    context: &Context<'_>,
) -> Result<(Access, Timestamp), Error> {
    let (Identity::ServiceAccount(account), Some((.., audiences, _))) =
        (request.identity, &key.account)
    else {
        let access = match request.provider {
            Provider::Aws => aws::of_process(&key.target, context).await.map(Access::Aws),
            Provider::Azure => azure::of_process(&key.target, context).await.map(Access::Bearer),
            Provider::Gcp => gcp::of_process(context).await.map(Access::Bearer),
        };
        let doing = "failed to create provider access token for the controller";
        return access.map(Access::with_expiry).map_err(|error| error.during(doing));
    };
    let who = format!("service account '{}/{}'", account.namespace, account.name);
    let token = account.tokens.token(audiences).await.map_err(|why| {
        Error::Configuration(format!("failed to create kubernetes token for {who}: {why}"))
    })?;
    let access = match request.provider {
        Provider::Aws => {
            let place = (key.target.as_str(), key.sts.as_deref());
            aws::of_account(&account, place, &token, context).await.map(Access::Aws)
        }
        Provider::Azure => {
            azure::of_account(&account, &key.target, &token, context).await.map(Access::Bearer)
        }
        Provider::Gcp => gcp::of_account(&account, &token, context).await.map(Access::Bearer),
    };
    access
        .map(Access::with_expiry)
        .map_err(|error| error.during(format!("failed to create provider access token for {who}")))
}

impl Access {
    fn with_expiry(self) -> (Self, Timestamp) {
        let until = match &self {
            Self::Aws(it) => it.expires_at,
            Self::Bearer(it) => it.expires_at,
        };
        (self, until)
    }
}

/// Turns an access token into credentials for the registry.
async fn exchange(
    provider: Provider,
    registry: &str,
    access: Access,
    context: &Context<'_>,
) -> Result<Login, Error> {
    match access {
        Access::Aws(credentials) => {
            aws::registry_login(&aws::Registry::parse(registry)?, &credentials, context).await
        }
        Access::Bearer(bearer) if provider == Provider::Azure => {
            azure::registry_login(registry, &bearer, context).await
        }
        Access::Bearer(bearer) => Ok(Login {
            username: "oauth2accesstoken".to_owned(),
            password: bearer.token,
            expires_at: bearer.expires_at,
        }),
    }
}
