//! The history in the status: what was recorded of each revision.

use std::collections::BTreeMap;

use api::helm::{Snapshot, TestHookStatus};
use api::meta::Time;
use helm::release::{Algorithm, Record, Status, is_observed, observation_digest_by, values_digest};
use jiff::Timestamp;

/// How many revisions are kept if none of them is good.
const KEPT: usize = 5;

/// The snapshot of a record as it is in Helm's storage.
pub(super) fn of(record: &Record, oci_digest: Option<&str>, algorithm: Algorithm) -> Snapshot {
    let metadata = &record.chart.metadata;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Snapshot {
        api_version: None,
        digest: observation_digest_by(algorithm, record, oci_digest.unwrap_or_default()),
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        version: record.version,
        status: record.info.status.to_string(),
        chart_name: metadata.name.clone(),
        chart_version: metadata.version.clone(),
        app_version: text(&metadata.app_version),
        config_digest: values_digest(&record.config),
        first_deployed: time(&record.info.first_deployed).unwrap_or(Time(Timestamp::UNIX_EPOCH)),
        last_deployed: time(&record.info.last_deployed).unwrap_or(Time(Timestamp::UNIX_EPOCH)),
        deleted: time(&record.info.deleted),
        test_hooks: None,
        oci_digest: oci_digest.and_then(text),
    }
}

/// How the tests of a record went, by name.
pub(super) fn tests_of(record: &Record) -> BTreeMap<String, Option<TestHookStatus>> {
    let is_test = |events: &[String]| events.iter().any(|event| event == "test");
    let tests = record.hooks.iter().filter(|(hook, _)| is_test(&hook.events));
    tests
        .map(|(hook, run)| {
            let phase = Some(run.phase.clone()).filter(|phase| !phase.is_empty());
            let status = TestHookStatus {
                last_started: time(&run.started_at),
                last_completed: time(&run.completed_at),
                phase,
            };
            (hook.name.clone(), Some(status))
        })
        .collect()
}

/// A time of Helm's in whole seconds, as statuses have it.
fn time(text: &str) -> Option<Time> {
    let at: Timestamp = text.parse().ok()?;
    Some(Time(Timestamp::from_second(at.as_second()).unwrap_or(at)))
}

/// `namespace/name.vN`.
pub(super) fn full_name(it: &Snapshot) -> String {
    format!("{}/{}.v{}", it.namespace, it.name, it.version)
}

/// `chart@version`.
pub(super) fn chart(it: &Snapshot) -> String {
    format!("{}@{}", it.chart_name, it.chart_version)
}

/// Whether a snapshot is of this revision.
pub(super) fn is_of(it: &Snapshot, record: &Record) -> bool {
    it.name == record.name && it.namespace == record.namespace && it.version == record.version
}

/// The snapshot of a revision that is known, as it is now.
pub(super) fn renewed(known: &Snapshot, record: &Record) -> Snapshot {
    let algorithm = known.digest.split_once(':').and_then(|(name, _)| name.parse().ok());
    of(record, known.oci_digest.as_deref(), algorithm.unwrap_or_default())
}

/// Whether a record is as it was when the snapshot was taken.
pub(super) fn is_intact(it: &Snapshot, record: &Record) -> bool {
    is_observed(record, it.oci_digest.as_deref().unwrap_or_default(), &it.digest)
}

/// The revision whose content a deployed revision has again.
pub(super) fn rolled_back_to(record: &Record) -> Option<i64> {
    let info = &record.info;
    let target = info.description.strip_prefix("Rollback to ")?.parse().ok()?;
    (info.status == Status::Deployed).then_some(target)
}

/// Whether one of the tests failed.
pub(super) fn has_failed_test(it: &Snapshot) -> bool {
    let mut tests = it.test_hooks.iter().flatten().filter_map(|(_, test)| test.as_ref());
    tests.any(|test| test.phase.as_deref() == Some("Failed"))
}

fn is_good(it: &Snapshot, ignore_tests: bool) -> bool {
    let was_deployed = it.status == "deployed" || it.status == "superseded";
    was_deployed && (ignore_tests || !has_failed_test(it))
}

/// Sorts the newest revision to the front.
pub(super) fn sort(history: &mut [Snapshot]) {
    history.sort_by_key(|it| std::cmp::Reverse(it.version));
}

/// The revision to go back to: the newest good one before the newest. The history is sorted.
pub(super) fn previous(history: &[Snapshot], ignore_tests: bool) -> Option<&Snapshot> {
    history.iter().skip(1).find(|it| is_good(it, ignore_tests))
}

/// Forgets all revisions before the one to go back to.
pub(super) fn truncate(history: &mut Vec<Snapshot>, ignore_tests: bool) {
    sort(history);
    let previous = history.iter().skip(1).position(|it| is_good(it, ignore_tests));
    history.truncate(previous.map_or(KEPT, |at| at + 2));
}

/// Forgets all but the newest revisions.
pub(super) fn truncate_to_newest(history: &mut Vec<Snapshot>) {
    sort(history);
    history.truncate(KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots(statuses: &[&str]) -> Vec<Snapshot> {
        let of = |(at, status): (usize, &&str)| Snapshot {
            api_version: None,
            digest: String::new(),
            name: "app".into(),
            namespace: "ns".into(),
            version: i64::try_from(at).unwrap() + 1,
            status: (*status).to_owned(),
            chart_name: "c".into(),
            chart_version: "1".into(),
            app_version: None,
            config_digest: String::new(),
            first_deployed: Time(Timestamp::UNIX_EPOCH),
            last_deployed: Time(Timestamp::UNIX_EPOCH),
            deleted: None,
            test_hooks: None,
            oci_digest: None,
        };
        let mut all: Vec<Snapshot> = statuses.iter().enumerate().map(of).collect();
        sort(&mut all);
        all
    }

    fn versions(history: &[Snapshot]) -> Vec<i64> {
        history.iter().map(|it| it.version).collect()
    }

    #[test]
    fn what_is_kept_ends_with_the_last_good_one() {
        let mut history = snapshots(&["superseded", "superseded", "failed", "failed"]);
        assert_eq!(previous(&history, false).unwrap().version, 2);
        truncate(&mut history, false);
        assert_eq!(versions(&history), [4, 3, 2]);
        let mut failed = snapshots(&["failed"; 7]);
        truncate(&mut failed, false);
        assert_eq!(versions(&failed), [7, 6, 5, 4, 3]);
    }

    #[test]
    fn a_revision_whose_tests_failed_is_no_good() {
        let mut history = snapshots(&["superseded", "superseded", "failed"]);
        let failed = TestHookStatus { phase: Some("Failed".into()), ..TestHookStatus::default() };
        history[1].test_hooks = Some(BTreeMap::from([("t".to_owned(), Some(failed))]));
        assert_eq!(previous(&history, false).unwrap().version, 1);
        assert_eq!(previous(&history, true).unwrap().version, 2);
    }
}
