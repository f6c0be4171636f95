//! What a HelmRelease asks for, with upstream's defaults in place of what it does not say.

use std::time::Duration;

use api::duration;
use api::helm::{
    ActionStrategyName, CrdsPolicy, DeletionPropagation, DriftDetectionMode, HelmRelease,
    ReleaseAction, RemediationStrategy,
};
use apply::Propagation;
use helm::release::{Attempt, Policy, Strategy};
use kube::ResourceExt as _;

/// `spec.timeout`.
const TIMEOUT: Duration = Duration::from_mins(5);

/// `spec.{install,upgrade}.strategy.retryInterval`.
const RETRY_INTERVAL: Duration = Duration::from_mins(5);

/// How many revisions are kept.
const MAX_HISTORY: usize = 5;

/// What is done with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Install,
    Upgrade,
    Test,
    RollBack,
    Uninstall,
}

/// A duration of the spec; the CRD lets no others through.
fn given(text: Option<&String>) -> Option<Duration> {
    text.and_then(|text| duration::parse(text).ok())
}

fn named(name: Option<&String>) -> Option<String> {
    name.filter(|name| !name.is_empty()).cloned()
}

/// `spec.interval`.
pub(super) fn interval(it: &HelmRelease) -> Duration {
    given(Some(&it.spec.interval)).unwrap_or(TIMEOUT)
}

/// `spec.timeout`.
pub(super) fn timeout(it: &HelmRelease) -> Duration {
    given(it.spec.timeout.as_ref()).unwrap_or(TIMEOUT)
}

/// How long an action may take for each thing it waits for.
pub(super) fn timeout_of(it: &HelmRelease, deed: Deed) -> Duration {
    let spec = &it.spec;
    let own = match deed {
        Deed::Install => spec.install.as_ref().and_then(|it| it.timeout.as_ref()),
        Deed::Upgrade => spec.upgrade.as_ref().and_then(|it| it.timeout.as_ref()),
        Deed::Test => spec.test.as_ref().and_then(|it| it.timeout.as_ref()),
        Deed::RollBack => spec.rollback.as_ref().and_then(|it| it.timeout.as_ref()),
        Deed::Uninstall => spec.uninstall.as_ref().and_then(|it| it.timeout.as_ref()),
    };
    given(own).unwrap_or_else(|| timeout(it))
}

/// The name of the release as the spec says it; Helm gets it [shortened](helm::release::shortened).
pub(super) fn release_name(it: &HelmRelease) -> String {
    let target = named(it.spec.target_namespace.as_ref());
    named(it.spec.release_name.as_ref()).unwrap_or_else(|| match target {
        Some(namespace) => format!("{namespace}-{}", it.name_any()),
        None => it.name_any(),
    })
}

/// Where the release goes.
pub(super) fn release_namespace(it: &HelmRelease) -> String {
    named(it.spec.target_namespace.as_ref()).unwrap_or_else(|| own_namespace(it))
}

/// Where Helm's records go.
pub(super) fn storage_namespace(it: &HelmRelease) -> String {
    named(it.spec.storage_namespace.as_ref()).unwrap_or_else(|| own_namespace(it))
}

/// The namespace of the object.
pub(super) fn own_namespace(it: &HelmRelease) -> String {
    it.namespace().unwrap_or_default()
}

/// How many revisions Helm keeps; 0 for all.
pub(super) fn max_history(it: &HelmRelease) -> usize {
    let given = it.spec.max_history;
    given.map_or(MAX_HISTORY, |given| usize::try_from(given).unwrap_or_default())
}

/// Whether tests are run.
pub(super) fn tests(it: &HelmRelease) -> bool {
    it.spec.test.as_ref().is_some_and(|it| it.enable == Some(true))
}

/// Whether failed tests count as success by `spec.test`.
pub(super) fn ignores_test_failures(it: &HelmRelease) -> bool {
    it.spec.test.as_ref().is_some_and(|it| it.ignore_failures == Some(true))
}

/// Whether failed tests count as success after the last attempt; nothing if there was none.
pub(super) fn ignores_tests_after(it: &HelmRelease, last: Option<ReleaseAction>) -> Option<bool> {
    let spec = &it.spec;
    let own = match last? {
        ReleaseAction::Install => {
            let remediation = spec.install.as_ref().and_then(|it| it.remediation.as_ref());
            remediation.and_then(|it| it.ignore_test_failures)
        }
        ReleaseAction::Upgrade => {
            let remediation = spec.upgrade.as_ref().and_then(|it| it.remediation.as_ref());
            remediation.and_then(|it| it.ignore_test_failures)
        }
    };
    Some(own.unwrap_or_else(|| ignores_test_failures(it)))
}

/// After how long a failed attempt is made again without taking anything back; nothing if failures
/// are remediated.
pub(super) fn retry_interval(it: &HelmRelease, last: Option<ReleaseAction>) -> Option<Duration> {
    let spec = &it.spec;
    let (name, interval) = match last? {
        ReleaseAction::Install => {
            let strategy = spec.install.as_ref()?.strategy.as_ref()?;
            (strategy.name, strategy.retry_interval.as_ref())
        }
        ReleaseAction::Upgrade => {
            let strategy = spec.upgrade.as_ref()?.strategy.as_ref()?;
            (strategy.name, strategy.retry_interval.as_ref())
        }
    };
    let retries = name == ActionStrategyName::RetryOnFailure;
    retries.then(|| given(interval).unwrap_or(RETRY_INTERVAL))
}

/// How often an attempt is made again; negative for ever.
pub(super) fn retries(it: &HelmRelease, action: ReleaseAction) -> i64 {
    let spec = &it.spec;
    let given = match action {
        ReleaseAction::Install => {
            spec.install.as_ref().and_then(|it| it.remediation.as_ref()).and_then(|it| it.retries)
        }
        ReleaseAction::Upgrade => {
            spec.upgrade.as_ref().and_then(|it| it.remediation.as_ref()).and_then(|it| it.retries)
        }
    };
    given.unwrap_or_default()
}

/// What the state machine has to know of the spec.
pub(super) fn policy(it: &HelmRelease, forced: bool) -> Policy {
    let strategy = |action| match retry_interval(it, Some(action)) {
        Some(_) => Strategy::Retry,
        None => remediate(it, action),
    };
    Policy {
        install: strategy(ReleaseAction::Install),
        upgrade: strategy(ReleaseAction::Upgrade),
        correct_drift: drift_mode(it) == DriftDetectionMode::Enabled,
        forced,
    }
}

fn remediate(it: &HelmRelease, action: ReleaseAction) -> Strategy {
    let retries = retries(it, action);
    let spec = &it.spec;
    match action {
        ReleaseAction::Install => {
            let remediation = spec.install.as_ref().and_then(|it| it.remediation.as_ref());
            let last = remediation.and_then(|it| it.remediate_last_failure);
            Strategy::Remediate { retries, remediate_last: last == Some(true), uninstall: true }
        }
        ReleaseAction::Upgrade => {
            let remediation = spec.upgrade.as_ref().and_then(|it| it.remediation.as_ref());
            let last = remediation.and_then(|it| it.remediate_last_failure);
            let strategy = remediation.and_then(|it| it.strategy).unwrap_or_default();
            Strategy::Remediate {
                retries,
                remediate_last: last.unwrap_or(retries > 0),
                uninstall: strategy == RemediationStrategy::Uninstall,
            }
        }
    }
}

/// What was attempted, as the state machine calls it.
pub(super) fn attempt(action: ReleaseAction) -> Attempt {
    match action {
        ReleaseAction::Install => Attempt::Install,
        ReleaseAction::Upgrade => Attempt::Upgrade,
    }
}

/// `spec.driftDetection.mode`.
pub(super) fn drift_mode(it: &HelmRelease) -> DriftDetectionMode {
    it.spec.drift_detection.as_ref().and_then(|it| it.mode).unwrap_or_default()
}

/// How dependents are deleted.
pub(super) fn propagation(it: &HelmRelease) -> Propagation {
    match it.spec.uninstall.as_ref().and_then(|it| it.deletion_propagation).unwrap_or_default() {
        DeletionPropagation::Background => Propagation::Background,
        DeletionPropagation::Foreground => Propagation::Foreground,
        DeletionPropagation::Orphan => Propagation::Orphan,
    }
}

/// How an installation, an upgrade or a rollback goes about it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the spec")]
pub(super) struct Manner {
    pub(super) wait: bool,
    pub(super) wait_for_jobs: bool,
    pub(super) hooks: bool,
    pub(super) take_ownership: bool,
    pub(super) skip_schema: bool,
    pub(super) force: bool,
    pub(super) replace: bool,
    pub(super) create_namespace: bool,
    pub(super) preserve_values: bool,
    pub(super) cleanup_on_fail: bool,
    pub(super) recreate: bool,
    pub(super) keep_history: bool,
    pub(super) crds: CrdsPolicy,
}

impl Manner {
    /// How an action goes about it.
    pub(super) fn of(it: &HelmRelease, deed: Deed) -> Self {
        let yes = |flag: Option<bool>| flag == Some(true);
        let no = |flag: Option<bool>| flag != Some(true);
        let spec = &it.spec;
        match deed {
            Deed::Install => {
                let it = spec.install.clone().unwrap_or_default();
                Self {
                    wait: no(it.disable_wait),
                    wait_for_jobs: no(it.disable_wait_for_jobs),
                    hooks: no(it.disable_hooks),
                    take_ownership: no(it.disable_take_ownership),
                    skip_schema: yes(it.disable_schema_validation),
                    replace: yes(it.replace),
                    create_namespace: yes(it.create_namespace)
                        && named(spec.target_namespace.as_ref()).is_some(),
                    crds: it.crds.unwrap_or_default(),
                    ..Self::default()
                }
            }
            Deed::Upgrade => {
                let it = spec.upgrade.clone().unwrap_or_default();
                Self {
                    wait: no(it.disable_wait),
                    wait_for_jobs: no(it.disable_wait_for_jobs),
                    hooks: no(it.disable_hooks),
                    take_ownership: no(it.disable_take_ownership),
                    skip_schema: yes(it.disable_schema_validation),
                    force: yes(it.force),
                    preserve_values: yes(it.preserve_values),
                    cleanup_on_fail: yes(it.cleanup_on_fail),
                    crds: it.crds.unwrap_or_default(),
                    ..Self::default()
                }
            }
            Deed::RollBack => {
                let it = spec.rollback.clone().unwrap_or_default();
                Self {
                    wait: no(it.disable_wait),
                    wait_for_jobs: no(it.disable_wait_for_jobs),
                    hooks: no(it.disable_hooks),
                    force: yes(it.force),
                    cleanup_on_fail: yes(it.cleanup_on_fail),
                    recreate: yes(it.recreate),
                    ..Self::default()
                }
            }
            Deed::Uninstall => {
                let it = spec.uninstall.clone().unwrap_or_default();
                Self {
                    wait: no(it.disable_wait),
                    hooks: no(it.disable_hooks),
                    keep_history: yes(it.keep_history),
                    ..Self::default()
                }
            }
            Deed::Test => Self { hooks: true, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release(spec: &serde_json::Value) -> HelmRelease {
        let mut object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "app", "namespace": "ns"}, "spec": {"interval": "1m"},
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn names_and_namespaces_have_defaults() {
        let plain = release(&json!({}));
        assert_eq!((release_name(&plain), release_namespace(&plain)), ("app".into(), "ns".into()));
        let aimed = release(&json!({"targetNamespace": "there"}));
        assert_eq!(release_name(&aimed), "there-app");
        assert_eq!(release_namespace(&aimed), "there");
        assert_eq!(storage_namespace(&aimed), "ns");
        assert_eq!((max_history(&plain), max_history(&release(&json!({"maxHistory": 0})))), (5, 0));
    }

    #[test]
    fn the_last_failed_upgrade_is_remediated_if_there_are_retries() {
        let with = |remediation: serde_json::Value| {
            policy(&release(&json!({"upgrade": {"remediation": remediation}})), false).upgrade
        };
        let of = |retries, remediate_last| Strategy::Remediate {
            retries,
            remediate_last,
            uninstall: false,
        };
        assert_eq!(with(json!({})), of(0, false));
        assert_eq!(with(json!({"retries": 2})), of(2, true));
        assert_eq!(with(json!({"retries": 2, "remediateLastFailure": false})), of(2, false));
        let retry = json!({"install": {"strategy": {"name": "RetryOnFailure"}}});
        assert_eq!(policy(&release(&retry), false).install, Strategy::Retry);
        let wait = retry_interval(&release(&retry), Some(ReleaseAction::Install));
        assert_eq!(wait, Some(Duration::from_mins(5)));
    }

    #[test]
    fn an_action_has_its_own_timeout() {
        let it = release(&json!({"timeout": "10s", "upgrade": {"timeout": "3s"}}));
        assert_eq!(timeout_of(&it, Deed::Upgrade), Duration::from_secs(3));
        assert_eq!(timeout_of(&it, Deed::Install), Duration::from_secs(10));
    }
}
