//! PATCH.

use http::HeaderMap;
use serde_json::Value;

use super::answer::Answer;
use super::body;
use super::render::View;
use super::write::answer;
use crate::api::Api;
use crate::object::{Change, Target, Write};
use crate::schema::FieldError;
use crate::status::{Refused, Served};

/// The kinds of patch.
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";

struct Merge(Value);

impl Change for Merge {
    fn wanted(&self, live: &Value) -> Served<Value> {
        let mut wanted = live.clone();
        json_patch::merge(&mut wanted, &self.0);
        Ok(wanted)
    }
}

struct Steps<'a> {
    target: &'a Target,
    patch: json_patch::Patch,
}

impl Change for Steps<'_> {
    fn wanted(&self, live: &Value) -> Served<Value> {
        let mut wanted = live.clone();
        json_patch::patch(&mut wanted, &self.patch).map_err(|e| {
            let error = FieldError::invalid("patch", &Value::Null, e.to_string());
            Refused::invalid(self.target.about_kind(), &[error])
        })?;
        Ok(wanted)
    }
}

/// Changes an object by a patch.
pub(super) async fn patch(
    api: &Api,
    target: &Target,
    view: &View,
    mut write: Write,
    (headers, bytes): (&HeaderMap, &[u8]),
) -> Served<Answer> {
    let media = body::media_type(headers);
    if ![JSON, MERGE].contains(&media) {
        return Err(Refused::unsupported_media_type(&[JSON, MERGE]));
    }
    let decoded = body::json(bytes)?;
    write.body_problems = decoded.problems;
    let outcome = if media == MERGE {
        api.update(target, &Merge(decoded.value), &write).await?
    } else {
        let patch = serde_json::from_value(decoded.value)
            .map_err(|e| Refused::bad_request(format!("error decoding patch: {e}")))?;
        api.update(target, &Steps { target, patch }, &write).await?
    };
    Ok(answer(view, &outcome, &write))
}
