//! Whether what a Kustomization depends on is ready.

use api::kustomize::Kustomization;
use api::meta::{DependencyReference, READY, Status as _};
use controller::{Reference, Store};
use expression::Expression;
use kube::ResourceExt as _;
use serde_json::Value;

use super::Options;
use super::source::namespace_of;

/// Why a Kustomization has to wait, or never can go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// A dependency is not ready.
    Waiting(String),
    /// An expression can never be evaluated.
    Expression(String),
    /// The list of dependencies cannot be read.
    Malformed(String),
}

/// Checks all dependencies in order.
///
/// # Errors
/// The first one that is not met.
pub(super) fn check(
    it: &Kustomization,
    revision: &str,
    all: &Store<Kustomization>,
    options: &Options,
) -> Result<(), Unmet> {
    for dependency in it.spec.depends_on.iter().flatten() {
        let (namespace, name) = key(it, dependency);
        let found = all.get(&namespace, &name).ok_or_else(|| {
            let what = "kustomizations.kustomize.toolkit.fluxcd.io";
            let why =
                format!("dependency '{namespace}/{name}' not found: {what} {name:?} not found");
            Unmet::Waiting(why)
        })?;
        let expression = dependency.ready_expr.as_deref().filter(|expr| !expr.is_empty());
        if let Some(expression) = expression {
            evaluate(it, expression, &as_value(&found))?;
            if !options.additive_cel_dependency_check {
                continue;
            }
        }
        is_ready(it, revision, &found)
            .map_err(|why| Unmet::Waiting(format!("dependency '{namespace}/{name}' {why}")))?;
    }
    Ok(())
}

fn key(it: &Kustomization, dependency: &DependencyReference) -> (String, String) {
    let own = || it.namespace().unwrap_or_default();
    let namespace = dependency.namespace.clone().filter(|given| !given.is_empty());
    (namespace.unwrap_or_else(own), dependency.name.clone())
}

/// The dependencies as something that wakes.
pub(super) fn references(it: &Kustomization) -> Vec<Reference> {
    let dependencies = it.spec.depends_on.iter().flatten();
    dependencies
        .map(|dependency| {
            let (namespace, name) = key(it, dependency);
            Reference::object::<Kustomization>(namespace, name)
        })
        .collect()
}

/// Whether a change of a dependency can matter: its readiness or what it applied.
pub(super) fn has_moved(before: Option<&Kustomization>, after: Option<&Kustomization>) -> bool {
    let of = |it: Option<&Kustomization>| {
        let status = it?.status.clone()?;
        let ready = status.condition(READY).map(|ready| ready.status.clone());
        Some((ready, status.observed_generation, status.last_applied_revision))
    };
    of(before) != of(after) || before.is_some() != after.is_some()
}

fn is_ready(
    it: &Kustomization,
    revision: &str,
    dependency: &Kustomization,
) -> Result<(), &'static str> {
    let status = dependency.status.clone().unwrap_or_default();
    let is_observed = dependency.metadata.generation == status.observed_generation;
    if !is_observed || status.condition(READY).is_none_or(|ready| ready.status != "True") {
        return Err("is not ready");
    }
    let shares_source = dependency.spec.source_ref.kind == it.spec.source_ref.kind
        && dependency.spec.source_ref.name == it.spec.source_ref.name
        && namespace_of(dependency) == namespace_of(it);
    if shares_source && status.last_applied_revision.as_deref() != Some(revision) {
        return Err("revision is not up to date");
    }
    Ok(())
}

fn as_value(it: &Kustomization) -> Value {
    serde_json::to_value(it).unwrap_or_default()
}

/// Whether an expression over both objects says that the dependency is ready.
pub(super) fn evaluate(
    it: &Kustomization,
    expression: &str,
    dependency: &Value,
) -> Result<(), Unmet> {
    let text = |key: &str| dependency["metadata"][key].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let compiled = Expression::compile(expression, &["self", "dep"]).map_err(|why| {
        Unmet::Expression(format!("terminal error: failed to evaluate dependency {name}: {why}"))
    })?;
    let variables = [("self", as_value(it)), ("dep", dependency.clone())];
    let variables = variables.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    match compiled.is_true(&variables) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let key = format!("{namespace}/{name}");
            let why = format!("dependency '{key}' is not ready according to readyExpr eval");
            Err(Unmet::Waiting(why))
        }
        Err(why) => Err(Unmet::Waiting(why.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, status: &Value) -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "ns", "generation": 2},
            "spec": {"interval": "1m", "prune": true,
                     "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
            "status": status,
        }))
        .unwrap()
    }

    fn status(ready: &str, generation: i64, revision: &str) -> Value {
        json!({"observedGeneration": generation, "lastAppliedRevision": revision, "conditions": [
            {"type": "Ready", "status": ready, "reason": "x", "message": "",
             "lastTransitionTime": "2025-01-01T00:00:00Z"}]})
    }

    #[test]
    fn a_dependency_is_ready_at_its_generation_and_at_the_revision_of_a_shared_source() {
        let it = object("app", &json!({}));
        let is = |status: &Value| is_ready(&it, "r2", &object("base", status));
        assert_eq!(is(&status("True", 2, "r2")), Ok(()));
        assert_eq!(is(&status("True", 1, "r2")), Err("is not ready"));
        assert_eq!(is(&status("False", 2, "r2")), Err("is not ready"));
        assert_eq!(is(&json!({})), Err("is not ready"));
        assert_eq!(is(&status("True", 2, "r1")), Err("revision is not up to date"));
    }

    #[test]
    fn only_what_can_matter_wakes() {
        let (a, b) = (object("a", &status("True", 2, "r1")), object("a", &status("True", 2, "r2")));
        assert!(has_moved(Some(&a), Some(&b)) && has_moved(None, Some(&a)));
        assert!(!has_moved(Some(&a), Some(&a)));
    }
}
