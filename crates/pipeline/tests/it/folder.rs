//! Folders that are copied, and that a person changes.

use jiff::Timestamp;
use pipeline::{
    bundle::Order,
    choice::{Choice, Pick},
    stage::{Branch, Current, Decision, Drift, Edited, Facts, HoldKind, OnFailure, State, decide},
};

/// What a stage decides that runs what `commit` brought, where the folder is not as it was at `since`.
fn decided(commit: &str, since: &str, drift: Drift) -> Decision {
    let current = Current {
        bundle: "shop-a".to_owned(),
        promotion: Some("dev-a-1".to_owned()),
        commit: Some(commit.to_owned()),
        verified: Some(Timestamp::UNIX_EPOCH),
        ..Current::default()
    };
    let choice = Choice { candidate: Some("shop-b".to_owned()), ..Choice::default() };
    let facts = Facts {
        now: Timestamp::UNIX_EPOCH,
        pipeline: "shop",
        stage: "dev",
        auto: true,
        stopped: false,
        replaces: true,
        pick: Pick::Newest,
        order: Order::Discovered,
        on_failure: OnFailure::default(),
        drift,
        choice: &choice,
        bundles: &[],
        attempts: &[],
        branch: Branch::Copied,
        edited: Some(Edited {
            folder: "dev/config".to_owned(),
            since: since.to_owned(),
            commit: "c2".to_owned(),
            author: "ann".to_owned(),
        }),
        hold: None,
        resume: false,
        verify: false,
    };
    decide(&State { current: Some(current), ..State::default() }, &facts)
}

#[test]
fn a_persons_change_is_what_the_stage_runs_and_holds_it() {
    let decision = decided("c1", "c1", Drift::Adopt);
    let hold = decision.state.hold.expect("it is held");
    assert_eq!((hold.kind, hold.by.as_str()), (HoldKind::Commit, "ann"));
    let current = decision.state.current.expect("it runs something");
    assert_eq!((current.bundle.as_str(), current.commit.as_deref()), ("shop-a", Some("c2")));
    assert!(decision.create.is_none() && !decision.drifted);
}

#[test]
fn where_it_is_only_reported_nothing_is_promoted() {
    let decision = decided("c1", "c1", Drift::Report);
    assert!(decision.drifted && decision.create.is_none() && decision.state.hold.is_none());
}

#[test]
fn what_was_compared_with_another_commit_says_nothing() {
    let decision = decided("c3", "c1", Drift::Adopt);
    assert!(decision.state.hold.is_none() && decision.create.is_some());
}
