//! PATCH.

use http::HeaderMap;
use serde_json::Value;

use super::answer::Answer;
use super::body;
use super::render::View;
use super::write::answer;
use crate::api::Api;
use crate::fields;
use crate::object::{Change, Target, Validation, Write, resets};
use crate::patch;
use crate::schema::{FieldError, go};
use crate::status::{About, Refused, Served};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY_YAML: &str = "application/apply-patch+yaml";

const OPTIONS: About<'static> = About { group: "meta.k8s.io", what: "PatchOptions", name: "" };

/// A patch that is laid upon the live state.
struct Patch<'a> {
    target: &'a Target,
    media: &'a str,
    body: Value,
}

impl Change for Patch<'_> {
    fn wanted(&self, live: &Value) -> Served<Value> {
        let patched = match self.media {
            JSON => patch::json(live, &self.body),
            MERGE => patch::merge(live, &self.body),
            _ => patch::strategic(live, &self.body, &self.target.resource.fields),
        };
        patched.map_err(|error| refused(&error))
    }

    fn is_patch(&self) -> bool {
        true
    }

    fn explain(&self, refused: Box<Refused>) -> Box<Refused> {
        // The result of a strategic patch is never JSON in kube-apiserver.
        let text = refused.text();
        let wanted = text.rsplit_once(" of type ").map_or("", |(_, it)| it);
        let why = match wanted.split(['"', ' ']).next().unwrap_or_default() {
            list if list.starts_with("[]") && text.contains("cannot unmarshal object") => {
                "cannot restore slice from map".to_owned()
            }
            number @ ("int32" | "int64") => format!("unrecognized type: {number}"),
            _ => return refused,
        };
        if self.media != STRATEGIC {
            return refused;
        }
        let error = FieldError::invalid_text("patch", &go::plain(&self.body), why);
        Refused::invalid(About { group: "", what: "", name: "" }, &[error])
    }
}

/// Answers a patch that does not work.
pub(super) fn refused(error: &patch::Error) -> Box<Refused> {
    match error {
        patch::Error::BadRequest(_) => Refused::bad_request(error.to_string()),
        patch::Error::Unprocessable(why) => {
            tracing::debug!(%why, "a patch does not fit its object");
            Refused::unprocessable(error.to_string())
        }
        patch::Error::TooLarge(_) => Refused::too_large_patch(error.to_string()),
        patch::Error::Internal(_) => Refused::untyped(&error.to_string()),
    }
}

/// Server-side apply.
struct Configuration<'a> {
    target: &'a Target,
    config: Value,
    manager: &'a str,
    force: bool,
}

impl Configuration<'_> {
    fn apply(&self, live: Option<&Value>) -> Served<Value> {
        let resets = resets(self.target, &self.config);
        let resets: Vec<_> = resets.iter().map(String::as_str).collect();
        let how = fields::Apply {
            manager: self.manager,
            force: self.force,
            subresource: &self.target.subresource,
            reset: &resets,
            now: jiff::Timestamp::now(),
        };
        let mut wanted = fields::apply(live, &self.config, &self.target.resource.fields, &how)
            .map_err(|error| match error {
                fields::Error::Conflicts(ref conflicts) => {
                    Refused::apply_conflict(&error.to_string(), conflicts)
                }
                fields::Error::BadRequest(why) => Refused::bad_request(why),
                fields::Error::Untyped(why) => Refused::untyped(&why),
            })?;
        // A precondition of the configuration is one of the request.
        for key in ["resourceVersion", "uid"] {
            if let Some(given) = self.config["metadata"].get(key) {
                wanted["metadata"][key] = given.clone();
            }
        }
        Ok(wanted)
    }
}

impl Change for Configuration<'_> {
    fn wanted(&self, live: &Value) -> Served<Value> {
        self.apply(Some(live))
    }

    fn created(&self) -> Option<Served<Value>> {
        Some(self.apply(None))
    }

    fn tracks_itself(&self) -> bool {
        true
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
    if media == APPLY_YAML {
        return apply(api, target, view, write, bytes).await;
    }
    let custom = target.resource.custom().is_some();
    if ![JSON, MERGE].contains(&media) && (custom || media != STRATEGIC) {
        return Err(if media == STRATEGIC {
            Refused::unsupported_media_type(&[JSON, MERGE, APPLY_YAML])
        } else {
            Refused::unsupported_patch()
        });
    }
    if write.force.is_some() {
        let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(Refused::invalid(OPTIONS, &[error]));
    }
    let decoded = body::patch(bytes, media == JSON)?;
    write.body_problems = decoded.problems;
    let change = Patch { target, media, body: decoded.value };
    let outcome = api.update(target, &change, &write).await?;
    Ok(answer(view, &outcome, &write))
}

/// Refuses a configuration of another kind.
fn check_kind(target: &Target, config: &Value) -> Served<()> {
    let text = |key: &str| config[key].as_str().unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let other = kind != target.resource.kind || version.is_empty();
    if !other || target.resource.custom().is_some() {
        return Ok(());
    }
    let slash = if version.contains('/') { "" } else { "/" };
    Err(Refused::bad_request(format!("invalid object type: {slash}{version}, Kind={kind}")))
}

async fn apply(
    api: &Api,
    target: &Target,
    view: &View,
    mut write: Write,
    bytes: &[u8],
) -> Served<Answer> {
    if !write.names_manager {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(Refused::invalid(OPTIONS, &[error]));
    }
    let decoded = body::yaml(bytes)?;
    if write.validation == Validation::Strict && !decoded.problems.is_empty() {
        let list = decoded.problems.join(", ");
        let why = format!("error strict decoding YAML: error converting YAML to JSON: {list}");
        return Err(Refused::bad_request(why));
    }
    check_kind(target, &decoded.value)?;
    write.body_problems = decoded.problems;
    let manager = write.manager.clone();
    let configuration = Configuration {
        target,
        config: decoded.value,
        manager: &manager,
        force: write.force == Some(true),
    };
    let outcome = api.update(target, &configuration, &write).await?;
    Ok(answer(view, &outcome, &write))
}
