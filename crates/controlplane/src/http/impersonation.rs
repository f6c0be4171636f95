//! Acting as somebody else, by the `Impersonate-*` headers.

use http::{HeaderMap, Uri};

use crate::access::{Action, decode};
use crate::api::Api;
use crate::status::{Refused, Served};
use crate::user::{ANONYMOUS, KNOWN, UNKNOWN, User};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
/// The group of the resources `uids` and `userextras`.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user that `requestor` acts as: itself, if no header says otherwise. Every part of the new
/// identity must be allowed to `requestor`.
pub(super) fn user(api: &Api, (uri, headers): (&Uri, &HeaderMap), requestor: User) -> Served<User> {
    let Some(mut wanted) = wanted(uri, headers)? else { return Ok(requestor) };
    if !requestor.is_privileged() {
        for action in actions(&wanted) {
            let decision = api.access.decide(&api.store, &requestor, &action);
            if !decision.allowed {
                return Err(Refused::denied(&action, &requestor.name, &decision.reason));
            }
        }
    }
    complete_groups(&mut wanted);
    Ok(wanted)
}

/// Who the headers name, without the groups that everybody has.
fn wanted(uri: &Uri, headers: &HeaderMap) -> Served<Option<User>> {
    let texts = |name: &str| -> Vec<String> {
        let values = headers.get_all(name);
        values.iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect()
    };
    let first = |name: &str| texts(name).into_iter().next().unwrap_or_default();
    let mut user =
        User { name: first(USER), uid: first(UID), groups: texts(GROUP), ..User::default() };
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            user.extra.insert(decode(key).into_owned(), texts(name.as_str()));
        }
    }
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    let nothing = user.uid.is_empty() && user.groups.is_empty() && user.extra.is_empty();
    if nothing {
        return Ok(None);
    }
    let why = format!("requested {} without impersonating a user", references(&user));
    Err(Refused::plain_internal(&uri.to_string(), &why))
}

/// What the requestor must be allowed.
fn actions(user: &User) -> Vec<Action> {
    let action = |group: &str, resource: &str, name: &str| Action {
        verb: "impersonate".to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        ..Action::default()
    };
    let mut actions = vec![match user.service_account_name() {
        Some((namespace, name)) => {
            Action { namespace: namespace.to_owned(), ..action("", "serviceaccounts", name) }
        }
        None => action("", "users", &user.name),
    }];
    actions.extend(user.groups.iter().map(|group| action("", "groups", group)));
    for (key, values) in &user.extra {
        actions.extend(values.iter().map(|value| Action {
            subresource: key.clone(),
            version: "v1".to_owned(),
            ..action(AUTHENTICATION, "userextras", value)
        }));
    }
    if !user.uid.is_empty() {
        actions
            .push(Action { version: "v1".to_owned(), ..action(AUTHENTICATION, "uids", &user.uid) });
    }
    actions
}

/// Adds the groups that go without saying.
fn complete_groups(user: &mut User) {
    if let (Some((namespace, _)), true) = (user.service_account_name(), user.groups.is_empty()) {
        user.groups = User::service_account_groups(namespace).to_vec();
    }
    let has = |group: &str| user.groups.iter().any(|g| g == group);
    if user.name == ANONYMOUS {
        if !has(UNKNOWN) {
            user.groups.push(UNKNOWN.to_owned());
        }
    } else if !has(KNOWN) && !has(UNKNOWN) {
        user.groups.push(KNOWN.to_owned());
    }
}

/// The wish as Go prints its list of references.
fn references(user: &User) -> String {
    let one = |kind: &str, name: &str, version: &str, field: &str| {
        format!("{{{kind}  {name}  {version}  {field}}}")
    };
    let version = "authentication.k8s.io/v1";
    let mut all: Vec<_> = user.groups.iter().map(|g| one("Group", g, "", "")).collect();
    for (key, values) in &user.extra {
        all.extend(values.iter().map(|v| one("UserExtra", v, version, key)));
    }
    if !user.uid.is_empty() {
        all.push(one("UID", &user.uid, version, ""));
    }
    format!("[{}]", all.join(" "))
}
