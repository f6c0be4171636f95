//! POST, PUT and DELETE.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, Decoded};
use super::param::{ListOptions, Params};
use super::read;
use super::render::{ListMeta, View};
use crate::api::Api;
use crate::object::{self, Change, DeleteOptions, Deleted, Outcome, Target, Validation, Write};
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::store::Page;

/// What those are told who delete a Job without saying what becomes of its Pods.
const ORPHANS: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
/// The longest name of a field manager.
const MANAGER_LIMIT: usize = 128;

/// Reads how a write is to be made. `kind` names the options object in messages.
pub(super) fn options(params: &Params, headers: &HeaderMap, kind: &str) -> Served<Write> {
    let mut errors = Vec::new();
    if params.all("dryRun").iter().any(|v| v != "All") {
        errors.push(FieldError::not_supported("dryRun", &json!(params.all("dryRun")), &["All"]));
    }
    let validation = match params.get("fieldValidation") {
        "" | "Warn" => Validation::Warn,
        "Ignore" => Validation::Ignore,
        "Strict" => Validation::Strict,
        other => {
            let choices = ["", "Ignore", "Strict", "Warn"];
            errors.push(FieldError::not_supported("fieldValidation", &json!(other), &choices));
            Validation::Ignore
        }
    };
    let manager = params.get("fieldManager");
    if manager.len() > MANAGER_LIMIT {
        errors.push(FieldError::too_long("fieldManager", 128));
    }
    let printable = |c: char| !c.is_control();
    if let Some((at, c)) = manager.chars().enumerate().find(|(_, c)| !printable(*c)) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        errors.push(FieldError::invalid_text("fieldManager", manager, why));
    }
    if !errors.is_empty() {
        let about = About { group: "meta.k8s.io", what: kind, name: "" };
        return Err(Refused::invalid(about, &errors));
    }
    Ok(Write {
        dry_run: !params.all("dryRun").is_empty(),
        manager: if manager.is_empty() { user_agent(headers) } else { manager.to_owned() },
        names_manager: !manager.is_empty(),
        force: params.flag("force"),
        validation,
        user: None,
        body_problems: Vec::new(),
    })
}

/// The manager of a client that names none: its program, as its user agent starts.
fn user_agent(headers: &HeaderMap) -> String {
    let agent = headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok());
    let name = agent.unwrap_or_default().split('/').next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(MANAGER_LIMIT).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// POST of an object to a collection.
pub(super) async fn create(
    api: &Api,
    target: &Target,
    view: &View,
    mut write: Write,
    decoded: Decoded,
) -> Served<Answer> {
    write.body_problems = decoded.problems;
    let outcome = api.create(target, decoded.value, &write).await?;
    Ok(answer(view, &outcome, &write))
}

struct Put(Value, bool);

impl Change for Put {
    fn wanted(&self, _: &Value) -> Served<Value> {
        Ok(self.0.clone())
    }

    fn created(&self) -> Option<Served<Value>> {
        self.1.then(|| Ok(self.0.clone()))
    }
}

/// PUT of an object.
pub(super) async fn replace(
    api: &Api,
    target: &Target,
    view: &View,
    mut write: Write,
    decoded: Decoded,
) -> Served<Answer> {
    write.body_problems = decoded.problems;
    let put = Put(decoded.value, object::create_on_update(&target.resource));
    let outcome = api.update(target, &put, &write).await?;
    Ok(answer(view, &outcome, &write))
}

/// The answer to a write.
pub(super) fn answer(view: &View, outcome: &Outcome, write: &Write) -> Answer {
    let code = if outcome.created { StatusCode::CREATED } else { StatusCode::OK };
    let body = if write.dry_run && outcome.created {
        // Nothing was stored, so there is no revision to show.
        let mut value = view.value(&outcome.object);
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.shift_remove("resourceVersion");
        }
        value.to_string().into()
    } else {
        view.object(&outcome.object)
    };
    Answer { warnings: outcome.warnings.clone(), ..Answer::json(body).code(code) }
}

/// What is said of options that cannot be read.
fn unread(refused: Box<Refused>) -> Box<Refused> {
    let text = refused.text();
    let start = "the object provided is unrecognized (must be of type DeleteOptions): ";
    match text.strip_prefix(start).and_then(|rest| rest.rsplit_once(" (")) {
        Some((why, _)) => Refused::untyped(why),
        None => refused,
    }
}

/// Reads the options of a DELETE from its query and body.
pub(super) fn delete_options(
    params: &Params,
    headers: &HeaderMap,
    bytes: &[u8],
) -> Served<DeleteOptions> {
    let body = if bytes.is_empty() {
        json!({})
    } else {
        body::decode(headers, bytes, "DeleteOptions").map_err(unread)?.value
    };
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let given = |key: &str| Some(params.get(key).to_owned()).filter(|v| !v.is_empty());
    let mut dry: Vec<String> = params.all("dryRun").to_vec();
    dry.extend(body["dryRun"].as_array().into_iter().flatten().filter_map(text));
    let mut errors = Vec::new();
    if dry.iter().any(|v| v != "All") {
        errors.push(FieldError::not_supported("dryRun", &json!(dry), &["All"]));
    }
    let mut propagation = text(&body["propagationPolicy"]).or_else(|| given("propagationPolicy"));
    match propagation.as_deref() {
        None | Some("Foreground" | "Background" | "Orphan") => {}
        Some(other) => {
            let choices = ["Foreground", "Background", "Orphan", "nil"];
            errors.push(FieldError::not_supported("propagationPolicy", &json!(other), &choices));
        }
    }
    let kind = body["kind"].as_str().unwrap_or("DeleteOptions");
    if kind != "DeleteOptions" {
        let version = body["apiVersion"].as_str().unwrap_or("v1");
        return Err(Refused::untyped(&format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:110\""
        )));
    }
    let orphan = body["orphanDependents"].as_bool().or_else(|| params.flag("orphanDependents"));
    if let (Some(policy), Some(_)) = (&propagation, orphan) {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid_text("propagationPolicy", policy, why));
    }
    if propagation.is_none() {
        propagation = orphan.map(|o| if o { "Orphan" } else { "Background" }.to_owned());
    }
    if !errors.is_empty() {
        let about = About { group: "meta.k8s.io", what: "DeleteOptions", name: "" };
        return Err(Refused::invalid(about, &errors));
    }
    Ok(DeleteOptions {
        dry_run: !dry.is_empty(),
        propagation,
        grace: body["gracePeriodSeconds"].as_i64().or(params.number("gracePeriodSeconds")?),
        user: None,
        uid: text(&body["preconditions"]["uid"]),
        revision: text(&body["preconditions"]["resourceVersion"]),
    })
}

/// DELETE of an object.
pub(super) async fn delete(
    api: &Api,
    target: &Target,
    view: &View,
    options: &DeleteOptions,
) -> Served<Answer> {
    let mut answer = deleted(target, view, api.delete(target, options).await?);
    if target.resource.is("batch/jobs") && options.propagation.is_none() {
        answer.warnings.push(ORPHANS.to_owned());
    }
    Ok(answer)
}

/// The answer to a deletion.
fn deleted(target: &Target, view: &View, deleted: Deleted) -> Answer {
    match deleted {
        Deleted::Going(object) => Answer::json(view.object(&object)),
        Deleted::Gone(object) if returns_object(target) => Answer::json(view.object(&object)),
        Deleted::Gone(object) => {
            let mut details = json!({"name": target.name});
            if !target.resource.group.is_empty() {
                details["group"] = json!(target.resource.group);
            }
            details["kind"] = json!(target.resource.plural);
            details["uid"] = json!(object.meta.uid);
            Answer::value(&json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": details,
            }))
        }
    }
}

/// The few kinds whose deletion is answered with the object.
fn returns_object(target: &Target) -> bool {
    matches!(
        &*target.resource.store,
        "/pods"
            | "/namespaces"
            | "/services"
            | "/serviceaccounts"
            | "/persistentvolumes"
            | "/persistentvolumeclaims"
            | "/podtemplates"
            | "/resourcequotas"
            | "storage.k8s.io/csidrivers"
            | "storage.k8s.io/csinodes"
            | "storage.k8s.io/storageclasses"
            | "storage.k8s.io/volumeattachments"
            | "storage.k8s.io/volumeattributesclasses"
            | "resource.k8s.io/deviceclasses"
            | "resource.k8s.io/resourceclaims"
            | "resource.k8s.io/resourceclaimtemplates"
            | "resource.k8s.io/resourceslices"
    )
}

/// DELETE of a collection.
pub(super) async fn delete_collection(
    api: &Api,
    target: &Target,
    view: &View,
    list: &ListOptions,
    options: &DeleteOptions,
) -> Served<Answer> {
    let page = read::page(api, target, list)?;
    let mut gone = Page { objects: Vec::new(), ..page };
    for (path, object) in page.objects {
        let (namespace, name) = path.split_once('/').unwrap_or(("", &path));
        let one =
            Target { namespace: namespace.to_owned(), name: name.to_owned(), ..target.clone() };
        match api.delete(&one, options).await {
            Ok(_) => gone.objects.push((path, object)),
            Err(refused) if refused.code == 404 => {}
            Err(refused) => return Err(refused),
        }
    }
    let meta = ListMeta { revision: api.store.revision(), ..ListMeta::default() };
    Ok(Answer::json(view.list(&gone, &meta)))
}
