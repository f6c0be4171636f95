//! How a host wants to be spoken to, and tokens for it.
//!
//! The flow is that of distribution's token authentication, with the order and error texts of
//! go-containerregistry (`transport/ping.go`, `transport/bearer.go`).

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::{Either, select};
use http::{Method, StatusCode, header};
use http_client::{Request, Response, Retry};
use jiff::Timestamp;
use serde::Deserialize;
use url::{Host, Url, form_urlencoded};

use crate::challenge::{Bearer, Challenge};
use crate::client::{Call, Inner};
use crate::{Access, Credential, Error};

/// How long HTTPS is waited for before HTTP is tried as well, where that is allowed.
const HEAD_START: Duration = Duration::from_millis(300);
/// A token service answers less than this.
const MAX_TOKEN_BODY: usize = 64 << 10;
/// An error answer to a ping is read up to here.
const MAX_PING_BODY: usize = 64 << 10;
/// How long a token is good for that does not say so (distribution's token specification).
const DEFAULT_LIFE: Duration = Duration::from_mins(1);
/// How we call ourselves in the `OAuth2` form of token requests.
const CLIENT_ID: &str = "sluice";

/// Who speaks to which registry; and whether plain HTTP is allowed.
pub(crate) type SessionKey = (Access, String, bool);
/// A session and what the token is good for.
pub(crate) type TokenKey = (SessionKey, String);

/// How a registry wants to be spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) scheme: &'static str,
    pub(crate) challenge: Challenge,
    /// How many tags to ask for at once; smaller once the registry refused.
    pub(crate) page_size: Arc<AtomicUsize>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    /// Some registries fill this one instead.
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Inner {
    /// The session, known or new.
    pub(crate) async fn session(&self, call: &Call<'_>) -> Result<Session, Error> {
        let key = key(call);
        let fetch = async { Ok((Box::pin(self.ping(call)).await?, Timestamp::MAX)) };
        self.sessions.get_or_fetch(&key, &self.options.clock, fetch).await
    }

    /// Forgets the session and its token.
    pub(crate) fn forget(&self, call: &Call<'_>, scope: &str) {
        let key = key(call);
        self.sessions.remove(&key);
        self.tokens.remove(&(key, scope.to_owned()));
    }

    /// The value for the header `Authorization`.
    pub(crate) async fn authorization(
        &self,
        call: &Call<'_>,
        session: &Session,
        scope: &str,
    ) -> Result<Option<String>, Error> {
        let credential = &*call.access.credential;
        if let Credential::Bearer(token) = credential {
            return Ok(Some(format!("Bearer {token}")));
        }
        match &session.challenge {
            Challenge::Bearer(bearer) => {
                let key = (key(call), scope.to_owned());
                let fetch = self.token(call, session.scheme, bearer, scope);
                let token = self.tokens.get_or_fetch(&key, &self.options.clock, fetch).await?;
                Ok(Some(format!("Bearer {token}")))
            }
            // Sent unasked too, as upstream does: some registries open up without a challenge
            // and show more to those they know.
            Challenge::Basic | Challenge::None => Ok(basic(credential)),
        }
    }

    /// Asks the registry how it wants to be spoken to; by HTTPS first, and by HTTP as well where
    /// that is allowed and HTTPS does not answer.
    async fn ping(&self, call: &Call<'_>) -> Result<Session, Error> {
        if !call.repository.allows_http() {
            return self.ping_by(call, "https", &self.options.retry).await;
        }
        let mut https = pin!(self.ping_by(call, "https", &Retry::NEVER));
        let mut http = pin!(self.ping_by(call, "http", &self.options.retry));
        let both = |https, http| Error::Both { https: Box::new(https), http: Box::new(http) };
        match tokio::time::timeout(HEAD_START, &mut https).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(https)) => return http.await.map_err(|http| both(https, http)),
            Err(_) => {}
        }
        match select(https, &mut http).await {
            Either::Left((Ok(session), _)) | Either::Right((Ok(session), _)) => Ok(session),
            Either::Left((Err(https), http)) => http.await.map_err(|http| both(https, http)),
            Either::Right((Err(http), https)) => https.await.map_err(|https| both(https, http)),
        }
    }

    async fn ping_by(
        &self,
        call: &Call<'_>,
        scheme: &'static str,
        retry: &Retry,
    ) -> Result<Session, Error> {
        let url = call.repository.url(scheme, "/v2/")?;
        let request = Request::get(url).timeout(call.timeout).limit(MAX_PING_BODY);
        let response = self.send(call, request, retry).await?;
        let challenge = match response.status {
            StatusCode::OK => Challenge::None,
            StatusCode::UNAUTHORIZED => Challenge::parse(&response.headers),
            _ => return Err(self.refusal(&Method::GET, &response)),
        };
        // A registry may redirect from HTTP to HTTPS.
        let scheme = if response.url.scheme() == "https" { "https" } else { scheme };
        let page_size = Arc::new(AtomicUsize::new(crate::listing::PAGE_SIZE));
        Ok(Session { scheme, challenge, page_size })
    }

    /// Gets a token of the token service, and the time until which it is good.
    async fn token(
        &self,
        call: &Call<'_>,
        scheme: &str,
        bearer: &Bearer,
        scope: &str,
    ) -> Result<(String, Timestamp), Error> {
        let realm = realm(&bearer.realm, scheme, call.repository.registry())?;
        let mut answer = None;
        if let Credential::Identity(token) = &*call.access.credential {
            let response = self.oauth(call, &realm, bearer, (scope, token)).await?;
            // Not every token service knows this form; the other one is known to all.
            if response.1.status != StatusCode::NOT_FOUND {
                answer = Some(response);
            }
        }
        let (method, response) = match answer {
            Some(answer) => answer,
            None => self.simple(call, &realm, bearer, scope).await?,
        };
        if response.status != StatusCode::OK {
            return Err(self.refusal(&method, &response));
        }
        let shown = http_client::redact(&response.url);
        let answer: Answer = serde_json::from_slice(&response.body)
            .map_err(|_| Error::Answer(format!("{method} {shown}: unreadable token response")))?;
        let token = answer.access_token.filter(|it| !it.is_empty());
        let token = token.or(answer.token.filter(|it| !it.is_empty())).ok_or_else(|| {
            Error::Answer(format!("{method} {shown}: no token in bearer response"))
        })?;
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        let now = (self.options.clock)();
        Ok((token, now.checked_add(life).unwrap_or(Timestamp::MAX)))
    }

    /// The token request by `GET`, with user name and password if there are any.
    async fn simple(
        &self,
        call: &Call<'_>,
        realm: &Url,
        bearer: &Bearer,
        scope: &str,
    ) -> Result<(Method, Response), Error> {
        let mut url = realm.clone();
        let others = realm.query_pairs().filter(|(key, _)| key != "scope" && key != "service");
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("scope", scope)
            .append_pair("service", &bearer.service)
            .finish();
        url.set_query(Some(&query));
        let mut request = Request::get(url).timeout(call.timeout).limit(MAX_TOKEN_BODY);
        if let Some(value) = basic(&call.access.credential) {
            request = request.header(header::AUTHORIZATION, &value);
        }
        Ok((Method::GET, self.send(call, request, &self.options.retry).await?))
    }

    /// The token request by `POST`, with a refresh token.
    async fn oauth(
        &self,
        call: &Call<'_>,
        realm: &Url,
        bearer: &Bearer,
        (scope, token): (&str, &str),
    ) -> Result<(Method, Response), Error> {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", CLIENT_ID)
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", token)
            .append_pair("scope", scope)
            .append_pair("service", &bearer.service)
            .finish();
        let request = Request::post(realm.clone(), body)
            .timeout(call.timeout)
            .limit(MAX_TOKEN_BODY)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok((Method::POST, self.send(call, request, &self.options.retry).await?))
    }
}

fn key(call: &Call<'_>) -> SessionKey {
    let registry = call.repository.registry().to_owned();
    (call.access.clone(), registry, call.repository.allows_http())
}

fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Basic { username, password } => {
            Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))))
        }
        _ => None,
    }
}

/// Where tokens are to be had, if that place may be trusted with credentials: HTTPS unless the
/// registry is spoken to by HTTP itself, and no internal address unless the registry is on one.
fn realm(realm: &str, scheme: &str, registry: &str) -> Result<Url, Error> {
    let refuse = |why: String| Error::Answer(format!("invalid realm in www-authenticate: {why}"));
    if realm.is_empty() {
        return Err(Error::Answer("malformed www-authenticate, missing realm".to_owned()));
    }
    let url = Url::parse(realm).map_err(|error| refuse(format!("parsing realm: {error}")))?;
    match url.scheme() {
        "https" => {}
        "http" if scheme == "http" => {}
        "http" => {
            let text = "realm scheme \"http\" not allowed for a secure registry; use https";
            return Err(refuse(text.to_owned()));
        }
        other => return Err(refuse(format!("realm scheme \"{other}\" not allowed"))),
    }
    let own = Url::parse(&format!("{scheme}://{registry}/")).ok();
    let own_is_internal = own.as_ref().is_some_and(is_internal);
    let same = own.is_some_and(|own| own.host() == url.host());
    if is_internal(&url) && !same && !own_is_internal {
        let host = url.host_str().unwrap_or_default();
        return Err(refuse(format!("realm host \"{host}\" is a private or link-local address")));
    }
    Ok(url)
}

fn is_internal(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(it)) => IpAddr::V4(it),
        Some(Host::Ipv6(it)) => it.to_ipv4_mapped().map_or(IpAddr::V6(it), IpAddr::V4),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_are_checked() {
        let check = |address, scheme, registry| {
            realm(address, scheme, registry).map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(check("https://auth.docker.io/token", "https", "index.docker.io").is_ok());
        assert!(check("http://127.0.0.1:5000/token", "http", "127.0.0.1:5000").is_ok());
        assert!(check("http://10.0.0.6/token", "http", "10.0.0.5:5000").is_ok());
        assert!(check("https://127.0.0.1:5001/token", "https", "127.0.0.1:5000").is_ok());
        let text = check("http://auth.example/token", "https", "ghcr.io").unwrap_err();
        assert!(text.ends_with("not allowed for a secure registry; use https"), "{text}");
        for address in ["https://169.254.169.254/x", "https://[::1]/", "https://[::ffff:10.0.0.1]/"]
        {
            let text = check(address, "https", "ghcr.io").unwrap_err();
            assert!(text.ends_with("is a private or link-local address"), "{text}");
        }
        assert!(check("file:///etc/passwd", "http", "ghcr.io").is_err());
        assert!(check("", "https", "ghcr.io").unwrap_err().contains("missing realm"));
    }
}
