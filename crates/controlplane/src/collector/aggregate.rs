//! `ClusterRoles` that gather the rules of others, chosen by labels.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::target;
use crate::api::Api;
use crate::fields;
use crate::object::{Change, Target, Write};
use crate::selector;
use crate::status::{Refused, Served};
use crate::store;

/// Where they are stored.
pub(super) const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const MANAGER: &str = "clusterrole-aggregation-controller";

/// Brings the rules of all that gather up to date.
pub(super) fn gather(api: &Api) -> Served<()> {
    let mut roles: Vec<Value> =
        api.store.all(CLUSTER_ROLES, "").iter().map(|(_, object)| object.value()).collect();
    // One may gather what another has gathered; those that gather each other's come to an end too.
    for _ in 0..roles.len() {
        let changed: Vec<(usize, Value)> = roles
            .iter()
            .enumerate()
            .filter(|(_, role)| role["aggregationRule"].is_object())
            .map(|(n, role)| (n, gathered(role, &roles)))
            .filter(|(n, rules)| *rules != *list(&roles[*n]["rules"]))
            .map(|(n, rules)| (n, json!(rules)))
            .collect();
        if changed.is_empty() {
            break;
        }
        for (n, rules) in changed {
            roles[n]["rules"] = rules;
        }
    }
    for role in roles.iter().filter(|role| role["aggregationRule"].is_object()) {
        keep(api, role)?;
    }
    Ok(())
}

/// The rules that `role` gathers, each once.
fn gathered(role: &Value, all: &[Value]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for wanted in list(&role["aggregationRule"]["clusterRoleSelectors"]) {
        for other in all {
            let itself = other["metadata"]["name"] == role["metadata"]["name"];
            if itself || !selector::chooses(wanted, &other["metadata"]["labels"]) {
                continue;
            }
            for rule in list(&other["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn keep(api: &Api, role: &Value) -> Served<()> {
    let name = role["metadata"]["name"].as_str().unwrap_or_default();
    let Some(target) = target(api, CLUSTER_ROLES, name) else { return Ok(()) };
    let live = api.store.get(CLUSTER_ROLES, name);
    if live.is_none_or(|live| list(&live.value()["rules"]) == list(&role["rules"])) {
        return Ok(());
    }
    let config = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(&role["rules"]),
    });
    let write = Write { manager: MANAGER.to_owned(), ..Write::default() };
    let gathered = Gathered { target: &target, config };
    store::wait(api.update(&target, &gathered, &write)).map(drop)
}

/// An apply of the gathered rules.
struct Gathered<'a> {
    target: &'a Target,
    config: Value,
}

impl Change for Gathered<'_> {
    fn wanted(&self, live: &Value) -> Served<Value> {
        let how = fields::Apply {
            manager: MANAGER,
            force: true,
            subresource: "",
            reset: &[],
            now: Timestamp::now(),
        };
        fields::apply(Some(live), &self.config, &self.target.resource.fields, &how)
            .map_err(|error| Refused::internal(&error.to_string()))
    }

    fn tracks_itself(&self) -> bool {
        true
    }
}
