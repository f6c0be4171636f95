//! What is in the status after a run, and what is written at all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::json;

use crate::toy::{INTERVAL, ToySpec};
use crate::world::{World, until};

fn act(act: &str, text: &str) -> ToySpec {
    ToySpec { act: act.into(), text: text.into(), ..ToySpec::default() }
}

#[tokio::test]
async fn success() {
    let world = World::new().await;
    world.create("it", act("", "done")).await;
    let _running = world.start().await;
    let wanted = json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "done",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    assert_eq!(world.status("it").await, wanted);
    assert_eq!(world.get("it").await.finalizers(), ["finalizers.fluxcd.io"]);
}

#[tokio::test]
async fn failure_keeps_generation_and_progress() {
    let world = World::new().await;
    world.create("plain", act("fail", "no")).await;
    world.create("progress", act("progress", "no")).await;
    world.bench.gate.add_permits(1);
    let _running = world.start().await;
    let wanted = [
        "Reconciling=True ProgressingWithRetry: processing object: new generation -1 -> 1",
        "Ready=False Failure: no",
    ];
    assert_eq!(world.conditions("plain").await, wanted);
    assert_ne!(world.status("plain").await["observedGeneration"], 1);
    let wanted = ["Reconciling=True ProgressingWithRetry: playing: no", "Ready=False Failure: no"];
    assert_eq!(world.conditions("progress").await, wanted);
}

#[tokio::test]
async fn a_stall_is_final_until_the_spec_changes() {
    let world = World::new().await;
    world.create("it", act("stall", "bad")).await;
    let running = world.start().await;
    let wanted = ["Stalled=True InvalidToy: bad", "Ready=False InvalidToy: bad"];
    assert_eq!(world.conditions("it").await, wanted);
    assert_eq!(world.status("it").await["observedGeneration"], 1);
    running.advance(&world, Duration::from_hours(24)).await;
    assert_eq!(world.bench.runs("it"), 1);
    let patched = world.patch("it", json!({"spec": {"act": "", "text": "fixed"}})).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: fixed"]);
}

/// Upstream keeps what an earlier run said of Ready under a new Stalled condition.
#[tokio::test]
async fn ready_says_why_this_run_did_not_succeed() {
    let world = World::new().await;
    world.create("it", act("fail", "no")).await;
    let running = world.start().await;
    let patched = world.patch("it", json!({"spec": {"act": "stall", "text": "bad"}})).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    let wanted = ["Stalled=True InvalidToy: bad", "Ready=False InvalidToy: bad"];
    assert_eq!(world.conditions("it").await, wanted);
}

#[tokio::test]
async fn progress_is_visible_while_the_turn_runs() {
    let world = World::new().await;
    world.create("it", act("progress", "chess")).await;
    world.create("announced", act("announce", "")).await;
    let running = {
        let start = world.start();
        let seen = async {
            until(|| world.bench.at_gate.load(Ordering::SeqCst) == 2).await;
            let wanted = [
                "Reconciling=True Progressing: playing: chess",
                // The Ready condition of a first run says the same.
                "Ready=Unknown Progressing: playing: chess",
            ];
            assert_eq!(world.conditions("it").await, wanted);
            let message = "processing object: new generation -1 -> 1";
            let wanted = [
                format!("Reconciling=True Progressing: {message}"),
                format!("Ready=Unknown Progressing: {message}"),
            ];
            assert_eq!(world.conditions("announced").await, wanted);
            world.bench.gate.add_permits(2);
        };
        futures::join!(start, seen).0
    };
    running.settled(&world).await;
    assert_eq!(world.conditions("announced").await, ["Ready=True Succeeded: "]);
}

#[tokio::test]
async fn drift_makes_a_ready_object_unknown() {
    let world = World::new().await;
    world.create("it", act("", "done")).await;
    let running = world.start().await;
    world.patch("it", json!({"spec": {"act": "drift"}})).await;
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 1).await;
    let wanted =
        ["Reconciling=True Progressing: starting over", "Ready=Unknown Progressing: starting over"];
    assert_eq!(world.conditions("it").await, wanted);
    world.bench.gate.add_permits(1);
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: done"]);
}

#[tokio::test]
async fn nothing_is_written_if_nothing_differs() {
    let world = World::new().await;
    world.create("it", act("", "done")).await;
    let running = world.start().await;
    let path =
        "/apis/toys.toys.example.com/v1/namespaces/default/toys/it".replace("toys.toys.", "toys.");
    let own = |writes: &[String]| -> Vec<String> {
        writes.iter().filter(|write| write.contains(&path)).cloned().collect()
    };
    let wanted = [format!("PATCH {path}"), format!("PATCH {path}/status")];
    assert_eq!(own(&world.writes.lock()), wanted);
    world.writes.lock().clear();
    running.advance(&world, INTERVAL).await;
    assert_eq!(world.bench.runs("it"), 2);
    assert_eq!(own(&world.writes.lock()), [""; 0]);
}

#[tokio::test]
async fn a_request_is_acknowledged() {
    let world = World::new().await;
    world.create("it", act("", "done")).await;
    world.create("failing", act("fail", "no")).await;
    let running = world.start().await;
    for name in ["it", "failing"] {
        let request =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
        let patched = world.patch(name, request).await;
        running.knows(&patched).await;
        running.settled(&world).await;
        assert_eq!(world.bench.runs(name), 2);
        assert_eq!(world.status(name).await["lastHandledReconcileAt"], "now");
    }
}

#[tokio::test]
async fn what_is_pending_is_neither_told_nor_handled() {
    let world = World::new().await;
    world.create("it", act("pend", "done")).await;
    let request = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "1"}}});
    world.patch("it", request).await;
    let running = world.start().await;
    let wanted = ["Reconciling=True Progressing: half way", "Ready=Unknown Progressing: half way"];
    assert_eq!(world.conditions("it").await, wanted);
    assert_eq!(world.status("it").await.get("lastHandledReconcileAt"), None);
    assert_eq!(world.events("it").await, []);
    running.advance(&world, Duration::from_secs(5)).await;
    assert_eq!(world.bench.runs("it"), 2);
}

#[tokio::test]
async fn a_suspended_object_gets_no_turn_but_an_answer() {
    let world = World::new().await;
    let spec = ToySpec { suspend: true, ..act("", "done") };
    world.create("it", spec).await;
    let running = world.start().await;
    assert_eq!(world.conditions("it").await, [""; 0]);
    assert_eq!(world.get("it").await.finalizers(), ["finalizers.fluxcd.io"]);
    let request = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "1"}}});
    let patched = world.patch("it", request).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    let status = world.status("it").await;
    assert_eq!(status["lastHandledReconcileAt"], "1");
    assert_eq!(world.conditions("it").await, [""; 0]);
    assert_ne!(status["observedGeneration"], 1);
    assert_eq!(world.bench.runs("it"), 0);
    let patched = world.patch("it", json!({"spec": {"suspend": false}})).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: done"]);
}

#[tokio::test]
async fn what_others_change_during_a_turn_survives() {
    let world = World::new().await;
    let running = world.start().await;
    world.create("it", act("gate", "done")).await;
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 1).await;
    let theirs = json!({
        "metadata": {"annotations": {"note": "mine"}},
    });
    world.patch("it", theirs).await;
    let params = kube::api::PatchParams::default();
    let condition = json!({
        "type": "Theirs", "status": "True", "reason": "Because", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({"status": {"conditions": [condition]}});
    let patch = kube::api::Patch::Merge(status);
    world.toys("default").patch_status("it", &params, &patch).await.unwrap();
    world.bench.gate.add_permits(1);
    running.settled(&world).await;
    let wanted = ["Ready=True Succeeded: done", "Theirs=True Because: "];
    assert_eq!(world.conditions("it").await, wanted);
    assert_eq!(world.get("it").await.annotations()["note"], "mine");
}

#[tokio::test]
async fn an_intent_is_recorded_before_the_turn_ends_and_kept_when_it_fails() {
    let world = World::new().await;
    world.create("it", act("record", "")).await;
    let _running = world.start().await;
    assert_eq!(world.status("it").await["seen"], "intent");
    let wanted = "Ready=False Failure: after the intent was recorded";
    assert_eq!(world.conditions("it").await[1], wanted);
}
