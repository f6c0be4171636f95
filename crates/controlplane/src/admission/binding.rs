//! Bindings: where a policy is in force, what becomes of failures, and the parameters.

use serde_json::Value;

use super::matching::Constraints;
use super::policy::ParamKind;
use crate::api::Api;
use crate::object::in_version;
use crate::selector::chooses;

/// A `ValidatingAdmissionPolicyBinding`.
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) constraints: Constraints,
    pub(super) denies: bool,
    pub(super) warns: bool,
    params: Value,
}

impl Binding {
    pub(super) fn read(value: &Value) -> Self {
        let spec = &value["spec"];
        let does = |action: &str| {
            spec["validationActions"].as_array().is_some_and(|all| all.iter().any(|a| a == action))
        };
        Self {
            name: value["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            constraints: Constraints::read(&spec["matchResources"]),
            denies: does("Deny"),
            warns: does("Warn"),
            params: spec["paramRef"].clone(),
        }
    }

    /// The parameters to validate with, each by itself; null stands for none.
    pub(super) fn params(
        &self,
        api: &Api,
        kind: Option<&ParamKind>,
        namespace: &str,
    ) -> Result<Vec<Value>, String> {
        let Some(kind) = kind.filter(|_| self.params.is_object()) else {
            return Ok(vec![Value::Null]);
        };
        let index = api.catalog.index();
        let found = index.of(&kind.group, &kind.version).find(|r| r.kind == kind.kind);
        let resource = found.ok_or_else(|| {
            format!("failed to find resource referenced by paramKind: '{}'", kind.shown())
        })?;
        let home = match self.params["namespace"].as_str().filter(|n| !n.is_empty()) {
            Some(home) => home,
            None => namespace,
        };
        if resource.namespaced && home.is_empty() {
            return Err("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".to_owned());
        }
        let prefix = if resource.namespaced { format!("{home}/") } else { String::new() };
        let all: Vec<Value> = match self.params["name"].as_str().filter(|n| !n.is_empty()) {
            Some(name) => {
                let object = api.store.get(&resource.store, &format!("{prefix}{name}"));
                object.iter().map(|object| in_version(resource, object)).collect()
            }
            None => api
                .store
                .all(&resource.store, &prefix)
                .iter()
                .map(|(_, object)| in_version(resource, object))
                .filter(|object| chooses(&self.params["selector"], &object["metadata"]["labels"]))
                .collect(),
        };
        if all.is_empty() && self.params["parameterNotFoundAction"] == "Deny" {
            return Err(
                "no params found for policy binding with `Deny` parameterNotFoundAction".to_owned()
            );
        }
        Ok(all)
    }
}
