//! Nobody gives rights that he does not have: checks on writes of roles and bindings.

use serde_json::Value;

use super::{Target, text};
use crate::access::{Action, Rule, aggregate, missing, quoted};
use crate::api::Api;
use crate::schema::go;
use crate::status::{About, Refused, Served};
use crate::user::User;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a new state of a role or binding that gives more than `user` has, unless `user` may
/// `escalate` or `bind`.
pub(super) fn check(
    api: &Api,
    target: &Target,
    (new, old): (&Value, Option<&Value>),
    user: Option<&User>,
) -> Served<()> {
    let Some(user) = user.filter(|user| !user.is_privileged()) else { return Ok(()) };
    if target.resource.group != GROUP || old.is_some_and(|old| only_for_collection(old, new)) {
        return Ok(());
    }
    let check = Check { api, target, user };
    match target.resource.plural.as_str() {
        "clusterroles" | "roles" => check.role(new, old),
        _ => check.binding(new),
    }
}

struct Check<'a> {
    api: &'a Api,
    target: &'a Target,
    user: &'a User,
}

impl Check<'_> {
    fn role(&self, new: &Value, old: Option<&Value>) -> Served<()> {
        let name = if old.is_some() { self.target.name.as_str() } else { "" };
        if self.may("escalate", &self.target.resource.plural, name) {
            return Ok(());
        }
        self.holds(&Rule::all(new))?;
        let gathers = |role: &Value| {
            let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
            selectors.is_some_and(|all| !all.is_empty())
        };
        if (gathers(new) || old.is_some_and(gathers)) && self.holds(&Rule::everything()).is_err() {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(Refused::forbidden(self.target.about(), why));
        }
        Ok(())
    }

    fn binding(&self, new: &Value) -> Served<()> {
        let role = &new["roleRef"];
        let (kind, name) =
            (text(role, "kind").unwrap_or_default(), text(role, "name").unwrap_or_default());
        let plural = match kind {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            _ => "",
        };
        if !plural.is_empty() && self.may("bind", plural, name) {
            return Ok(());
        }
        let api = self.api;
        let rules = {
            let index = api.access.index(&api.store);
            index.rules(kind, name, &self.target.namespace).cloned()
        };
        // kube-apiserver names the resource of the request, not that of the role.
        let missing = || About { group: GROUP, what: &self.target.resource.plural, name };
        let rules = rules.map_err(|why| {
            if plural.is_empty() { Refused::internal(&why) } else { Refused::not_found(missing()) }
        })?;
        self.holds(&rules)
    }

    fn may(&self, verb: &str, plural: &str, name: &str) -> bool {
        let action = Action {
            verb: verb.to_owned(),
            group: GROUP.to_owned(),
            resource: plural.to_owned(),
            namespace: self.target.namespace.clone(),
            name: name.to_owned(),
            ..Action::default()
        };
        self.api.access.decide(&self.api.store, self.user, &action).allowed
    }

    /// Refuses rules that the user does not have.
    fn holds(&self, wanted: &[Rule]) -> Served<()> {
        let (api, user) = (self.api, self.user);
        let (owned, errors) = api.access.rules(&api.store, user, &self.target.namespace);
        let missing = missing(&owned, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let mut why = format!(
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            go::quote(&user.name),
            quoted(&user.groups),
            missing.join("\n")
        );
        if !errors.is_empty() {
            why = format!("{why}; resolution errors: [{}]", aggregate(errors));
        }
        Err(Refused::forbidden(self.target.about(), &why))
    }
}

/// Whether two states differ only in what garbage collection needs to change.
fn only_for_collection(old: &Value, new: &Value) -> bool {
    let strip = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value["metadata"].as_object_mut() {
            for key in ["finalizers", "ownerReferences", "managedFields", "resourceVersion"] {
                metadata.shift_remove(key);
            }
        }
        value
    };
    strip(old) == strip(new)
}
