//! Records, digests, history, and what to do next.

use helm::chart::{Chart, File};
use helm::release::{
    Action, Attempt, Failed, Info, Policy, Record, State, Status, Strategy, next_action,
    observation_digest, pruned, spec_digest, superseded, values_digest,
};
use helm::values::{self, Values};

fn record(version: i64, status: Status) -> Record {
    let chart = Chart::from_files(vec![File::new(
        "Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    )])
    .unwrap();
    Record {
        name: "demo".to_owned(),
        info: Info {
            first_deployed: "2025-01-02T03:04:05.123456789+01:00".to_owned(),
            last_deployed: "2025-01-02T03:04:05Z".to_owned(),
            description: "Install complete".to_owned(),
            status,
            ..Info::default()
        },
        chart,
        config: values::parse(b"b: {y: 1.5, x: 1}\na: <b>\n").unwrap(),
        manifest: "---\n# Source: c/templates/a.yaml\nkind: ConfigMap\n".to_owned(),
        hooks: Vec::new(),
        version,
        namespace: "ns".to_owned(),
    }
}

#[test]
fn a_record_survives() {
    let record = record(3, Status::Deployed);
    let text = record.encode();
    let again = Record::decode(text.as_bytes()).unwrap();
    assert_eq!(again.encode(), text);
    assert_eq!((again.info.status, again.version), (Status::Deployed, 3));
    assert_eq!(observation_digest(&again, ""), observation_digest(&record, ""));
    for bad in ["", "!", "e30", "bm90IGpzb24="] {
        Record::decode(bad.as_bytes()).unwrap_err();
    }
}

/// The vectors of helm-controller and of fluxcd/pkg.
#[test]
fn digests_are_flux_s() {
    let mut empty = record(0, Status::Unknown);
    empty.name = "foo".to_owned();
    empty.info = Info::default();
    empty.chart.metadata = helm::chart::Metadata::default();
    empty.config = Values::new();
    empty.manifest = String::new();
    empty.namespace = String::new();
    assert_eq!(
        observation_digest(&empty, ""),
        "sha256:91b6773f7696d3eb405708a07e2daedc6e69664dabac8e10af7d570d09f947d5"
    );
    let digest = |text: &str| values_digest(&values::parse(text.as_bytes()).unwrap());
    assert_eq!(
        digest("{}"),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        digest(
            "replicas: 3\nimage: {tag: latest, repository: nginx}\nports:\n\
             - {protocol: TCP, port: 8080}\n- {port: 9090, protocol: UDP}\n"
        ),
        "sha256:fcdc2b0de1581a3633ada4afee3f918f6eaa5b5ab38c3fef03d5b48d3f85d9f6"
    );
    assert_eq!(
        digest(
            "replicas: 3\ntest:\n  632bd80235a05f4192aefade: value1\n  632bd80ddf416cf32fd50679: value2\n  \
             632bd817c559818a52307da2: value3\n  632bd82398e71231a98004b6: value4\n"
        ),
        "sha256:8a980fcbeadd6f05818f07e8aec14070c22250ca3d96af1fcd5f93b3e85b4d70"
    );
    assert_ne!(
        spec_digest(&serde_json::json!([{"kustomize": {}}])),
        spec_digest(&serde_json::json!([]))
    );
}

#[test]
fn old_revisions_go() {
    let records: Vec<Record> =
        [(1, Status::Superseded), (2, Status::Deployed), (3, Status::Failed), (4, Status::Failed)]
            .map(|(version, status)| record(version, status))
            .into();
    assert!(pruned(&records, 0).is_empty());
    assert!(pruned(&records, 5).is_empty());
    assert_eq!(pruned(&records, 4), [1]);
    assert_eq!(pruned(&records, 2), [1, 3, 4], "never the one in use");
    assert_eq!(superseded(&records, 5), [2]);
    assert!(superseded(&records, 2).is_empty());
}

fn remediate(retries: i64, remediate_last: bool, uninstall: bool) -> Strategy {
    Strategy::Remediate { retries, remediate_last, uninstall }
}

const POLICY: Policy = Policy {
    install: Strategy::Remediate { retries: 0, remediate_last: false, uninstall: false },
    upgrade: Strategy::Remediate { retries: 0, remediate_last: false, uninstall: false },
    correct_drift: false,
    forced: false,
};

#[test]
fn every_state_has_an_action() {
    let none = Failed::default();
    let once = Failed { installs: 1, upgrades: 1, ..none };
    let forced = Policy { forced: true, ..POLICY };
    let correcting = Policy { correct_drift: true, ..POLICY };
    for (state, policy, failed, want) in [
        (State::Absent, POLICY, none, Action::Install),
        (State::Absent, POLICY, once, Action::RetriesExceeded),
        (State::Absent, forced, once, Action::Install),
        (State::Locked, POLICY, once, Action::Unlock),
        (State::Unmanaged, POLICY, once, Action::AdoptAndUpgrade),
        (State::OutOfSync, POLICY, none, Action::Upgrade),
        (State::OutOfSync, POLICY, once, Action::RetriesExceeded),
        (State::OutOfSync, Policy { upgrade: Strategy::Retry, ..POLICY }, once, Action::Upgrade),
        (State::Drifted, POLICY, none, Action::ReportDrift),
        (State::Drifted, correcting, none, Action::CorrectDrift),
        (State::Untested, POLICY, none, Action::Test),
        (State::InSync, POLICY, none, Action::Done),
        (State::InSync, forced, none, Action::Upgrade),
    ] {
        assert_eq!(next_action(state, &policy, &failed), want, "{state:?} {policy:?} {failed:?}");
    }
}

#[test]
fn failures_are_remediated() {
    let install = |installs| Failed { last: Some(Attempt::Install), installs, ..Failed::default() };
    let upgrade = |upgrades, has_previous, previous_is_intact| Failed {
        last: Some(Attempt::Upgrade),
        upgrades,
        has_previous,
        previous_is_intact,
        ..Failed::default()
    };
    let with = |strategy| Policy { install: strategy, upgrade: strategy, ..POLICY };
    for (policy, failed, want) in [
        (POLICY, Failed::default(), Action::Upgrade),
        (POLICY, install(0), Action::Upgrade),
        (POLICY, install(1), Action::RetriesExceeded),
        (with(remediate(0, true, false)), install(1), Action::UninstallRemediation),
        (with(remediate(2, false, false)), install(2), Action::UninstallRemediation),
        (with(remediate(-1, false, false)), install(100), Action::UninstallRemediation),
        (with(Strategy::Retry), install(100), Action::Upgrade),
        (with(remediate(1, false, false)), upgrade(1, true, true), Action::RollBack),
        (with(remediate(1, false, false)), upgrade(1, true, false), Action::Upgrade),
        (with(remediate(1, false, false)), upgrade(1, false, false), Action::MissingRollbackTarget),
        (with(remediate(1, false, true)), upgrade(1, true, true), Action::UninstallRemediation),
        (with(remediate(1, false, false)), upgrade(2, true, true), Action::RetriesExceeded),
        (Policy { forced: true, ..POLICY }, upgrade(2, true, true), Action::Upgrade),
    ] {
        assert_eq!(next_action(State::Failed, &policy, &failed), want, "{policy:?} {failed:?}");
    }
}
