//! Answers whose body is read in pieces.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::{Error, Options, Proxy, Response, cause, redact};

/// An answer whose body has not been read yet, whatever its status.
pub struct Incoming {
    pub(crate) answer: reqwest::Response,
    pub(crate) context: Context,
    pub(crate) limit: usize,
    /// How much of `limit` is left.
    pub(crate) left: usize,
}

/// What errors tell of a request.
pub(crate) struct Context {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) options: Arc<Options>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (method, url) = (&self.context.method, redact(self.answer.url()));
        write!(f, "Incoming({} {method} {url})", self.status())
    }
}

impl Incoming {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The URL that answered, after redirects.
    pub fn url(&self) -> &Url {
        self.answer.url()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body, unpacked; `None` at its end.
    ///
    /// # Errors
    /// [`Error::Network`] when the connection breaks or time is over, [`Error::TooLarge`] beyond
    /// the limit of the request.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = self.answer.chunk().await.map_err(|error| self.context.fail(&error))?;
        let Some(piece) = piece else { return Ok(None) };
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| Error::TooLarge {
            method: self.context.method.to_string(),
            url: redact(&self.context.url),
            limit: self.limit,
        })?;
        Ok(Some(piece))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn collect(mut self) -> Result<Response, Error> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Response {
            status: self.answer.status(),
            headers: std::mem::take(self.answer.headers_mut()),
            url: self.answer.url().clone(),
            body: body.freeze(),
        })
    }
}

impl Context {
    pub(crate) fn fail(&self, error: &reqwest::Error) -> Error {
        let proxy = match &self.options.proxy {
            Proxy::Url(proxy) => Some(proxy),
            Proxy::Environment | Proxy::Direct => None,
        };
        let (cause, failure) = cause::explain(error, error.url().unwrap_or(&self.url), proxy);
        let (method, url) = (self.method.to_string(), redact(&self.url));
        Error::Network { method, url, cause, failure }
    }
}
