//! Answers: JSON or YAML, compressed if large, with warnings.

use std::io::Write;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WARNING};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::status::Refused;

/// From this size on answers are compressed for clients that want it, as in kube-apiserver.
const COMPRESS_FROM: usize = 128 << 10;

/// An answer about to be sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: StatusCode,
    pub(super) body: Bytes,
    pub(super) warnings: Vec<String>,
    pub(super) content_type: &'static str,
    pub(super) retry_after: Option<u64>,
    /// Whether it depends on what the client accepts.
    pub(super) varies: bool,
    /// Whether it says that it depends on the encodings that the client accepts, even if it does not.
    pub(super) packs: bool,
}

impl Answer {
    /// An answer of JSON text.
    pub(super) fn json(body: impl Into<Bytes>) -> Self {
        Self {
            code: StatusCode::OK,
            body: body.into(),
            warnings: Vec::new(),
            content_type: "application/json",
            retry_after: None,
            varies: false,
            packs: false,
        }
    }

    /// An answer of one value.
    pub(super) fn value(value: &Value) -> Self {
        Self::json(value.to_string())
    }

    /// An answer of plain text.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self { content_type: "text/plain; charset=utf-8", ..Self::json(text) }
    }

    /// The same answer with another status.
    pub(super) fn code(self, code: StatusCode) -> Self {
        Self { code, ..self }
    }

    /// A refusal.
    pub(super) fn refused(refused: &Refused) -> Self {
        let code = StatusCode::from_u16(refused.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if refused.plain {
            return Self::text(refused.text()).code(code);
        }
        Self {
            retry_after: refused.retry_after(),
            warnings: refused.warnings.clone(),
            ..Self::value(&refused.body()).code(code)
        }
    }

    /// The response to a request with `headers`.
    pub(super) fn response(self, headers: &HeaderMap) -> Response {
        let zip = self.body.len() >= COMPRESS_FROM && wants_gzip(headers);
        let body = if zip { gzip(&self.body) } else { self.body };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code;
        let out = response.headers_mut();
        out.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        if zip {
            out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if zip || self.packs {
            out.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if self.varies {
            out.append(VARY, HeaderValue::from_static("Accept"));
        }
        if let Some(seconds) = self.retry_after {
            out.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        for warning in self.warnings {
            if let Some(value) = warning_header(&warning) {
                out.append(WARNING, value);
            }
        }
        response
    }
}

/// `299 - "text"`, the form of RFC 7234 for a miscellaneous persistent warning.
pub(super) fn warning_header(text: &str) -> Option<HeaderValue> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()).ok()
}

fn wants_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(http::header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|v| v.trim().split(';').next() == Some("gzip"))
}

fn gzip(body: &Bytes) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let zipped = encoder.write_all(body).and_then(|()| encoder.finish());
    zipped.expect("because writing to memory cannot fail").into()
}
