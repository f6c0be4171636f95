//! One client for all registries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloud::{Cache, CacheOptions, Clock};
use http::{HeaderMap, Method, StatusCode, header};
use http_client::{Incoming, Pool, Request, Response, Retry};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::challenge::Challenge;
use crate::session::{Session, SessionKey, TokenKey};
use crate::{Access, Error, Refusal, Repository};

/// Sessions and tokens kept; each is small.
const KEPT: CacheOptions =
    CacheOptions { max_size: 4096, max_duration: Duration::from_hours(1), observer: None };
/// Hosts whose limit is remembered although nobody waits for it.
const KEPT_HOSTS: usize = 1024;

/// Speaks to registries; cheap to clone, and clones share sessions and tokens.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) sessions: Cache<SessionKey, Session>,
    pub(crate) tokens: Cache<TokenKey, String>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// How a [`Client`] works.
#[derive(Clone)]
pub struct Options {
    /// Where connections come from.
    pub pool: Pool,
    /// What time it is.
    pub clock: Clock,
    /// How often a request is tried.
    pub retry: Retry,
    /// The most requests to one host at one time.
    pub per_host: usize,
    /// How much a registry may answer.
    pub limits: Limits,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("retry", &self.retry)
            .field("per_host", &self.per_host)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The usual limits and retries of go-containerregistry.
    pub fn new(pool: Pool, clock: Clock) -> Self {
        let (retry, limits) = (Retry::default(), Limits::default());
        Self { pool, clock, retry, per_host: 8, limits }
    }
}

/// How much a registry may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pages of one list of tags.
    pub pages: usize,
    /// Bytes of one page.
    pub page_bytes: usize,
    /// Tags of one repository.
    pub tags: usize,
    /// Bytes of all tags together.
    pub tag_bytes: usize,
    /// Bytes of a manifest.
    pub manifest_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pages: 20_000,
            page_bytes: 16 << 20,
            tags: 1_000_000,
            tag_bytes: 64 << 20,
            manifest_bytes: 4 << 20,
        }
    }
}

/// Whom to ask, as whom, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Whom.
    pub repository: &'a Repository,
    /// As whom.
    pub access: &'a Access,
    /// The time for one request with everything that belongs to it.
    pub timeout: Duration,
}

/// What to ask.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(header::HeaderName, &'a str)],
    /// The most bytes of the answer.
    pub(crate) limit: usize,
}

/// One request, asked at most twice.
struct Attempt {
    scope: String,
    /// Whether the registry wants user name and password, which a second time are no better.
    by_password: bool,
    is_second: bool,
}

impl Attempt {
    fn first(call: &Call<'_>) -> Self {
        Self { scope: call.repository.scope(), by_password: false, is_second: false }
    }
}

impl Client {
    /// A client without sessions.
    pub fn new(options: Options) -> Self {
        let (sessions, tokens) = (Cache::new(KEPT), Cache::new(KEPT));
        Self(Arc::new(Inner { options, sessions, tokens, hosts: Mutex::default() }))
    }

    /// Whether connections can be made as `access` says, without making one; to tell an unusable
    /// CA, certificate or proxy from trouble with the registry.
    ///
    /// # Errors
    /// [`Error::Http`] when a PEM text, a key or a proxy address is unusable.
    pub fn check(&self, access: &Access) -> Result<(), Error> {
        self.0.options.pool.client(&access.http)?;
        Ok(())
    }

    /// Runs something for a repository, for `call.timeout` at most.
    pub(crate) async fn in_time<T>(
        call: &Call<'_>,
        method: &Method,
        path: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if let Ok(result) = tokio::time::timeout(call.timeout, work).await {
            return result;
        }
        let scheme = if call.repository.allows_http() { "http" } else { "https" };
        let url = call.repository.url(scheme, path)?;
        Err(http_client::Error::deadline(method, &url).into())
    }
}

impl Inner {
    /// Asks the registry of a repository, with whatever authentication it wants.
    ///
    /// An answer 401 drops what is known of the registry and is tried once more: tokens may have
    /// been revoked, and a registry may ask for another scope than the usual one.
    pub(crate) async fn ask(&self, call: &Call<'_>, ask: &Ask<'_>) -> Result<Response, Error> {
        let mut attempt = Attempt::first(call);
        loop {
            let request = self.prepare(call, ask, &mut attempt).await?;
            let sent = self.send(call, request, &self.options.retry).await;
            let response = sent.inspect_err(|_| self.forget(call, &attempt.scope))?;
            if !self.again(call, &mut attempt, response.status, &response.headers) {
                return Ok(response);
            }
        }
    }

    /// As [`ask`](Self::ask), but the body of the answer is left to be read in pieces, during
    /// which the request counts as under way. It is not tried again when the connection breaks.
    pub(crate) async fn open(
        &self,
        call: &Call<'_>,
        ask: &Ask<'_>,
    ) -> Result<(Incoming, Option<OwnedSemaphorePermit>), Error> {
        let client = self.options.pool.client(&call.access.http)?;
        let mut attempt = Attempt::first(call);
        loop {
            let request = self.prepare(call, ask, &mut attempt).await?;
            let room = self.room(&request.url).await;
            let opened = client.open(request).await;
            let answer = opened.inspect_err(|_| self.forget(call, &attempt.scope))?;
            if !self.again(call, &mut attempt, answer.status(), answer.headers()) {
                return Ok((answer, room));
            }
        }
    }

    async fn prepare(
        &self,
        call: &Call<'_>,
        ask: &Ask<'_>,
        attempt: &mut Attempt,
    ) -> Result<Request, Error> {
        let session = self.session(call).await?;
        let authorization = self.authorization(call, &session, &attempt.scope).await?;
        let url = call.repository.url(session.scheme, ask.path)?;
        let mut request =
            Request::new(ask.method.clone(), url).timeout(call.timeout).limit(ask.limit);
        for (name, value) in ask.headers {
            request = request.header(name.clone(), value);
        }
        if let Some(value) = &authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        attempt.by_password = matches!(session.challenge, Challenge::Basic);
        Ok(request)
    }

    /// Whether an answer is to be had with fresh authentication.
    fn again(
        &self,
        call: &Call<'_>,
        attempt: &mut Attempt,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        if status != StatusCode::UNAUTHORIZED || attempt.is_second {
            return false;
        }
        attempt.is_second = true;
        self.forget(call, &attempt.scope);
        if let Challenge::Bearer(it) = Challenge::parse(headers)
            && let Some(scope) = it.scope
        {
            attempt.scope = scope;
        }
        !attempt.by_password
    }

    /// Sends a request when the host has room for it.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        request: Request,
        retry: &Retry,
    ) -> Result<Response, Error> {
        let client = self.options.pool.client(&call.access.http)?;
        let _room = self.room(&request.url).await;
        Ok(client.send_retrying(request, retry).await?)
    }

    pub(crate) fn refusal(&self, method: &Method, response: &Response) -> Error {
        let now = (self.options.clock)();
        Error::Refused(Box::new(Refusal::new(method, response, now)))
    }

    /// Waits until fewer than the allowed number of requests to the host are under way.
    async fn room(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        let host = url.authority().to_owned();
        let semaphore = {
            let mut hosts = self.hosts.lock();
            if hosts.len() >= KEPT_HOSTS {
                hosts.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            }
            let new = || Arc::new(Semaphore::new(self.options.per_host.max(1)));
            Arc::clone(hosts.entry(host).or_insert_with(new))
        };
        // Nobody closes the semaphore.
        semaphore.acquire_owned().await.ok()
    }
}
