//! One request to a forge's API.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method};
use http_client::{Client, Request, Response};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::Error;
use crate::budget::{Account, Budgets};

/// Messages longer than this are cut.
const MAX_MESSAGE: usize = 1024;
/// The most bytes of an answer.
const MAX_ANSWER: usize = 8 << 20;
/// The most pages that are read of a list.
pub(crate) const MAX_PAGES: u32 = 10;
/// Entries on a page.
pub(crate) const PAGE: usize = 50;

/// What all requests of one operation have in common.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    /// Where the API is; ends with a slash.
    pub(crate) api: Url,
    /// `owner/name`.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) now: Timestamp,
    pub(crate) budgets: &'a Budgets,
    pub(crate) account: Account,
}

impl Session<'_> {
    /// A part of the API, with its query; each part of the path is escaped.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let mut url = self.api.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Answer("the address of the API has no path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        read(&self.send(Method::GET, url, None).await?)
    }

    /// As `get`, but nothing if there is nothing.
    pub(crate) async fn find<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, Error> {
        match self.get(url).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// All entries of a list, up to some pages.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        size: &str,
    ) -> Result<Vec<T>, Error> {
        let (limit, mut all) = (PAGE.to_string(), Vec::new());
        for page in 1..=MAX_PAGES {
            let page = page.to_string();
            let query = [query, &[(size, &limit), ("page", &page)]].concat();
            let entries: Vec<T> = self.get(self.url(path, &query)?).await?;
            let last = entries.len() < PAGE;
            all.extend(entries);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Sends a request once; any status but 2xx is an error.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Response, Error> {
        if let Some(wait) = self.budgets.silence(&self.account, self.now) {
            return Err(Error::Budget { host: self.account.0.clone(), wait });
        }
        let shown = http_client::redact(&url);
        let mut request = Request::new(method.clone(), url).timeout(self.timeout).limit(MAX_ANSWER);
        request.headers = self.headers.clone();
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json");
            request.body = body.to_string().into();
        }
        let answer = self.client.send(request).await?;
        let status = answer.status.as_u16();
        self.budgets.read(&self.account, status, &answer.headers, self.now);
        if answer.status.is_success() {
            return Ok(answer);
        }
        let wait = http_client::retry_after(&answer.headers, self.now);
        Err(Error::Refused {
            method: method.to_string(),
            url: shown,
            status,
            message: message(&answer.body),
            // A budget that is spent is told in other words by each forge.
            retry_after: wait.or_else(|| self.budgets.silence(&self.account, self.now)),
        })
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &Value,
    ) -> Result<T, Error> {
        read(&self.send(method, url, Some(body)).await?)
    }
}

fn read<T: DeserializeOwned>(answer: &Response) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        Error::Answer(format!("{}: unreadable answer", http_client::redact(&answer.url)))
    })
}

/// What a forge says about a refusal: GitHub and Gitea in `message`, GitHub's details in `errors`,
/// GitLab in `message` or `error`, each a text, a list or an object.
fn message(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut texts = Vec::new();
    for key in ["message", "error", "errors"] {
        collect(&body[key], 0, &mut texts);
    }
    texts.join("; ").chars().take(MAX_MESSAGE).collect()
}

fn collect(value: &Value, depth: usize, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if texts.len() < 8 => texts.push(text.clone()),
        Value::Array(items) if depth < 4 => {
            for it in items {
                collect(it, depth + 1, texts);
            }
        }
        Value::Object(members) if depth < 4 => match members.get("message") {
            Some(message) => collect(message, depth + 1, texts),
            None => {
                for it in members.values() {
                    collect(it, depth + 1, texts);
                }
            }
        },
        _ => {}
    }
}

/// Headers of every request.
pub(crate) fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut request = Request::get(Url::parse("http://localhost/").expect("because it is a URL"));
    for (name, value) in pairs {
        request = request.header(name.clone(), value);
        if *name != ACCEPT
            && *name != AUTHORIZATION
            && let Some(value) = request.headers.get_mut(name)
        {
            value.set_sensitive(true);
        }
    }
    request.headers
}
