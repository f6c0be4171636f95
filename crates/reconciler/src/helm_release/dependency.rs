//! Whether the releases that a release depends on are ready.

use api::helm::HelmRelease;
use api::meta::{DependencyReference, READY, Status as _};
use controller::{Reference, Watch};
use expression::Expression;
use kube::{Api, Client, ResourceExt as _};

use super::Options;
use super::spec::own_namespace;

/// Why a release has to wait, or never can go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// A dependency is not ready.
    Waiting(String),
    /// An expression can never be evaluated.
    Expression(String),
}

/// Checks all dependencies in order; they are read anew, since what a watch knows may be older than
/// what they depend on.
///
/// # Errors
/// The first one that is not met.
pub(super) async fn check(
    client: &Client,
    it: &HelmRelease,
    options: &Options,
) -> Result<(), Unmet> {
    for dependency in it.spec.depends_on.iter().flatten() {
        let (namespace, name) = key(it, dependency);
        let found = Api::<HelmRelease>::namespaced(client.clone(), &namespace).get(&name).await;
        let found = found.map_err(|why| {
            let why = match why {
                kube::Error::Api(status) => status.message.clone(),
                other => other.to_string(),
            };
            Unmet::Waiting(format!("unable to get '{namespace}/{name}' dependency: {why}"))
        })?;
        let expression = dependency.ready_expr.as_deref().filter(|expr| !expr.is_empty());
        if let Some(expression) = expression {
            evaluate(it, expression, &found)?;
            if !options.additive_cel_dependency_check {
                continue;
            }
        }
        let status = found.status.clone().unwrap_or_default();
        let is_observed = found.metadata.generation == status.observed_generation;
        if !is_observed || status.condition(READY).is_none_or(|ready| ready.status != "True") {
            return Err(Unmet::Waiting(format!("dependency '{namespace}/{name}' is not ready")));
        }
    }
    Ok(())
}

fn key(it: &HelmRelease, dependency: &DependencyReference) -> (String, String) {
    let namespace = dependency.namespace.clone().filter(|given| !given.is_empty());
    (namespace.unwrap_or_else(|| own_namespace(it)), dependency.name.clone())
}

/// Whether an expression over both objects says that the dependency is ready.
fn evaluate(it: &HelmRelease, expression: &str, dependency: &HelmRelease) -> Result<(), Unmet> {
    let name = dependency.name_any();
    let compiled = Expression::compile(expression, &["self", "dep"]).map_err(|why| {
        Unmet::Expression(format!("terminal error: failed to evaluate dependency {name}: {why}"))
    })?;
    let value = |it: &HelmRelease| serde_json::to_value(it).unwrap_or_default();
    let variables = [("self".to_owned(), value(it)), ("dep".to_owned(), value(dependency))];
    match compiled.is_true(&variables.into_iter().collect()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let key = format!("{}/{name}", dependency.namespace().unwrap_or_default());
            let why = format!("dependency '{key}' is not ready according to readyExpr eval");
            Err(Unmet::Waiting(why))
        }
        Err(why) => Err(Unmet::Waiting(why.to_string())),
    }
}

/// The dependencies as something that wakes.
pub(super) fn references(it: &HelmRelease) -> impl Iterator<Item = Reference> {
    let keys = it.spec.depends_on.iter().flatten().map(|dependency| key(it, dependency));
    keys.map(|(namespace, name)| Reference::object::<HelmRelease>(namespace, name))
}

/// A watch of what a release can depend on: readiness, and what it released.
pub(super) fn watch() -> Watch {
    Watch::on::<HelmRelease>(|before, after| {
        let of = |it: Option<&HelmRelease>| {
            let status = it?.status.clone()?;
            let ready = status.condition(READY).map(|ready| ready.status.clone());
            Some((ready, status.observed_generation, status.last_attempted_revision))
        };
        of(before) != of(after) || before.is_some() != after.is_some()
    })
}
