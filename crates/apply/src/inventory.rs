//! What an owner has applied, as it stands in a status: `{id, v}` with
//! `id = <namespace>_<name>_<group>_<kind>`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::group_version;
use crate::{Error, Id};

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_KINDS: [&str; 4] = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];

/// An object of an inventory: which one, and the version it was applied in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Entry {
    /// Which object.
    pub id: Id,
    /// The version of its group, such as `v1`.
    pub version: String,
}

#[derive(Serialize, Deserialize)]
struct Raw {
    id: String,
    v: String,
}

impl Entry {
    /// The entry of an object.
    pub fn of(object: &Value) -> Self {
        Self { id: Id::of(object), version: group_version(object).1.to_owned() }
    }

    /// Reads `id` and `v` of a status.
    ///
    /// The namespace ends at the first `_`, the kind begins after the last one and the group after
    /// the one before. Names of RBAC objects have `__` in place of `:`. Unlike upstream, a name may
    /// hold a `_` (kustomize-controller#491).
    ///
    /// # Errors
    /// [`Error::Inventory`] if there are not four parts or no name or kind.
    pub fn parse(id: &str, version: &str) -> Result<Self, Error> {
        let parts = || {
            let (namespace, rest) = id.split_once('_')?;
            let (rest, kind) = rest.rsplit_once('_')?;
            let (name, group) = rest.rsplit_once('_')?;
            (!name.is_empty() && !kind.is_empty()).then_some((namespace, name, group, kind))
        };
        let (namespace, name, group, kind) =
            parts().ok_or_else(|| Error::Inventory { id: id.to_owned() })?;
        let name = if is_rbac(group, kind) { name.replace("__", ":") } else { name.to_owned() };
        let id = Id { namespace: namespace.into(), name, group: group.into(), kind: kind.into() };
        Ok(Self { id, version: version.to_owned() })
    }

    /// The `id` as it stands in a status.
    pub fn key(&self) -> String {
        let Id { namespace, name, group, kind } = &self.id;
        let name = if is_rbac(group, kind) { name.replace(':', "__") } else { name.clone() };
        format!("{namespace}_{name}_{group}_{kind}")
    }
}

fn is_rbac(group: &str, kind: &str) -> bool {
    group == RBAC && RBAC_KINDS.contains(&kind)
}

impl TryFrom<Raw> for Entry {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self, Error> {
        Self::parse(&raw.id, &raw.v)
    }
}

impl From<Entry> for Raw {
    fn from(entry: Entry) -> Self {
        Self { id: entry.key(), v: entry.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> Id {
        let entry = Entry::parse(text, "v1").unwrap();
        assert_eq!(entry.key(), text);
        entry.id
    }

    #[test]
    fn an_id_has_four_parts() {
        assert_eq!(round("ns_a__ConfigMap").to_string(), "ConfigMap/ns/a");
        assert_eq!(round("_prod__Namespace").to_string(), "Namespace/prod");
        assert_eq!(round("ns_web_apps_Deployment").group, "apps");
    }

    #[test]
    fn names_of_rbac_objects_may_hold_colons() {
        let id = round("_system__auth_rbac.authorization.k8s.io_ClusterRole");
        assert_eq!(id.name, "system:auth");
    }

    #[test]
    fn names_may_hold_underscores() {
        assert_eq!(round("ns_a_b_example.com_Thing").name, "a_b");
        assert_eq!(round("ns_a__b_example.com_Thing").name, "a__b");
    }

    #[test]
    fn what_is_no_id_is_named() {
        for bad in ["", "a", "a_b", "a_b_c", "ns___ConfigMap", "ns_a_apps_"] {
            let error = Entry::parse(bad, "v1").unwrap_err().to_string();
            assert!(error.ends_with(&format!("{bad:?}")), "{error}");
        }
    }
}
