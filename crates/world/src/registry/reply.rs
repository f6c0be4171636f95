//! The answers, in the wording of distribution v3.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

pub(super) fn error(status: StatusCode, code: &str, message: &str, detail: &Value) -> Response {
    let mut entry = json!({"code": code, "message": message});
    if !detail.is_null() {
        entry["detail"] = detail.clone();
    }
    json_response(status, &json!({"errors": [entry]}))
}

pub(super) fn json_response(status: StatusCode, value: &Value) -> Response {
    json_text(status, &format!("{value}\n"))
}

pub(super) fn name_unknown(name: &str) -> Response {
    let message = "repository name not known to registry";
    error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message, &json!({"name": name}))
}

pub(super) fn manifest_unknown(name: &str, reference: &str) -> Response {
    let detail = if reference.contains(':') {
        json!(format!("unknown manifest name={name} revision={reference}"))
    } else {
        json!(format!("unknown tag={reference}"))
    };
    error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown", &detail)
}

pub(super) fn digest_invalid() -> Response {
    let message = "provided digest did not match uploaded content";
    error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message, &Value::Null)
}

pub(super) fn upload_unknown() -> Response {
    let message = "blob upload unknown to registry";
    error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message, &Value::Null)
}

pub(super) fn unsupported() -> Response {
    let message = "the operation is unsupported";
    error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message, &Value::Null)
}

pub(super) fn created(location: &str, digest: &str) -> Response {
    let response = with(plain(StatusCode::CREATED, ""), "location", location);
    with(response, "docker-content-digest", digest)
}

pub(super) fn json_text(status: StatusCode, text: &str) -> Response {
    let mut response = plain(status, text);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

pub(super) fn bytes(media_type: &str, body: Bytes) -> Response {
    let response = Response::new(Body::from(body));
    with(response, "content-type", media_type)
}

pub(super) fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}
