//! What tokens of `ServiceAccounts` say, and when they hold: as long as the account and the object that
//! they are bound to are there.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::key::{Key, Unsigned};
use crate::object::uid;
use crate::schema::go;
use crate::store::{Object, Store};
use crate::user::User;

/// Who issues tokens, and whom they are for if nobody says.
pub(crate) const AUDIENCE: &str = "https://kubernetes.default.svc";
/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;
/// The name of what tells one token of a user from another.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// An object that a token is bound to.
pub(crate) struct Bound {
    /// `pod`, `secret` or `node`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What a token shall say.
pub(crate) struct Wish<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// The uid of the account.
    pub(crate) uid: &'a str,
    /// The first is what the token stands and falls with; a pod may bring its node along.
    pub(crate) bound: &'a [Bound],
    pub(crate) audiences: &'a [String],
    pub(crate) now: Timestamp,
    /// How long it holds, in seconds.
    pub(crate) life: i64,
}

/// Makes a token.
pub(crate) fn issue(key: &Key, wish: &Wish<'_>) -> Option<String> {
    let Wish { namespace, name, uid: account, bound, audiences, now, life } = wish;
    let mut own = json!({
        "namespace": namespace,
        "serviceaccount": {"name": name, "uid": account},
    });
    for bound in *bound {
        own[bound.kind] = json!({"name": bound.name});
        if !bound.uid.is_empty() {
            own[bound.kind]["uid"] = json!(bound.uid);
        }
    }
    let now = now.as_second();
    key.sign(&json!({
        "aud": audiences,
        "exp": now + life,
        "iat": now,
        "iss": AUDIENCE,
        "jti": uid(),
        "kubernetes.io": own,
        "nbf": now,
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
    }))
}

/// The ServiceAccount that bears `token`, and for which of `audiences` it does.
///
/// # Errors
/// Why it is not believed; without words if it is no token of a ServiceAccount at all.
pub(crate) fn review(
    store: &Store,
    key: &Key,
    token: &str,
    audiences: &[String],
) -> Result<(User, Vec<String>), Option<String>> {
    let claims = key.verify(token).map_err(|unsigned| match unsigned {
        Unsigned::NotAToken => None,
        Unsigned::OtherKey => Some("invalid signature, no keys found".to_owned()),
        Unsigned::Wrong => Some("go-jose/go-jose: error in cryptographic primitive".to_owned()),
    })?;
    let own: Vec<String> = texts(&claims["aud"]);
    let shared: Vec<String> = own.iter().filter(|a| audiences.contains(a)).cloned().collect();
    if shared.is_empty() {
        return Err(Some(format!(
            "token audiences {} is invalid for the target audiences {}",
            crate::access::quoted(&own),
            crate::access::quoted(audiences)
        )));
    }
    check_time(&claims, Timestamp::now().as_second())?;
    let user = holder(store, &claims)?;
    Ok((user, shared))
}

fn check_time(claims: &Value, now: i64) -> Result<(), Option<String>> {
    let at = |key: &str| claims[key].as_i64().unwrap_or_default();
    let why = if now < at("nbf") - LEEWAY {
        "service account token is not valid yet"
    } else if now > at("exp") + LEEWAY {
        "service account token has expired"
    } else if now < at("iat") - LEEWAY {
        "service account token is issued in the future"
    } else {
        return Ok(());
    };
    Err(Some(why.to_owned()))
}

/// The user that `claims` stand for, if all they name is still there.
fn holder(store: &Store, claims: &Value) -> Result<User, Option<String>> {
    let own = &claims["kubernetes.io"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, account) = (text(&own["namespace"]), &own["serviceaccount"]);
    let (name, uid) = (text(&account["name"]), text(&account["uid"]));
    let found = store.get("/serviceaccounts", &format!("{namespace}/{name}"));
    let Some(found) = found else {
        return Err(Some(format!("serviceaccounts {} not found", go::quote(&name))));
    };
    if *found.meta.uid != *uid {
        return Err(Some(format!(
            "service account UID ({}) does not match claim ({uid})",
            found.meta.uid
        )));
    }
    let mut user = User::service_account(&namespace, &name);
    user.uid = uid;
    for (kind, resource) in [("secret", "/secrets"), ("pod", "/pods"), ("node", "/nodes")] {
        let bound = &own[kind];
        if bound.is_null() {
            continue;
        }
        let path = if kind == "node" {
            text(&bound["name"])
        } else {
            format!("{namespace}/{}", text(&bound["name"]))
        };
        // The node of a pod is only told.
        if kind != "node" || own["pod"].is_null() {
            check_bound(store.get(resource, &path), kind, bound)?;
        }
        if kind != "secret" {
            for member in ["name", "uid"] {
                let key = format!("authentication.kubernetes.io/{kind}-{member}");
                user.extra.insert(key, vec![text(&bound[member])]);
            }
        }
    }
    user.extra.insert(CREDENTIAL.to_owned(), vec![format!("JTI={}", text(&claims["jti"]))]);
    Ok(user)
}

fn check_bound(
    live: Option<std::sync::Arc<Object>>,
    kind: &str,
    bound: &Value,
) -> Result<(), Option<String>> {
    let Some(live) = live else {
        return Err(Some("service account token has been invalidated".to_owned()));
    };
    let uid = bound["uid"].as_str().unwrap_or_default();
    if *live.meta.uid == *uid {
        return Ok(());
    }
    let title = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
    let title = if kind == "secret" { kind.to_owned() } else { title };
    Err(Some(format!(
        "{title} UID ({}) does not match service account {kind} ref claim ({uid})",
        live.meta.uid
    )))
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
