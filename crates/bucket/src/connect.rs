//! From options to a store of the library.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider,
};
use url::Url;

use crate::sts::Keys;
use crate::{Azure, Credential, Error, Options, Provider};

/// Makes the library speak through the client of the house: its CAs, certificates and proxies.
#[derive(Debug)]
struct Connector(http_client::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.inner().clone()))
    }
}

/// A request is tried three times at most: the caller comes back by itself.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 3.0,
    };
    RetryConfig { backoff, max_retries: 2, retry_timeout: Duration::from_secs(10) }
}

pub(crate) async fn connect(options: &Options) -> Result<Arc<dyn ObjectStore>, Error> {
    let client = options.pool.client(&options.http);
    let connector = Connector(client.map_err(|error| Error::Options(error.to_string()))?);
    match options.provider {
        Provider::Generic | Provider::Aws => s3(options, connector).await,
        Provider::Gcp => google(options, connector),
        Provider::Azure => azure(options, connector),
    }
}

async fn s3(options: &Options, connector: Connector) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = match options.credential {
        Credential::Process => AmazonS3Builder::from_env(),
        _ => AmazonS3Builder::new(),
    };
    let scheme = if options.insecure { "http" } else { "https" };
    // Upstream speaks to Amazon's own hosts by virtual host, which needs no endpoint here.
    if !options.endpoint.is_empty() && !is_amazon(&options.endpoint) {
        builder = builder.with_endpoint(format!("{scheme}://{}", options.endpoint));
    }
    if !options.region.is_empty() {
        builder = builder.with_region(&options.region);
    }
    builder = builder
        .with_bucket_name(&options.name)
        .with_allow_http(options.insecure)
        .with_retry(retry())
        .with_http_connector(connector);
    builder = match &options.credential {
        Credential::Anonymous => builder.with_skip_signature(true),
        Credential::Key { id, secret, session } => {
            let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            match session {
                Some(session) => builder.with_token(session),
                None => builder,
            }
        }
        Credential::Ldap(ldap) => {
            builder.with_credentials(Arc::new(Keys::fetch(&options.pool, ldap).await?))
        }
        Credential::Process
        | Credential::Bearer(_)
        | Credential::ServiceAccount(_)
        | Credential::Azure(_) => builder,
    };
    Ok(Arc::new(builder.build().map_err(|error| unusable(&error))?))
}

fn google(options: &Options, connector: Connector) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = GoogleCloudStorageBuilder::new();
    // The client upstream uses ignores the endpoint; an address with a scheme is for emulators.
    if options.endpoint.starts_with("http://") {
        builder = builder.with_base_url(&options.endpoint);
    }
    builder =
        builder.with_bucket_name(&options.name).with_retry(retry()).with_http_connector(connector);
    builder = match &options.credential {
        Credential::ServiceAccount(json) => builder.with_service_account_key(json),
        Credential::Bearer(token) => {
            let credential = GcpCredential { bearer: token.clone() };
            builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
        }
        Credential::Anonymous => builder.with_skip_signature(true),
        _ => builder,
    };
    let options = ClientOptions::new().with_allow_http(true);
    let store = builder.with_client_options(options).build();
    Ok(Arc::new(store.map_err(|error| unusable(&error))?))
}

fn azure(options: &Options, connector: Connector) -> Result<Arc<dyn ObjectStore>, Error> {
    let endpoint = Url::parse(&options.endpoint)
        .map_err(|error| Error::Options(format!("invalid endpoint: {error}")))?;
    let mut builder = match options.credential {
        Credential::Process => MicrosoftAzureBuilder::from_env(),
        _ => MicrosoftAzureBuilder::new(),
    };
    let mut bare = endpoint.clone();
    bare.set_query(None);
    builder = builder
        .with_account(account(&endpoint))
        .with_endpoint(bare.as_str().trim_end_matches('/').to_owned())
        .with_container_name(&options.name)
        .with_allow_http(endpoint.scheme() == "http")
        .with_retry(retry())
        .with_http_connector(connector);
    builder = match &options.credential {
        Credential::Azure(Azure::AccountKey(key)) => builder.with_access_key(key),
        Credential::Azure(Azure::Sas(token)) => {
            // A signature in the endpoint counts as well; that of the Secret goes before it.
            builder.with_sas_authorization(pairs(&endpoint, token.trim_start_matches('?')))
        }
        Credential::Azure(Azure::ClientSecret { tenant, client, secret, authority }) => {
            let builder = builder.with_client_secret_authorization(client, secret, tenant);
            if authority.is_empty() { builder } else { builder.with_authority_host(authority) }
        }
        Credential::Azure(Azure::Managed { client }) => builder.with_client_id(client),
        Credential::Bearer(token) => builder.with_bearer_token_authorization(token),
        _ if endpoint.query().is_some() => builder.with_sas_authorization(pairs(&endpoint, "")),
        Credential::Anonymous => builder.with_skip_signature(true),
        _ => builder,
    };
    Ok(Arc::new(builder.build().map_err(|error| unusable(&error))?))
}

/// The pairs of a signature: those of the endpoint, and those of the Secret in their place.
fn pairs(endpoint: &Url, token: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = endpoint.query_pairs().into_owned().collect();
    for (name, value) in url::form_urlencoded::parse(token.as_bytes()).into_owned() {
        pairs.retain(|(known, _)| *known != name);
        pairs.push((name, value));
    }
    pairs
}

/// The account: the first part of the host, or of the path where the host is no name (emulators).
fn account(endpoint: &Url) -> String {
    let by_path = || endpoint.path_segments().and_then(|mut it| it.next()).unwrap_or_default();
    match endpoint.host() {
        Some(url::Host::Domain(host)) if host != "localhost" => {
            host.split('.').next().unwrap_or_default().to_owned()
        }
        _ => by_path().to_owned(),
    }
}

fn is_amazon(endpoint: &str) -> bool {
    let host = endpoint.split(':').next().unwrap_or_default();
    host == "s3.amazonaws.com"
}

/// The text of the library may quote a key.
fn unusable(error: &object_store::Error) -> Error {
    let text = error.to_string();
    let short = text.split(['"', '\'']).next().unwrap_or_default();
    Error::Options(format!("cannot use the bucket's configuration: {}", short.trim_end()))
}
