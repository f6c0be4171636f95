//! Asking one webhook: an `AdmissionReview` there and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call;
use super::hook::Hook;
use crate::admission::{Attempt, Operation};
use crate::api::Api;
use crate::object::uid;
use crate::status::{Refused, Served};

/// What a webhook that allows a write says besides.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) warnings: Vec<String>,
    /// The steps of a JSON patch.
    pub(super) patch: Option<Value>,
}

/// Asks a webhook about an attempt, if it is to be asked.
///
/// # Errors
/// Its refusal, or its failure if it must not fail.
pub(super) async fn ask(api: &Api, attempt: &Attempt<'_>, hook: &Hook) -> Served<Option<Answer>> {
    match hook.wants(api, attempt) {
        Ok(true) => {}
        Err(why) if hook.must_answer => return Err(Refused::forbidden(attempt.about(), &why)),
        Ok(false) | Err(_) => return Ok(None),
    }
    let name = &hook.name;
    if attempt.dry_run && !hook.takes_dry_runs {
        let why = format!("admission webhook {name:?} does not support dry run");
        return Err(Refused::bad_request(why));
    }
    let id = uid();
    let body = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": request(attempt, &id),
    });
    let answered = call::post(api, hook, body.to_string().into_bytes()).await;
    let read = answered.and_then(|bytes| response(&bytes, &id));
    match read {
        Ok(response) if response["allowed"] == true => Ok(Some(allowed(&response))),
        Ok(response) => Err(denied(name, &response["status"])),
        Err(why) if hook.must_answer => {
            Err(Refused::internal(&format!("failed calling webhook {name:?}: {why}")))
        }
        Err(why) => {
            tracing::warn!(webhook = %name, %why, "a webhook failed, which may fail");
            Ok(None)
        }
    }
}

fn request(attempt: &Attempt<'_>, id: &str) -> Value {
    let mut request = attempt.request();
    request["uid"] = json!(id);
    request["object"] = attempt.object.clone();
    request["oldObject"] = attempt.old.clone();
    let kind = match attempt.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    if attempt.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    request["options"] = options;
    request
}

/// The `response` of a review.
fn response(bytes: &[u8], id: &str) -> Result<Value, String> {
    let review: Value = serde_json::from_slice(bytes)
        .map_err(|e| format!("failed to call webhook: the answer is no AdmissionReview: {e}"))?;
    let given = |key: &str| review[key].as_str().unwrap_or_default().to_owned();
    if given("kind") != "AdmissionReview" || given("apiVersion") != "admission.k8s.io/v1" {
        return Err(format!(
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {}, Kind={}",
            given("apiVersion"),
            given("kind")
        ));
    }
    let response = &review["response"];
    if !response.is_object() {
        return Err("received invalid webhook response: webhook response was absent".to_owned());
    }
    let told = response["uid"].as_str().unwrap_or_default();
    if told != id {
        return Err(format!(
            "received invalid webhook response: expected response.uid={id:?}, got {told:?}"
        ));
    }
    if let Some(patch) = response["patch"].as_str().filter(|it| !it.is_empty()) {
        if response["patchType"] != "JSONPatch" {
            return Err("received invalid webhook response: webhook returned response.patch but not response.patchType".to_owned());
        }
        STANDARD
            .decode(patch)
            .map_err(|e| e.to_string())
            .and_then(|text| serde_json::from_slice::<Value>(&text).map_err(|e| e.to_string()))
            .map_err(|why| format!("received undecodable patch in webhook response: {why}"))?;
    }
    Ok(response.clone())
}

fn allowed(response: &Value) -> Answer {
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let patch = response["patch"].as_str().and_then(|it| STANDARD.decode(it).ok());
    Answer {
        warnings: warnings.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        patch: patch.and_then(|text| serde_json::from_slice(&text).ok()),
    }
}

/// The refusal of a webhook, in its own words.
fn denied(name: &str, status: &Value) -> Box<Refused> {
    let text = |key: &str| status[key].as_str().filter(|it| !it.is_empty());
    let by = format!("admission webhook {name:?} denied the request");
    let message = match (text("message"), text("reason")) {
        (Some(why), _) | (None, Some(why)) => format!("{by}: {why}"),
        (None, None) => format!("{by} without explanation"),
    };
    let code = status["code"].as_u64().and_then(|it| u16::try_from(it).ok());
    let code = code.filter(|it| (400..600).contains(it)).unwrap_or(400);
    Refused::by_webhook(code, message, text("reason").unwrap_or_default(), &status["details"])
}
