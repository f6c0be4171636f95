//! What is asked for by annotations of ours, so that the CRD stays upstream's:
//!
//! ```yaml
//! metadata:
//!   annotations:
//!     helm.sluice.dev/keep-when-moved: enabled
//!     helm.sluice.dev/server-side-apply: enabled
//!     helm.sluice.dev/health-check-exprs: |
//!       - {apiVersion: example.com/v1, kind: Database, current: status.phase == 'Running'}
//! ```
//!
//! The latter two are fields of later releases of Flux (`spec.*.serverSideApply`,
//! `spec.healthCheckExprs`).

use api::helm::HelmRelease;
use api::kustomize::CustomHealthCheck;
use health::{Check, Rules};
use kube::ResourceExt as _;

/// Keeps a release from being uninstalled when the spec moves it.
pub(super) const KEEP: &str = "helm.sluice.dev/keep-when-moved";

/// Has the API server merge what a release applies.
const APPLY: &str = "helm.sluice.dev/server-side-apply";

/// When custom resources are ready: a list in YAML, of upstream's form.
const HEALTH: &str = "helm.sluice.dev/health-check-exprs";

/// The most entries of the list.
const ENTRIES: usize = 100;

/// Why an annotation cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// Its form is wrong.
    Form(String),
    /// It has an expression that cannot be read.
    Expression(String),
}

/// Whether a release that moves must not be uninstalled.
pub(super) fn is_kept(it: &HelmRelease) -> bool {
    it.annotations().get(KEEP).is_some_and(|it| it == "enabled")
}

/// Whether installations, upgrades and rollbacks are applied by the API server.
///
/// # Errors
/// [`Unclear::Form`] for anything but `enabled` and `disabled`.
pub(super) fn applies(it: &HelmRelease) -> Result<bool, Unclear> {
    match it.annotations().get(APPLY).map(String::as_str) {
        None | Some("disabled") => Ok(false),
        Some("enabled") => Ok(true),
        Some(_) => {
            let why = format!("annotation {APPLY}: must be 'enabled' or 'disabled'");
            Err(Unclear::Form(why))
        }
    }
}

/// When custom resources are ready.
#[derive(Default)]
pub(super) struct Readiness {
    kinds: Vec<(String, String)>,
    pub(super) rules: Rules,
}

impl Readiness {
    /// Whether there is an expression for a kind.
    pub(super) fn covers(&self, group: &str, kind: &str) -> bool {
        self.kinds.iter().any(|known| (&*known.0, &*known.1) == (group, kind))
    }
}

/// The expressions by which custom resources are judged.
///
/// # Errors
/// [`Unclear`].
pub(super) fn readiness(it: &HelmRelease) -> Result<Readiness, Unclear> {
    fn text(text: Option<&String>) -> &str {
        text.map(String::as_str).unwrap_or_default()
    }
    let Some(list) = it.annotations().get(HEALTH) else { return Ok(Readiness::default()) };
    let list = parse(list).map_err(|why| Unclear::Form(format!("annotation {HEALTH}: {why}")))?;
    let group = |check: &CustomHealthCheck| {
        let group = check.api_version.split_once('/').map_or("", |(group, _)| group);
        (group.to_owned(), check.kind.clone())
    };
    let checks = list.iter().map(|check| Check {
        api_version: &check.api_version,
        kind: &check.kind,
        current: &check.current,
        in_progress: text(check.in_progress.as_ref()),
        failed: text(check.failed.as_ref()),
    });
    let rules = Rules::new(&checks.collect::<Vec<_>>());
    let rules = rules.map_err(|why| Unclear::Expression(why.to_string()))?;
    Ok(Readiness { kinds: list.iter().map(group).collect(), rules })
}

fn parse(text: &str) -> Result<Vec<CustomHealthCheck>, String> {
    let value = yaml::parse(text).map_err(|why| why.to_string())?;
    let json = value.to_json().map_err(|why| why.to_string())?;
    let list: Vec<CustomHealthCheck> =
        serde_json::from_str(&json).map_err(|why| why.to_string())?;
    if list.len() > ENTRIES {
        return Err(format!("there are more than {ENTRIES} entries"));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release(annotation: &str, value: &str) -> HelmRelease {
        let object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "app", "namespace": "ns", "annotations": {annotation: value}},
            "spec": {"interval": "1m"},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn the_api_server_applies_on_request() {
        assert_eq!(applies(&release("other", "enabled")), Ok(false));
        assert_eq!(applies(&release(APPLY, "enabled")), Ok(true));
        assert_eq!(applies(&release(APPLY, "disabled")), Ok(false));
        assert!(matches!(applies(&release(APPLY, "true")), Err(Unclear::Form(_))));
    }

    #[test]
    fn custom_resources_have_rules_of_their_own() {
        let list = "- {apiVersion: e.com/v1, kind: Db, current: 'status.ok'}";
        let found = readiness(&release(HEALTH, list)).unwrap();
        assert!(found.covers("e.com", "Db") && !found.covers("e.com", "Other"));
        assert!(!readiness(&release("other", list)).unwrap().covers("e.com", "Db"));
        let bad = readiness(&release(HEALTH, "- {apiVersion: e.com/v1, kind: Db, current: '('}"));
        assert!(matches!(bad.err(), Some(Unclear::Expression(_))));
        for form in ["text", "- {kind: Db}", "["] {
            let bad = readiness(&release(HEALTH, form)).err();
            assert!(matches!(bad, Some(Unclear::Form(_))), "{form}");
        }
    }
}
