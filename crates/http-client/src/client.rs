//! Sending requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::{Host, Url};

use crate::incoming::{Context, Incoming};
use crate::{Error, Guard, Options, Retry, cause, redact};

/// As Go's default dialer.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// As Go's default client.
const MAX_REDIRECTS: usize = 10;
const MIB: usize = 1 << 20;

/// Sends requests over connections made with one set of [`Options`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    options: Arc<Options>,
}

/// What is sent, and within which bounds.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: Method,
    /// An `http` or `https` URL.
    pub url: Url,
    /// Headers; credentials are dropped when a redirect leads to another host.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The time for everything, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// The most bytes of the answer.
    pub limit: usize,
}

impl std::fmt::Debug for Request {
    /// Shows neither headers nor body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {})", self.method, redact(&self.url))
    }
}

impl Request {
    /// A request without headers and body, with 30 seconds of time for at most 1 MiB of answer.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: CONNECT_TIMEOUT,
            limit: MIB,
        }
    }

    /// `GET` for `url`.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// `POST` to `url`.
    pub fn post(url: Url, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new(Method::POST, url) }
    }

    /// Adds a header; a value that cannot be one is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == http::header::AUTHORIZATION);
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets the time for everything.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the most bytes of the answer.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The URL that answered, after redirects.
    pub url: Url,
    /// The whole body, unpacked.
    pub body: Bytes,
}

impl Response {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    pub(crate) fn new(options: &Options, user_agent: &str) -> Result<Self, Error> {
        let builder = reqwest::Client::builder();
        Self::build(
            builder.redirect(reqwest::redirect::Policy::custom(redirect)),
            options,
            user_agent,
        )
    }

    pub(crate) fn guarded(
        options: &Options,
        user_agent: &str,
        guard: &Guard,
    ) -> Result<Self, Error> {
        let watch = guard.clone();
        let policy = reqwest::redirect::Policy::custom(move |attempt| {
            match watch.check_name(attempt.url()) {
                Ok(()) => redirect(attempt),
                Err(why) => attempt.error(cause::Refused(why)),
            }
        });
        let builder = reqwest::Client::builder().dns_resolver(guard.clone());
        Self::build(builder.redirect(policy), options, user_agent)
    }

    fn build(
        builder: reqwest::ClientBuilder,
        options: &Options,
        user_agent: &str,
    ) -> Result<Self, Error> {
        // A second try on another connection is ours to decide.
        let builder = builder.user_agent(user_agent).retry(reqwest::retry::never());
        let inner = options.configure(builder)?.build().map_err(|error| {
            let cause = cause::deepest(&error);
            match &options.identity {
                Some(_) => {
                    Error::Options(format!("failed to parse TLS certificate and key: {cause}"))
                }
                None => Error::Options(format!("cannot make an HTTP client: {cause}")),
            }
        })?;
        Ok(Self { inner, options: Arc::new(options.clone()) })
    }

    /// The options the client was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The client of the library below, for other libraries that speak HTTP through it. Limits are
    /// theirs to keep then.
    pub fn inner(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`Error::Network`] without an answer, [`Error::TooLarge`] when there is too much of it. An
    /// answer with an error status is a [`Response`].
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.open(request).await?.collect().await
    }

    /// Sends a request once and leaves the body of the answer to be read in pieces.
    ///
    /// # Errors
    /// [`Error::Network`] without an answer.
    pub async fn open(&self, request: Request) -> Result<Incoming, Error> {
        let Request { method, url, headers, body, timeout, limit } = request;
        let context = Context { method, url, options: Arc::clone(&self.options) };
        let answer = self
            .inner
            .request(context.method.clone(), context.url.clone())
            .headers(headers)
            .body(body)
            .timeout(timeout)
            .send()
            .await;
        let answer = answer.map_err(|error| context.fail(&error))?;
        Ok(Incoming { answer, context, limit, left: limit })
    }

    /// Sends a request, several times if `retry` says so; the last answer counts.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_retrying(&self, request: Request, retry: &Retry) -> Result<Response, Error> {
        let mut pause = retry.first_pause;
        for _ in 1..retry.attempts {
            let answer = self.send(request.clone()).await;
            if !retry.again(&answer) {
                return answer;
            }
            tokio::time::sleep(pause).await;
            pause *= retry.factor;
        }
        self.send(request).await
    }
}

/// Follows redirects as Go does, except from `https` to `http`, and except from elsewhere to an
/// address of the private network, where the metadata services of clouds live.
fn redirect(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let from = attempt.previous().first();
    let (to, hops) = (attempt.url(), attempt.previous().len());
    let refusal = match from {
        _ if hops > MAX_REDIRECTS => Some(format!("stopped after {MAX_REDIRECTS} redirects")),
        Some(from) if from.scheme() == "https" && to.scheme() != "https" => {
            Some("refusing redirect from https to http".to_owned())
        }
        Some(from) if from.host() != to.host() && is_internal(to) => {
            let (from, to) = (from.host_str().unwrap_or(""), to.host_str().unwrap_or(""));
            Some(format!(
                "SSRF protection: redirect from \"{from}\" to private/link-local host \"{to}\" denied"
            ))
        }
        _ => None,
    };
    match refusal {
        Some(text) => attempt.error(cause::Refused(text)),
        None => attempt.follow(),
    }
}

/// True for IP literals that are not reachable from the outside.
fn is_internal(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => {
            address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
        }
        Some(Host::Domain(_)) | None => return false,
    };
    match address {
        IpAddr::V4(it) => {
            it.is_loopback() || it.is_private() || it.is_link_local() || it.is_unspecified()
        }
        IpAddr::V6(it) => {
            it.is_loopback()
                || it.is_unique_local()
                || it.is_unicast_link_local()
                || it.is_unspecified()
        }
    }
}
