//! Dependencies of other kinds: any object that tells whether it is ready.
//!
//! An annotation of ours, so that the CRD stays upstream's:
//!
//! ```yaml
//! metadata:
//!   annotations:
//!     kustomize.sluice.dev/depends-on: |
//!       - {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: cert-manager}
//! ```
//!
//! Objects are read as the identity that the Kustomization acts as: what its tenant may not see,
//! it cannot wait for.

use ::health::{Rules, Status};
use api::kustomize::Kustomization;
use apply::{Entry, Id};
use controller::{Host, Reference};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Deserialize;
use serde_json::Value;

use super::dependency::{Unmet, evaluate};
use super::{Context, identity};

/// The annotation: a list in YAML.
const DEPENDS_ON: &str = "kustomize.sluice.dev/depends-on";

/// The most entries of the list.
const ENTRIES: usize = 100;

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Foreign {
    api_version: String,
    kind: String,
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    ready_expr: Option<String>,
}

impl Foreign {
    fn entry(&self, it: &Kustomization) -> Entry {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        let own = || it.namespace().unwrap_or_default();
        let id = Id {
            namespace: self.namespace.clone().unwrap_or_else(own),
            name: self.name.clone(),
            group: group.to_owned(),
            kind: self.kind.clone(),
        };
        Entry { id, version: version.to_owned() }
    }
}

fn list(it: &Kustomization) -> Result<Vec<Foreign>, String> {
    let Some(text) = it.annotations().get(DEPENDS_ON) else { return Ok(Vec::new()) };
    let failed = |why: &dyn std::fmt::Display| format!("annotation {DEPENDS_ON}: {why}");
    let value = yaml::parse(text).map_err(|why| failed(&why))?;
    let json = value.to_json().map_err(|why| failed(&why))?;
    let list: Vec<Foreign> = serde_json::from_str(&json).map_err(|why| failed(&why))?;
    if list.len() > ENTRIES {
        return Err(failed(&format!("there are more than {ENTRIES} entries")));
    }
    Ok(list)
}

/// The dependencies as something that wakes.
pub(super) fn references(it: &Kustomization) -> Vec<Reference> {
    let entries = list(it).unwrap_or_default();
    let entries = entries.iter().map(|foreign| foreign.entry(it).id);
    entries.map(|id| Reference::named(&id.group, &id.kind, id.namespace, id.name)).collect()
}

/// Checks all dependencies in order; what is not met yet is followed, so that its change wakes.
///
/// # Errors
/// The first one that is not met.
pub(super) async fn check(it: &Kustomization, context: &Context, host: &Host) -> Result<(), Unmet> {
    let list = list(it).map_err(Unmet::Malformed)?;
    if list.is_empty() {
        return Ok(());
    }
    let failed = |why: &dyn std::fmt::Display| Unmet::Waiting(why.to_string());
    let cluster = identity::own_cluster(it, context).await.map_err(|why| failed(&why))?.cluster;
    for foreign in list {
        let entry = foreign.entry(it);
        let what = format!("dependency '{}'", entry.id);
        let unmet = |why: &str| Unmet::Waiting(format!("{what} {why}"));
        if let Ok(resource) = cluster.resource(&entry).await {
            host.follow(&resource);
        }
        let found =
            cluster.get(&entry).await.map_err(|why| unmet(&format!("unreadable: {why}")))?;
        let object = found.ok_or_else(|| unmet("not found"))?;
        match foreign.ready_expr.as_deref().filter(|expr| !expr.is_empty()) {
            Some(expression) => evaluate(it, expression, &object)?,
            None if is_ready(&object, host.clock().now()) => {}
            None => return Err(unmet("is not ready")),
        }
    }
    Ok(())
}

/// Whether an object says that it is ready: it has seen its generation, and its conditions are good.
fn is_ready(object: &Value, now: Timestamp) -> bool {
    let judged = Rules::default().evaluate(object, now);
    judged.is_ok_and(|health| health.status == Status::Current)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(annotation: &str) -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": "ns", "annotations": {DEPENDS_ON: annotation}},
            "spec": {"interval": "1m", "prune": true,
                     "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
        }))
        .unwrap()
    }

    #[test]
    fn the_list_names_objects_of_any_kind() {
        let it = object(
            "- {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: a}\n\
             - {apiVersion: v1, kind: Pod, name: b, namespace: other, readyExpr: 'true'}\n",
        );
        let references: Vec<String> = references(&it).iter().map(ToString::to_string).collect();
        assert_eq!(references, ["HelmRelease/ns/a", "Pod/other/b"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_told() {
        for (text, part) in [
            ("{", "depends-on"),
            ("- {kind: Pod, name: a}", "apiVersion"),
            ("- {apiVersion: v1, kind: Pod, name: a, nmespace: x}", "nmespace"),
        ] {
            let why = list(&object(text)).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn an_object_is_ready_by_its_conditions_at_its_generation() {
        let now = Timestamp::UNIX_EPOCH;
        let release = |ready: &str, seen: i64| {
            json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
                   "metadata": {"name": "a", "generation": 2},
                   "status": {"observedGeneration": seen,
                              "conditions": [{"type": "Ready", "status": ready}]}})
        };
        assert!(is_ready(&release("True", 2), now));
        assert!(!is_ready(&release("True", 1), now) && !is_ready(&release("False", 2), now));
    }
}
