//! Requests that are answered and not stored: reviews of access and identity, ServiceAccount tokens.
//!
//! Everybody who is known may do everything, so access reviews always allow.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::catalog::Resource;
use crate::object::Target;
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::user::{Logins, User};

/// The shortest and the usual life of a ServiceAccount token, in seconds.
const LEAST_LIFE: i64 = 600;
const USUAL_LIFE: i64 = 3600;
/// The longest life that may be asked for, in seconds.
const MOST_LIFE: i64 = 1 << 32;

/// Answers a review. `object` is the body of the request.
pub(crate) fn answer(
    resource: &Resource,
    mut object: Value,
    user: &User,
    logins: &Logins,
) -> Value {
    object["kind"] = json!(resource.kind);
    object["apiVersion"] = json!(resource.api_version());
    object["status"] = match resource.kind.as_str() {
        "TokenReview" => token_review(&object, logins),
        "SelfSubjectReview" => json!({"userInfo": user_info(user)}),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => json!({"allowed": true}),
    };
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]["creationTimestamp"] = Value::Null;
    object
}

fn token_review(review: &Value, logins: &Logins) -> Value {
    let token = review["spec"]["token"].as_str().unwrap_or_default();
    match logins.find(token) {
        Some(user) => {
            let audiences = match review["spec"]["audiences"].as_array() {
                Some(wanted) if !wanted.is_empty() => json!(wanted),
                _ => json!([AUDIENCE]),
            };
            json!({"authenticated": true, "user": user_info(&user), "audiences": audiences})
        }
        None => json!({"user": {}, "error": "invalid bearer token"}),
    }
}

fn user_info(user: &User) -> Value {
    json!({"username": user.name, "groups": user.groups})
}

/// Whom tokens are for if the request does not say.
const AUDIENCE: &str = "https://kubernetes.default.svc";

/// Makes a token for a ServiceAccount; it is known as long as the process lives.
pub(crate) fn token(target: &Target, mut request: Value, logins: &Logins) -> Served<Value> {
    let life = request["spec"]["expirationSeconds"].as_i64().unwrap_or(USUAL_LIFE);
    let field = "spec.expirationSeconds";
    let bad = |why: &str| {
        let about = About { group: "authentication.k8s.io", what: "TokenRequest", name: "" };
        Refused::invalid(about, &[FieldError::invalid(field, &json!(life), why)])
    };
    if life < LEAST_LIFE {
        return Err(bad("may not specify a duration less than 10 minutes"));
    }
    if life > MOST_LIFE {
        return Err(bad("may not specify a duration larger than 2^32 seconds"));
    }
    let ends = Timestamp::now() + SignedDuration::from_secs(life);
    let user = User::service_account(&target.namespace, &target.name);
    request["status"] = json!({
        "token": logins.issue(user, ends),
        "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    request["spec"]["expirationSeconds"] = json!(life);
    if request["spec"]["audiences"].as_array().is_none_or(Vec::is_empty) {
        request["spec"]["audiences"] = json!([AUDIENCE]);
    }
    request["kind"] = json!("TokenRequest");
    request["apiVersion"] = json!("authentication.k8s.io/v1");
    request["metadata"]["name"] = json!(target.name);
    request["metadata"]["namespace"] = json!(target.namespace);
    Ok(request)
}
