//! `TokenReview` and `SelfSubjectReview`.

use serde_json::{Value, json};

use super::{set_status, text, texts};
use crate::account::AUDIENCE;
use crate::api::Api;
use crate::object::now;
use crate::status::{Refused, Served};
use crate::user::User;

/// Answers whose token it is.
pub(super) fn token_review(api: &Api, object: &mut Value) -> Served<()> {
    let token = text(&object["spec"], "token");
    if token.is_empty() {
        return Err(Refused::bad_request("token is required for TokenReview in authentication"));
    }
    let mut audiences = texts(&object["spec"]["audiences"]);
    if audiences.is_empty() {
        audiences.push(AUDIENCE.to_owned());
    }
    let status = match api.bearer(&token, &audiences) {
        Ok((user, audiences)) => {
            json!({"authenticated": true, "user": user.shown(), "audiences": audiences})
        }
        Err(why) => json!({"user": {}, "error": why}),
    };
    set_status(object, status);
    Ok(())
}

/// Answers who asks.
pub(super) fn self_review(object: &mut Value, user: &User) {
    let mut metadata = object["metadata"].as_object().cloned().unwrap_or_default();
    metadata.insert("creationTimestamp".to_owned(), json!(now()));
    object["metadata"] = Value::Object(metadata);
    if let Some(members) = object.as_object_mut() {
        members.shift_remove("status");
        members.insert("status".to_owned(), json!({"userInfo": user.shown()}));
    }
}
