//! A web server with charts: whom it is asked as, and how.

use std::time::Duration;

use access::Reader;
use api::{
    image::RegistryProvider,
    source::{HelmRepository, HelmRepositoryType},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_client::{
    Incoming, Options, Pool, Proxy, Request,
    secret::{Secret, Tls},
};
use kube::ResourceExt as _;
use registry::{Access, Credential, Repository};
use url::Url;

use super::Context;

const TIMEOUT: Duration = Duration::from_mins(1);
const OCI: &str = "oci://";

/// A web server with charts.
#[derive(Clone)]
pub(super) struct ChartServer {
    pool: Pool,
    options: Options,
    base: Url,
    login: Option<(String, String)>,
    /// Whether other hosts get the login too.
    pass_credentials: bool,
    timeout: Duration,
}

impl ChartServer {
    /// The server of a HelmRepository, with everything its Secrets hold. Errors are upstream's.
    pub(super) async fn of(it: &HelmRepository, context: &Context) -> Result<Self, String> {
        let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
        let reader = context.reader(&namespace, ("HelmRepository", &name));
        let (tls, login) = secrets(it, &reader).await?;
        let options = Options::of(tls, Proxy::default());
        let base = url(&it.spec.url).map_err(|why| why.to_string())?;
        Ok(Self {
            pool: context.http.clone(),
            options,
            base,
            login,
            pass_credentials: it.spec.pass_credentials.unwrap_or(false),
            timeout: timeout(it),
        })
    }

    /// A server that nobody has described: it is asked as nobody.
    pub(super) fn unknown(address: &str, context: &Context) -> Result<Self, String> {
        Ok(Self {
            pool: context.http.clone(),
            options: Options::default(),
            base: url(address).map_err(|why| why.to_string())?,
            login: None,
            pass_credentials: false,
            timeout: TIMEOUT,
        })
    }

    /// Where the index is; the query of the repository stays.
    pub(super) fn index(&self) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}/index.yaml", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Where a chart is that the index places at `reference`.
    pub(super) fn resolve(&self, reference: &str) -> Result<Url, String> {
        let broken = |why: url::ParseError| format!("failed to parse {reference} as URL: {why}");
        match Url::parse(reference) {
            Ok(absolute) => Ok(absolute),
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                let mut base = self.base.clone();
                base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
                let mut resolved = base.join(reference).map_err(broken)?;
                resolved.set_query(base.query());
                Ok(resolved)
            }
            Err(why) => Err(broken(why)),
        }
    }

    /// Begins to fetch at most `limit` bytes. Only the repository's own host is told who asks,
    /// unless the spec wants it otherwise.
    pub(super) async fn get(
        &self,
        url: Url,
        limit: usize,
        headers: &[(http::HeaderName, String)],
    ) -> Result<Incoming, String> {
        let client = self.pool.client(&self.options).map_err(|error| error.to_string())?;
        let own = url.origin() == self.base.origin();
        let mut request = Request::get(url).timeout(self.timeout).limit(limit);
        for (name, value) in headers {
            request = request.header(name.clone(), value);
        }
        if let Some((username, password)) =
            self.login.as_ref().filter(|_| own || self.pass_credentials)
        {
            let value = BASE64_STANDARD.encode(format!("{username}:{password}"));
            request = request.header(http::header::AUTHORIZATION, &format!("Basic {value}"));
        }
        client.open(request).await.map_err(|error| error.to_string())
    }

    /// Whether connections can be made with what the Secrets hold.
    pub(super) fn check(&self) -> Result<(), String> {
        self.pool.client(&self.options).map(drop).map_err(|error| error.to_string())
    }
}

/// What is said of an answer that is not the file.
pub(super) fn refusal(answer: &Incoming) -> String {
    format!("failed to fetch {} : {}", http_client::redact(answer.url()), answer.status())
}

/// The time one request may take.
pub(super) fn timeout(it: &HelmRepository) -> Duration {
    it.spec.timeout.as_deref().and_then(|it| api::duration::parse(it).ok()).unwrap_or(TIMEOUT)
}

/// Reads the address of a repository.
pub(super) fn url(address: &str) -> Result<Url, url::ParseError> {
    Url::parse(address)
}

type Login = (String, String);

/// TLS material and login of a HelmRepository. TLS material beside the login is an older form.
async fn secrets(
    it: &HelmRepository,
    reader: &Reader<'_>,
) -> Result<(Option<Tls>, Option<Login>), String> {
    let mut tls = None;
    if let Some(reference) = &it.spec.cert_secret_ref {
        let name = reader.full_name(&reference.name);
        let data = reader.secret(&reference.name).await.map_err(|why| {
            format!("failed to get TLS authentication secret '{name}': {}", why.bare())
        })?;
        tls =
            Some(http_client::secret::tls(Secret { name: &name, data: &data }).map_err(
                |error| format!("failed to construct Helm client's TLS config: {error}"),
            )?);
    }
    let Some(reference) = &it.spec.secret_ref else { return Ok((tls, None)) };
    let name = reader.full_name(&reference.name);
    let data = reader
        .secret(&reference.name)
        .await
        .map_err(|why| format!("failed to get authentication secret '{name}': {}", why.bare()))?;
    let secret = Secret { name: &name, data: &data };
    let unusable = |error| format!("failed to detect authentication methods: {error}");
    let login = http_client::secret::basic(secret).map_err(unusable)?;
    let has_tls = ["ca.crt", "tls.crt", "tls.key", "caFile", "certFile", "keyFile"]
        .iter()
        .any(|key| data.get(*key).is_some_and(|it| !it.is_empty()));
    if tls.is_none() && has_tls {
        tls = Some(http_client::secret::tls(secret).map_err(unusable)?);
    }
    Ok((tls, login.filter(|(username, password)| !username.is_empty() || !password.is_empty())))
}

/// A registry with charts, and as whom it is asked.
pub(super) struct ChartRegistry {
    pub(super) access: Access,
    pub(super) timeout: Duration,
    prefix: String,
    insecure: bool,
}

impl ChartRegistry {
    /// The registry of a HelmRepository, with everything its Secrets hold. Errors are upstream's.
    pub(super) async fn of(it: &HelmRepository, context: &Context) -> Result<Self, String> {
        let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
        let reader = context.reader(&namespace, ("HelmRepository", &name));
        let (tls, login) = secrets(it, &reader).await?;
        let http = Options::of(tls, Proxy::default());
        let prefix = it.spec.url.strip_prefix(OCI).unwrap_or(&it.spec.url);
        let prefix = prefix.trim_end_matches('/').to_owned();
        let insecure = it.spec.insecure.unwrap_or(false);
        let credential = match (&it.spec.secret_ref, login) {
            (_, Some((username, password))) => Credential::Basic { username, password },
            (Some(reference), None) => {
                let data = reader.secret(&reference.name).await.map_err(|why| why.to_string())?;
                let config = reader
                    .docker_config(&reference.name, &data)
                    .map_err(|why| format!("failed to configure login options: {why}"))?;
                let place = Repository::named(&prefix, insecure).map_err(|e| e.to_string())?;
                config.credential(&place)
            }
            (None, None) => login_of_cloud(it, &prefix, &reader).await?,
        };
        let access = access::to_registry(&namespace, http, credential);
        context.registry.check(&access).map_err(|error| error.to_string())?;
        Ok(Self { access, timeout: timeout(it), prefix, insecure })
    }

    /// A registry that nobody has described.
    pub(super) fn unknown(address: &str, namespace: &str) -> Self {
        let prefix = address.strip_prefix(OCI).unwrap_or(address).trim_end_matches('/').to_owned();
        let access = access::to_registry(namespace, Options::default(), Credential::Anonymous);
        Self { access, timeout: TIMEOUT, prefix, insecure: false }
    }

    /// The repository of a chart.
    pub(super) fn repository(&self, chart: &str) -> Result<Repository, String> {
        Repository::named(&format!("{}/{chart}", self.prefix), self.insecure)
            .map_err(|error| error.to_string())
    }

    /// The address of a chart's version, for messages.
    pub(super) fn address(&self, chart: &str, version: &str) -> String {
        format!("{OCI}{}/{chart}:{version}", self.prefix)
    }
}

async fn login_of_cloud(
    it: &HelmRepository,
    prefix: &str,
    reader: &Reader<'_>,
) -> Result<Credential, String> {
    let provider = it.spec.provider.unwrap_or_default();
    if provider == RegistryProvider::Generic || it.spec.type_ != Some(HelmRepositoryType::Oci) {
        return Ok(Credential::Anonymous);
    }
    let place = Repository::named(prefix, false).map_err(|error| error.to_string())?;
    let login = reader.login(provider, &place.canonical(), (None, &Proxy::default())).await;
    let name = format!("{provider:?}").to_lowercase();
    let login = login.map_err(|why| format!("failed to get credential from '{name}': {why}"))?;
    Ok(login.unwrap_or_default())
}
