//! Requests that are answered and not stored: reviews of access and identity, ServiceAccount tokens.

mod access;
mod identity;
mod token;

use serde_json::{Value, json};

use crate::api::Api;
use crate::object::{Target, Write, take_review};
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::user::User;

pub(crate) use token::token;

/// Answers a review. `object` is the body of the request; also gives what the client is to be
/// warned of.
pub(crate) fn answer(
    api: &Api,
    target: &Target,
    mut object: Value,
    user: &User,
    write: &Write,
) -> Served<(Value, Vec<String>)> {
    let warnings = take_review(target, &mut object, write)?;
    match target.resource.kind.as_str() {
        "TokenReview" => identity::token_review(api, &mut object)?,
        "SelfSubjectReview" => identity::self_review(&mut object, user),
        "SelfSubjectRulesReview" => access::rules_review(api, &mut object, user)?,
        kind => access::access_review(api, kind, &mut object, user)?,
    }
    Ok((object, warnings))
}

/// The refusal of a review; messages do not name its kind.
fn invalid(group: &str, errors: &[FieldError]) -> Box<Refused> {
    Refused::invalid(About { group, what: "", name: "" }, errors)
}

/// A text member, empty if it is absent.
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A list of texts, empty if it is absent.
fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// Puts `status` where it belongs.
fn set_status(object: &mut Value, status: Value) {
    if let Some(members) = object.as_object_mut() {
        members.entry("spec").or_insert_with(|| json!({}));
        members.shift_remove("status");
        members.insert("status".to_owned(), status);
    }
}
