//! Tokens of installations.

use std::sync::Arc;
use std::time::Duration;

use cloud::{Cache, CacheOptions, Clock, InvolvedObject};
use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use http::{Method, StatusCode};
use http_client::{Client, Options, Pool, Request, Response, Retry};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::budget::Budgets;
use crate::{App, Error, Installation};

/// The user name that goes with a token as password, for Git over HTTPS.
pub const USERNAME: &str = "x-access-token";

/// The version of the API used here.
const API_VERSION: &str = "2022-11-28";
/// Messages longer than this are cut.
const MAX_MESSAGE: usize = 1024;

/// Asks forges, and remembers what they said; cheap to clone.
#[derive(Clone)]
pub struct Forge(Arc<Inner>);

struct Inner {
    pool: Pool,
    clock: Clock,
    tokens: Cache<Key, Token>,
    budgets: Budgets,
}

/// All that a token depends on.
type Key = (String, App, Options);

impl std::fmt::Debug for Forge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forge")
    }
}

/// A token of an installation.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Token {
    /// The secret.
    pub token: String,
    /// Good until then.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Token {
    /// Shows no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(until {})", self.expires_at)
    }
}

#[derive(Deserialize)]
struct Found {
    id: u64,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// Who asks for a token.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The namespace of the App's Secret: tokens are not shared across namespaces.
    pub tenant: &'a str,
    /// The object that asks, for who counts.
    pub object: InvolvedObject<'a>,
}

impl Forge {
    /// A forge whose tokens are cached as `cache` says.
    pub fn new(pool: Pool, clock: Clock, cache: CacheOptions) -> Self {
        Self(Arc::new(Inner {
            pool,
            clock,
            tokens: Cache::new(cache),
            budgets: Budgets::default(),
        }))
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    pub(crate) fn client(&self, http: &Options) -> Result<Client, Error> {
        Ok(self.0.pool.client(http)?)
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// A token of the App's installation, over connections made with `http`.
    ///
    /// # Errors
    /// Any of [`Error`] but the ones of [`App::parse`].
    pub async fn app_token(
        &self,
        app: &App,
        caller: &Caller<'_>,
        http: &Options,
        timeout: Duration,
    ) -> Result<Token, Error> {
        let key = (caller.tenant.to_owned(), app.clone(), http.clone());
        let fetch = async {
            let client = self.0.pool.client(http)?;
            let now = (self.0.clock)();
            let jwt = app.key.jwt(app.id, now)?;
            let session = Session { app, client, jwt, timeout, now };
            let token = session.token().await?;
            let until = token.expires_at;
            Ok((token, until))
        };
        self.0.tokens.get_or_fetch_for(&caller.object, &key, &self.0.clock, fetch).await
    }
}

/// A few requests with one JWT.
struct Session<'a> {
    app: &'a App,
    client: Client,
    jwt: String,
    timeout: Duration,
    now: Timestamp,
}

impl Session<'_> {
    async fn token(&self) -> Result<Token, Error> {
        let id = match &self.app.installation {
            Installation::Id(id) => *id,
            Installation::Owner(owner) => self.find(owner).await?,
        };
        let path = format!("app/installations/{id}/access_tokens");
        self.ask(Method::POST, &path, StatusCode::CREATED).await
    }

    /// The number of the installation for an organisation, else for a user.
    async fn find(&self, owner: &str) -> Result<u64, Error> {
        let ask = async |kind: &str| -> Result<Found, Error> {
            let path = format!("{kind}/{owner}/installation");
            self.ask(Method::GET, &path, StatusCode::OK).await
        };
        let organization = match ask("orgs").await {
            Ok(found) => return Ok(found.id),
            Err(error) => error,
        };
        match ask("users").await {
            Ok(found) => Ok(found.id),
            Err(user) => Err(Error::NoInstallation {
                organization: Box::new(organization),
                user: Box::new(user),
            }),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        want: StatusCode,
    ) -> Result<T, Error> {
        let url = self.app.base.join(path).map_err(|error| Error::Answer(error.to_string()))?;
        let shown = http_client::redact(&url);
        let request = Request::new(method.clone(), url)
            .timeout(self.timeout)
            .header(AUTHORIZATION, &format!("Bearer {}", self.jwt))
            .header(ACCEPT, "application/vnd.github+json")
            .header(HeaderName::from_static("x-github-api-version"), API_VERSION);
        let answer = self.client.send_retrying(request, &Retry::default()).await?;
        if answer.status != want {
            return Err(self.refusal(&method, shown, &answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| Error::Answer(format!("{method} {shown}: unreadable answer")))
    }

    fn refusal(&self, method: &Method, url: String, answer: &Response) -> Error {
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        Error::Refused {
            method: method.to_string(),
            url,
            status: answer.status.as_u16(),
            message: refusal.message.chars().take(MAX_MESSAGE).collect(),
            retry_after: http_client::retry_after(&answer.headers, self.now),
        }
    }
}
