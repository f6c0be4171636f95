//! Who runs when: fairness, cancellation, isolation.

use std::sync::atomic::Ordering;

use controller::Options;
use controller::probe::{Aside, health};
use serde_json::json;

use crate::toy::ToySpec;
use crate::world::{World, until};

fn act(act: &str) -> ToySpec {
    ToySpec { act: act.into(), text: "done".into(), ..ToySpec::default() }
}

#[tokio::test]
async fn a_crowded_namespace_does_not_delay_another_ones_newcomer() {
    let world = World::new().await;
    world.namespace("crowd").await;
    for n in 0..1000 {
        world.create_in("crowd", &format!("crowd-{n}"), act("gate")).await;
    }
    let running = {
        // Nothing settles while the crowd waits at the gate.
        let mut start = Box::pin(world.start());
        loop {
            if let std::task::Poll::Ready(running) = futures::poll!(&mut start) {
                break running;
            }
            if world.bench.at_gate.load(Ordering::SeqCst) == 4 {
                let newcomer = world.create("newcomer", act("gate")).await;
                // Eight pass: the four that are inside, and the next ones of each namespace.
                world.bench.gate.add_permits(8);
                until(|| world.bench.runs("newcomer") > 0).await;
                let before = world.bench.turns.lock().iter().position(|it| it == "newcomer");
                assert!(before.is_some_and(|before| before < 12), "{before:?} ran before");
                assert_eq!(newcomer.metadata.generation, Some(1));
                world.bench.gate.add_permits(2000);
                break start.await;
            }
            tokio::task::yield_now().await;
        }
    };
    running.settled(&world).await;
    assert_eq!(world.conditions("newcomer").await, ["Ready=True Succeeded: done"]);
}

#[tokio::test]
async fn a_newer_spec_supersedes_a_running_turn() {
    let world = World::new().await;
    let running = world.start().await;
    world.create("it", act("gate")).await;
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 1).await;
    let patched = world.patch("it", json!({"spec": {"act": "", "text": "newer"}})).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: newer"]);
    assert_eq!(world.status("it").await["observedGeneration"], 2);
    // Nobody was told of a failure: the old turn has simply not happened.
    assert_eq!(world.events("it").await.len(), 1);
}

#[tokio::test]
async fn a_turn_that_runs_at_the_end_is_cancelled_and_leaves_no_trace() {
    let world = World::new().await;
    let running = world.start().await;
    world.create("it", act("gate")).await;
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 1).await;
    running.stop().await;
    assert_eq!(world.conditions("it").await, [""; 0]);
    assert_eq!(world.bench.at_gate.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_panic_fails_its_object_and_nothing_else() {
    let world = World::new().await;
    world
        .create("bad", ToySpec { act: "panic".into(), text: "oops".into(), ..ToySpec::default() })
        .await;
    world.create("good", act("")).await;
    let running = world.start_with(Options { concurrent: 1, ..Options::default() }).await;
    let message = "Ready=False Failed: internal error: panic in reconciliation: oops";
    assert_eq!(world.conditions("bad").await[1], message);
    assert_eq!(world.conditions("good").await, ["Ready=True Succeeded: done"]);
    let text = running.metrics.text().unwrap();
    assert!(text.contains("controller_runtime_reconcile_panics_total{controller=\"toy\"} 1"));
}

#[tokio::test]
async fn a_turn_that_gives_up_without_being_cancelled_is_retried_with_delay() {
    let world = World::new().await;
    world.create("it", act("stop")).await;
    let running = world.start().await;
    assert_eq!(world.bench.runs("it"), 1);
    running.advance(&world, std::time::Duration::from_millis(750)).await;
    assert_eq!(world.bench.runs("it"), 2);
}

#[tokio::test]
async fn what_gives_way_runs_after_the_others_and_tells_nothing_before() {
    let world = World::new().await;
    for (name, what) in [("a", "give way"), ("b", "give way"), ("c", "")] {
        world.create(name, act(what)).await;
    }
    let running = world.start_with(Options { concurrent: 1, ..Options::default() }).await;
    running.settled(&world).await;
    assert_eq!(*world.bench.turns.lock(), ["a", "b", "c", "a", "b"]);
    assert_eq!(world.conditions("a").await, ["Ready=True Succeeded: done"]);
    assert_eq!(world.events("a").await.len(), 1);
}

/// Two plans block the whole pool until the probe has answered.
#[tokio::test]
async fn probes_answer_while_plans_block() {
    let world = World::new().await;
    let aside = Aside::start("probes").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    aside.serve(listener, health()).unwrap();
    let running = world.start().await;
    for name in ["one", "two"] {
        world.create(name, act("plan")).await;
    }
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 2).await;
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.0 200"));
    world.bench.gate.add_permits(2);
    running.settled(&world).await;
    assert_eq!(world.conditions("two").await, ["Ready=True Succeeded: done"]);
}

#[tokio::test]
async fn only_selected_objects_are_reconciled() {
    let world = World::new().await;
    world.create("other", act("")).await;
    world.create("mine", act("")).await;
    world.patch("mine", json!({"metadata": {"labels": {"shard": "one"}}})).await;
    let options = Options { label_selector: Some("shard=one".into()), ..Options::default() };
    let running = world.start_with(options).await;
    running.settled(&world).await;
    assert_eq!(*world.bench.turns.lock(), ["mine"]);
    let patched = world.patch("other", json!({"metadata": {"labels": {"shard": "one"}}})).await;
    until(|| world.bench.runs("other") == 1).await;
    running.knows(&patched).await;
}

#[tokio::test]
async fn only_the_given_namespace_is_watched() {
    let world = World::new().await;
    world.namespace("elsewhere").await;
    world.create_in("elsewhere", "other", act("")).await;
    world.create("mine", act("")).await;
    let options = Options { namespace: Some("default".into()), ..Options::default() };
    let running = world.start_with(options).await;
    running.host.idle().await;
    assert_eq!(*world.bench.turns.lock(), ["mine"]);
}

#[tokio::test]
async fn a_memo_survives_turns_but_not_the_process() {
    let world = World::new().await;
    world.create("it", act("count")).await;
    let running = world.start().await;
    running.advance(&world, crate::toy::INTERVAL).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: turn 2"]);
    running.stop().await;
    let _running = world.start().await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: turn 1"]);
}
