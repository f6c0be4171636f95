//! Git LFS: the batch interface and the files, on the repositories' own host.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header, request::Parts};
use serde_json::{Value, json};

use super::gate::Gate;

const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";
const FILES: &str = "/large/";

/// The answer, if the request is about large files.
pub(super) fn answer(gate: &Gate, parts: &Parts, body: &[u8]) -> Option<Response> {
    let path = parts.uri.path();
    if let Some(oid) = path.strip_prefix(FILES) {
        let found = gate.large(oid);
        return Some(match found {
            Some(content) => content.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        });
    }
    if !path.ends_with("/info/lfs/objects/batch") {
        return None;
    }
    let host = parts.headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
    let objects: Vec<Value> = wanted["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| {
            let oid = it["oid"].as_str().unwrap_or_default();
            if gate.large(oid).is_none() {
                let error = json!({"code": 404, "message": "Object does not exist"});
                return json!({"oid": oid, "size": it["size"], "error": error});
            }
            let href = format!("http://{host}{FILES}{oid}");
            json!({"oid": oid, "size": it["size"], "actions": {"download": {"href": href}}})
        })
        .collect();
    let answer = json!({"transfer": "basic", "objects": objects}).to_string();
    Some(([(header::CONTENT_TYPE, MEDIA_TYPE)], answer).into_response())
}
