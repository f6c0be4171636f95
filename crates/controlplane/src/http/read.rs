//! GET of one object and of collections.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::Answer;
use super::param::ListOptions;
use super::render::{ListMeta, View};
use super::syntax;
use crate::api::Api;
use crate::object::Target;
use crate::status::{Refused, Served};
use crate::store::{Expired, Page, Query, Start};

const LIST_EXPIRED: &str = "The resourceVersion for the provided list is too old.";
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
const CONTINUE_INCONSISTENT: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Answers with one object.
pub(super) fn get(api: &Api, target: &Target, view: &View, revision: &str) -> Served<Answer> {
    let wanted = parse_revision(revision)?;
    let current = api.store.revision();
    if wanted > current {
        return Err(Refused::too_new(wanted, current));
    }
    let object = api
        .store
        .get(&target.resource.store, &target.path())
        .ok_or_else(|| Refused::not_found(target.about()))?;
    Ok(Answer::json(view.object(&object)))
}

/// Answers with a list.
pub(super) fn list(
    api: &Api,
    target: &Target,
    view: &View,
    options: &ListOptions,
) -> Served<Answer> {
    let page = page(api, target, options)?;
    let proceed = page.next.as_ref().map(|path| token(path, page.revision));
    let meta = ListMeta { revision: page.revision, proceed, remaining: page.remaining };
    Ok(Answer::json(view.list(&page, &meta)))
}

/// The objects that a list is about.
pub(super) fn page(api: &Api, target: &Target, options: &ListOptions) -> Served<Page> {
    let prefix = prefix(target);
    let query = Query {
        resource: &target.resource.store,
        prefix: &prefix,
        selector: &options.selector,
        limit: options.limit,
        start: start(api, options)?,
    };
    api.store.list(&query).map_err(|Expired(_)| match &query.start {
        Start::After(path, _) => {
            let mut body = Refused::expired(CONTINUE_INCONSISTENT);
            body.proceed = Some(encode(
                &json!({"v": "meta.k8s.io/v1", "rv": -1, "start": format!("{path}\0")}),
            ));
            body
        }
        Start::Now | Start::At(_) => Refused::expired(LIST_EXPIRED),
    })
}

/// What the paths of the wanted objects start with.
pub(super) fn prefix(target: &Target) -> String {
    if target.namespace.is_empty() { String::new() } else { format!("{}/", target.namespace) }
}

fn start(api: &Api, options: &ListOptions) -> Served<Start> {
    let current = api.store.revision();
    if !options.proceed.is_empty() {
        let (path, revision) = parse_token(&options.proceed)?;
        return Ok(Start::After(path, revision.unwrap_or(current)));
    }
    let wanted = parse_revision(&options.revision)?;
    if wanted > current {
        return Err(Refused::too_new(wanted, current));
    }
    let legacy_exact = options.limit > 0 && options.revision_match.is_empty();
    let exact = options.revision_match == "Exact" || legacy_exact;
    Ok(if wanted > 0 && exact { Start::At(wanted) } else { Start::Now })
}

/// A resourceVersion; none given is 0.
pub(super) fn parse_revision(text: &str) -> Served<u64> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        Refused::bad_request(format!("invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"))
    })
}

fn token(path: &str, revision: u64) -> String {
    encode(&json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{path}\0")}))
}

fn encode(token: &Value) -> String {
    URL_SAFE_NO_PAD.encode(token.to_string())
}

/// The path after which to continue, and the revision unless any will do.
fn parse_token(token: &str) -> Served<(String, Option<u64>)> {
    let bad = |why: &str| {
        Refused::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|e| bad(&e.to_string()))?;
    if let Some(why) = syntax::problem(&bytes) {
        return Err(bad(&why));
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(&e.to_string()))?;
    let start = value["start"].as_str().ok_or_else(|| bad("it has no start"))?;
    if value["v"] != "meta.k8s.io/v1" {
        return Err(bad("server does not recognize this encoded version"));
    }
    let revision = match value["rv"].as_i64() {
        Some(-1) => None,
        Some(revision) => Some(u64::try_from(revision).map_err(|_| bad(CONTINUE_EXPIRED))?),
        None => return Err(bad("it has no revision")),
    };
    Ok((start.trim_end_matches('\0').to_owned(), revision))
}
