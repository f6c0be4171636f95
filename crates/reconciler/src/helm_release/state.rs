//! How a release stands: what Helm's storage has, held against the history and the spec.

use api::helm::{HelmRelease, HelmReleaseStatus};
use api::meta::READY;
use helm::release::{Record, State, Status, spec_digest, values_digest};
use serde_json::json;

use super::{snapshot, spec};

/// What the spec asks for.
pub(super) struct Wanted<'a> {
    pub(super) chart: (&'a str, &'a str),
    /// Digest of the values.
    pub(super) values: &'a str,
}

/// How a release stands, but for drift.
///
/// # Errors
/// A status that nothing can be done about.
pub(super) fn of(
    it: &HelmRelease,
    status: &HelmReleaseStatus,
    record: Option<&Record>,
    wanted: &Wanted<'_>,
) -> Result<State, String> {
    let Some(record) = record else { return Ok(State::Absent) };
    let found = record.info.status;
    // Whatever is on its way is in this process's memory; this is not.
    if found.is_pending() || found == Status::Uninstalling {
        return Ok(State::Locked);
    }
    if found == Status::Uninstalled {
        return Ok(State::Absent);
    }
    let mut history = status.history.clone().unwrap_or_default();
    snapshot::sort(&mut history);
    let Some(current) = history.first() else { return Ok(State::Unmanaged) };
    if !snapshot::is_intact(current, record) {
        return Ok(State::Unmanaged);
    }
    match found {
        Status::Failed => return Ok(State::Failed),
        Status::Deployed => {}
        other => {
            return Err(format!("unable to determine state for release with status '{other}'"));
        }
    }
    let metadata = &record.chart.metadata;
    let same_chart = (&*metadata.name, &*metadata.version) == wanted.chart;
    if !same_chart || current.config_digest != wanted.values || has_new_rendering(it, status) {
        return Ok(State::OutOfSync);
    }
    if spec::tests(it) {
        if current.test_hooks.is_none() {
            return Ok(State::Untested);
        }
        let ignores = spec::ignores_tests_after(it, status.last_attempted_release_action);
        if ignores == Some(false) && snapshot::has_failed_test(current) {
            return Ok(State::Failed);
        }
    }
    Ok(State::InSync)
}

/// Whether the spec has other post-renderers or common metadata than the last success. That is asked
/// once for a generation: what was seen is noted when all is well.
fn has_new_rendering(it: &HelmRelease, status: &HelmReleaseStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition.type_ == READY);
    if ready.is_none_or(|ready| ready.observed_generation == it.metadata.generation) {
        return false;
    }
    let seen = |digest: &Option<String>| digest.clone().unwrap_or_default();
    post_renderers_digest(it) != seen(&status.observed_post_renderers_digest)
        || common_metadata_digest(it) != seen(&status.observed_common_metadata_digest)
}

/// Digest of the post-renderers; empty without any.
pub(super) fn post_renderers_digest(it: &HelmRelease) -> String {
    it.spec.post_renderers.as_ref().map(|it| spec_digest(&json!(it))).unwrap_or_default()
}

/// Digest of the common metadata; empty without any.
pub(super) fn common_metadata_digest(it: &HelmRelease) -> String {
    it.spec.common_metadata.as_ref().map(|it| spec_digest(&json!(it))).unwrap_or_default()
}

/// Which part of a release's place is another one than that of the newest revision.
pub(super) fn moved(
    it: &HelmRelease,
    status: &HelmReleaseStatus,
    chart: &str,
) -> Option<&'static str> {
    let storage = status.storage_namespace.as_deref().filter(|given| !given.is_empty())?;
    let mut history = status.history.clone().unwrap_or_default();
    snapshot::sort(&mut history);
    let current = history.first()?;
    let name = helm::release::shortened(&spec::release_name(it));
    if storage != spec::storage_namespace(it) {
        Some("storage namespace")
    } else if current.namespace != spec::release_namespace(it) {
        Some("release namespace")
    } else if current.name != name {
        Some("release name")
    } else if current.chart_name != chart {
        Some("chart name")
    } else {
        None
    }
}

/// Whether failures are forgotten: the last attempt was one of another spec, chart or values.
pub(super) fn has_changed(
    it: &HelmRelease,
    status: &HelmReleaseStatus,
    wanted: &Wanted<'_>,
) -> bool {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let digest = given(&status.last_attempted_config_digest);
    status.last_attempted_generation != it.metadata.generation
        || given(&status.last_attempted_revision) != wanted.chart.1
        || (!digest.is_empty() && digest != wanted.values)
}

/// The digest of values as it stands in statuses.
pub(super) fn digest_of(values: &helm::values::Values) -> String {
    values_digest(values)
}

#[cfg(test)]
mod tests {
    use helm::chart::{Chart, File};
    use helm::release::{Algorithm, Info};
    use helm::values::Values;

    use super::*;

    fn release(spec: &serde_json::Value) -> HelmRelease {
        let mut object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "app", "namespace": "ns", "generation": 2},
            "spec": {"interval": "1m"},
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn record(status: Status) -> Record {
        let text = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
        Record {
            name: "app".into(),
            info: Info { status, ..Info::default() },
            chart: Chart::from_files(vec![File::new("Chart.yaml", text)]).unwrap(),
            config: Values::new(),
            manifest: String::new(),
            hooks: Vec::new(),
            version: 1,
            namespace: "ns".into(),
        }
    }

    fn status(record: &Record) -> HelmReleaseStatus {
        HelmReleaseStatus {
            history: Some(vec![snapshot::of(record, None, Algorithm::Sha256)]),
            ..HelmReleaseStatus::default()
        }
    }

    fn judged(it: &HelmRelease, status: &HelmReleaseStatus, record: &Record) -> State {
        let values = digest_of(&Values::new());
        let wanted = Wanted { chart: ("c", "1.0.0"), values: &values };
        of(it, status, Some(record), &wanted).unwrap()
    }

    #[test]
    fn a_release_is_known_by_its_digest() {
        let it = release(&json!({}));
        let deployed = record(Status::Deployed);
        assert_eq!(judged(&it, &status(&deployed), &deployed), State::InSync);
        let mut edited = deployed.clone();
        edited.manifest = "kind: X".into();
        assert_eq!(judged(&it, &status(&deployed), &edited), State::Unmanaged);
        assert_eq!(judged(&it, &HelmReleaseStatus::default(), &deployed), State::Unmanaged);
        let gone = record(Status::Uninstalled);
        assert_eq!(judged(&it, &HelmReleaseStatus::default(), &gone), State::Absent);
        assert_eq!(judged(&it, &status(&deployed), &gone), State::Absent);
        for interrupted in [Status::PendingUpgrade, Status::Uninstalling] {
            let interrupted = record(interrupted);
            assert_eq!(judged(&it, &status(&deployed), &interrupted), State::Locked);
        }
        let failed = record(Status::Failed);
        assert_eq!(judged(&it, &status(&failed), &failed), State::Failed);
    }

    #[test]
    fn other_values_and_charts_are_out_of_sync() {
        let (it, deployed) = (release(&json!({})), record(Status::Deployed));
        let status = status(&deployed);
        let own = digest_of(&Values::new());
        for (chart, values) in
            [(("c", "1.0.1"), &*own), (("d", "1.0.0"), &*own), (("c", "1.0.0"), "sha256:x")]
        {
            let wanted = Wanted { chart, values };
            let state = of(&it, &status, Some(&deployed), &wanted).unwrap();
            assert_eq!(state, State::OutOfSync, "{chart:?}");
        }
    }

    #[test]
    fn tests_are_asked_for_and_count() {
        let it = release(&json!({"test": {"enable": true}}));
        let deployed = record(Status::Deployed);
        let mut status = status(&deployed);
        assert_eq!(judged(&it, &status, &deployed), State::Untested);
        let test = api::helm::TestHookStatus { phase: Some("Failed".into()), ..Default::default() };
        let tests = [("t".to_owned(), Some(test))].into();
        status.history.as_mut().unwrap()[0].test_hooks = Some(tests);
        assert_eq!(judged(&it, &status, &deployed), State::InSync);
        status.last_attempted_release_action = Some(api::helm::ReleaseAction::Install);
        assert_eq!(judged(&it, &status, &deployed), State::Failed);
    }

    #[test]
    fn a_release_that_moves_is_another_one() {
        let deployed = record(Status::Deployed);
        let mut status = status(&deployed);
        assert_eq!(moved(&release(&json!({})), &status, "d"), None);
        status.storage_namespace = Some("ns".into());
        let of = |spec: serde_json::Value, chart: &str| moved(&release(&spec), &status, chart);
        assert_eq!(of(json!({}), "c"), None);
        assert_eq!(of(json!({}), "d"), Some("chart name"));
        assert_eq!(of(json!({"releaseName": "x"}), "c"), Some("release name"));
        assert_eq!(of(json!({"storageNamespace": "x"}), "c"), Some("storage namespace"));
        let there = json!({"targetNamespace": "x", "releaseName": "app"});
        assert_eq!(of(there, "c"), Some("release namespace"));
    }
}
