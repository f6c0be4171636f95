//! What can go wrong, in the words of go-containerregistry (`transport/error.go`).

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::value::go;

/// A body that is no JSON is shown up to here.
const MAX_SHOWN_BODY: usize = 4096;
/// More entries of one answer are not shown.
const MAX_DIAGNOSTICS: usize = 32;

/// Why there are no tags, no digest or no credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The image name is unusable.
    #[error("{0}")]
    Image(String),
    /// A pull secret is unusable.
    #[error("{0}")]
    Config(String),
    /// The registry said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The registry could not be reached.
    #[error("{0}")]
    Http(#[from] http_client::Error),
    /// The registry could be reached neither by HTTPS nor by HTTP, which was allowed as well.
    #[error("{https}; {http}")]
    Both {
        /// Why not by HTTPS.
        https: Box<Error>,
        /// Why not by HTTP.
        http: Box<Error>,
    },
    /// The answer makes no sense, or is larger than allowed.
    #[error("{0}")]
    Answer(String),
}

/// A request that was refused, and what the registry said.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The method in capitals.
    pub method: String,
    /// The redacted URL.
    pub url: String,
    /// The status.
    pub status: StatusCode,
    /// What the registry said, if it said it in the form of the distribution specification.
    pub diagnostics: Vec<Diagnostic>,
    /// The body otherwise.
    pub body: String,
    /// How long the registry asks to wait.
    pub retry_after: Option<Duration>,
}

/// One reason of the registry.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// Such as `NAME_UNKNOWN`.
    #[serde(default, deserialize_with = "text_or_null")]
    pub code: String,
    /// A sentence for people.
    #[serde(default, deserialize_with = "text_or_null")]
    pub message: String,
    /// Anything else.
    #[serde(default)]
    pub detail: Value,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Diagnostic>,
}

impl Refusal {
    pub(crate) fn new(
        method: &http::Method,
        response: &http_client::Response,
        now: jiff::Timestamp,
    ) -> Self {
        let body = String::from_utf8_lossy(&response.body);
        let body: String = body.chars().take(MAX_SHOWN_BODY).collect();
        let said: Option<Body> = serde_json::from_slice(&response.body).ok();
        let mut diagnostics = said.map(|it| it.errors).unwrap_or_default();
        diagnostics.truncate(MAX_DIAGNOSTICS);
        Self {
            method: method.to_string(),
            url: http_client::redact(&response.url),
            status: response.status,
            diagnostics,
            body,
            retry_after: http_client::retry_after(&response.headers, now),
        }
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.diagnostics.iter().any(|it| codes.contains(&it.code.as_str()))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: ", self.method, self.url)?;
        match self.diagnostics.as_slice() {
            [] => {
                let status = status(self.status);
                write!(f, "unexpected status code {status}")?;
                match self.body.as_str() {
                    "" if self.method == "HEAD" => {
                        f.write_str(" (HEAD responses have no body, use GET for details)")
                    }
                    "" => Ok(()),
                    body => write!(f, ": {body}"),
                }
            }
            [one] => one.fmt(f),
            many => {
                f.write_str("multiple errors returned: ")?;
                let many: Vec<String> = many.iter().map(ToString::to_string).collect();
                f.write_str(&many.join("; "))
            }
        }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if self.detail.is_null() { Ok(()) } else { write!(f, "; {}", go(&self.detail)) }
    }
}

fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Number and name of a status, by the names Go knows.
fn status(status: StatusCode) -> String {
    let name = match status.as_u16() {
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        416 => "Requested Range Not Satisfiable",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    format!("{} {name}", status.as_u16())
}

impl Error {
    /// True when the same request may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(it) => it.is_transient(),
            Self::Both { https, http } => https.is_transient() || http.is_transient(),
            Self::Refused(it) => {
                it.status.is_server_error() || matches!(it.status.as_u16(), 408 | 429 | 499)
            }
            Self::Image(_) | Self::Config(_) | Self::Answer(_) => false,
        }
    }

    /// True when repository or tag do not exist.
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|it| {
            it.status == StatusCode::NOT_FOUND || it.has_code(&["NAME_UNKNOWN", "MANIFEST_UNKNOWN"])
        })
    }

    /// True when the credentials are wrong or do not suffice.
    pub fn is_denied(&self) -> bool {
        self.refusal().is_some_and(|it| {
            matches!(it.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                || it.has_code(&["UNAUTHORIZED", "DENIED"])
        })
    }

    /// True when the registry is asked too often.
    pub fn is_throttled(&self) -> bool {
        self.refusal().is_some_and(|it| {
            it.status == StatusCode::TOO_MANY_REQUESTS || it.has_code(&["TOOMANYREQUESTS"])
        })
    }

    /// How long the registry asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal()?.retry_after
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(it) => Some(it),
            Self::Both { https, http } => https.refusal().or_else(|| http.refusal()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: &str, status: u16, body: &str) -> String {
        let response = http_client::Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            url: url::Url::parse("http://h/v2/a/tags/list?n=1000").unwrap(),
            body: body.to_owned().into(),
        };
        let method = method.parse().unwrap();
        Refusal::new(&method, &response, jiff::Timestamp::UNIX_EPOCH).to_string()
    }

    #[test]
    fn refusals_read_as_upstream_words_them() {
        let place = "GET http://h/v2/a/tags/list?n=1000: ";
        let cases = [
            (
                404,
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"a"}}]}"#,
                "NAME_UNKNOWN: repository name not known to registry; map[name:a]",
            ),
            (
                429,
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
                "TOOMANYREQUESTS: slow down",
            ),
            (
                401,
                r#"{"errors":[{"code":"A","message":"a"},{"code":"B","message":"b"}]}"#,
                "multiple errors returned: A: a; B: b",
            ),
            (403, r#"{"errors":[{"code":"DENIED","message":null}]}"#, "DENIED: "),
            (404, "", "unexpected status code 404 Not Found"),
            (502, "<html>", "unexpected status code 502 Bad Gateway: <html>"),
            (499, "", "unexpected status code 499 "),
            (413, "", "unexpected status code 413 Request Entity Too Large"),
            (
                400,
                r#"{"errors":"odd"}"#,
                r#"unexpected status code 400 Bad Request: {"errors":"odd"}"#,
            ),
        ];
        for (status, body, want) in cases {
            assert_eq!(refusal("GET", status, body), format!("{place}{want}"));
        }
        assert!(refusal("HEAD", 404, "").ends_with(
            "unexpected status code 404 Not Found (HEAD responses have no body, use GET for details)"
        ));
    }

    #[test]
    fn huge_bodies_are_cut() {
        assert!(refusal("GET", 500, &"ß".repeat(1 << 20)).len() < 10_000);
    }
}
