//! Roles and bindings.

use serde_json::Value;

use super::spot::{Errors, Spot};
use crate::schema::FieldError;

const GROUP: &str = "rbac.authorization.k8s.io";

/// A Role, or a `ClusterRole`.
pub(super) fn role(kind: &str, object: &Value, errors: &mut Errors) {
    for rule in Spot::of(object, "rules").items() {
        rule.at("verbs").require("verbs must contain at least one value", errors);
        let paths = rule.at("nonResourceURLs");
        if paths.is_empty() {
            let why = "resource rules must supply at least one api group";
            rule.at("apiGroups").require(why, errors);
            let why = "resource rules must supply at least one resource";
            rule.at("resources").require(why, errors);
            continue;
        }
        if kind == "Role" {
            paths.wrong("namespaced rules cannot apply to non-resource URLs", errors);
        }
        let parts = ["apiGroups", "resources", "resourceNames"];
        if parts.iter().any(|part| !rule.at(part).is_empty()) {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            paths.wrong(why, errors);
        }
    }
}

/// A binding; it keeps its role.
pub(super) fn binding(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let role = Spot::of(object, "roleRef");
    role.at("apiGroup").one_of(&[GROUP], errors);
    let namespaced = kind == "RoleBinding";
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    role.at("kind").one_of(kinds, errors);
    role.at("name").require("", errors);
    for subject in Spot::of(object, "subjects").items() {
        self::subject(&subject, namespaced, errors);
    }
    if old.is_some_and(|old| old["roleRef"] != *role.value) {
        role.wrong("cannot change roleRef", errors);
    }
}

fn subject(subject: &Spot<'_>, namespaced: bool, errors: &mut Errors) {
    let (kind, group) = (subject.at("kind"), subject.at("apiGroup"));
    subject.at("name").require("", errors);
    match kind.text() {
        "ServiceAccount" => {
            if !group.is_empty() {
                errors.push(FieldError::not_supported(group.path, group.value, &[""]));
            }
            if !namespaced {
                subject.at("namespace").require("", errors);
            }
        }
        "User" | "Group" => group.one_of(&[GROUP], errors),
        _ => kind.one_of(&["ServiceAccount", "User", "Group"], errors),
    }
}
