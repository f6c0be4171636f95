//! What can go wrong, in Go's words where users know them.

/// Why a request has no answer, or why a client cannot be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A CA, certificate, key or proxy address cannot be used.
    #[error("{0}")]
    Options(String),
    /// A Secret lacks a key.
    #[error("secret '{secret}': key '{key}' not found")]
    KeyNotFound {
        /// `namespace/name`.
        secret: String,
        /// The missing key.
        key: &'static str,
    },
    /// A Secret has contradictory or malformed data.
    #[error("{0}")]
    Secret(String),
    /// The request could not be sent, or its answer not be read.
    #[error("{verb} \"{url}\": {cause}", verb = verb(method))]
    Network {
        /// The method in capitals.
        method: String,
        /// The redacted URL.
        url: String,
        /// What happened, in Go's words.
        cause: String,
        /// What kind of failure it is.
        failure: Failure,
    },
    /// The answer is larger than the caller allows.
    #[error("{verb} \"{url}\": response is larger than {limit} bytes", verb = verb(method))]
    TooLarge {
        /// The method in capitals.
        method: String,
        /// The redacted URL.
        url: String,
        /// The most bytes allowed.
        limit: usize,
    },
}

/// Kinds of network failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens, no route, or no such host.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// The time was over.
    Timeout,
    /// The connection broke.
    Broken,
    /// A redirect was refused.
    Redirect,
    /// Anything else.
    Other,
}

impl Error {
    /// True when the same request may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Network {
                failure: Failure::Unreachable | Failure::Timeout | Failure::Broken,
                ..
            }
        )
    }

    /// True when the TLS handshake failed.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Network { failure: Failure::Tls, .. })
    }

    /// The error of a time limit that the caller watches itself, around several requests.
    pub fn deadline(method: &http::Method, url: &url::Url) -> Self {
        Self::Network {
            method: method.to_string(),
            url: crate::redact(url),
            cause: "context deadline exceeded".to_owned(),
            failure: Failure::Timeout,
        }
    }
}

/// Go's `net/url` writes methods as `Get`, `Head`, `Post`.
fn verb(method: &str) -> String {
    let mut letters = method.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect()
    })
}
