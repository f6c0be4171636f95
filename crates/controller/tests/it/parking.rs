//! What waits holds no worker, and a restart does not move its deadline.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::toy::ToySpec;
use crate::world::{World, until};

fn parked(map: &str) -> ToySpec {
    ToySpec { act: "park".into(), map: Some(map.into()), ..ToySpec::default() }
}

/// 200 objects wait for a minute with 4 workers; the clock stands still, so none of them can end.
#[tokio::test]
async fn a_newcomer_is_done_while_two_hundred_wait() {
    let world = World::new().await;
    for n in 0..200 {
        world.create(&format!("parked-{n}"), parked("never")).await;
    }
    let running = world.start().await;
    let turns = world.bench.turns.lock().len();
    let mut fastest = Duration::MAX;
    // The fastest of ten, since the machine may have other things to do.
    for n in 0..10 {
        let before = Instant::now();
        let name = format!("newcomer-{n}");
        let newcomer = world.create(&name, ToySpec { text: "done".into(), ..ToySpec::default() });
        running.knows(&newcomer.await).await;
        running.host.idle().await;
        fastest = fastest.min(before.elapsed());
        assert_eq!(world.conditions(&name).await, ["Ready=True Succeeded: done"]);
    }
    assert!(fastest < Duration::from_secs(1), "the fastest newcomer took {fastest:?}");
    assert_eq!(world.bench.turns.lock().len(), turns + 10, "nobody else had a turn");

    running.advance(&world, Duration::from_secs(59)).await;
    assert_eq!(world.conditions("parked-0").await[1], "Ready=False Waiting: waiting for never");
    running.advance(&world, Duration::from_secs(1)).await;
    for n in 0..200 {
        let conditions = world.conditions(&format!("parked-{n}")).await;
        assert_eq!(conditions[1], "Ready=False TimedOut: never did not come");
    }
}

#[tokio::test]
async fn a_parked_object_is_woken_by_what_it_waits_for() {
    let world = World::new().await;
    world.create("it", parked("late")).await;
    let running = world.start().await;
    let other = world.map("other", "1").await;
    running.saw(&world, &other).await;
    assert_eq!(world.bench.runs("it"), 1);
    let late = world.map("late", "1").await;
    running.saw(&world, &late).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: there it is"]);
    assert_eq!(world.bench.runs("it"), 2);
    let changed = world.map("late", "2").await;
    running.saw(&world, &changed).await;
    assert_eq!(world.bench.runs("it"), 2);
}

#[tokio::test]
async fn a_crash_does_not_move_deadlines() {
    let world = World::new().await;
    world.create("it", parked("never")).await;
    let running = world.start().await;
    running.advance(&world, Duration::from_secs(20)).await;
    running.crash().await;
    world.clock.advance(Duration::from_secs(20));

    let running = world.start().await;
    running.advance(&world, Duration::from_secs(19)).await;
    assert_eq!(world.conditions("it").await[1], "Ready=False Waiting: waiting for never");
    running.advance(&world, Duration::from_secs(1)).await;
    assert_eq!(world.conditions("it").await[1], "Ready=False TimedOut: never did not come");
}

#[tokio::test]
async fn a_deadline_that_is_past_does_not_keep_the_machine_busy() {
    let world = World::new().await;
    world.create("it", ToySpec { act: "late".into(), ..ToySpec::default() }).await;
    let running = world.start().await;
    assert_eq!(world.bench.runs("it"), 1);
    running.advance(&world, Duration::from_millis(750)).await;
    assert_eq!(world.bench.runs("it"), 2);
}

#[tokio::test]
async fn a_deadline_that_comes_during_the_turn_is_due_at_once() {
    let world = World::new().await;
    let running = world.start().await;
    world.create("it", ToySpec { act: "slow".into(), ..ToySpec::default() }).await;
    until(|| world.bench.at_gate.load(Ordering::SeqCst) == 1).await;
    world.clock.advance(Duration::from_mins(2));
    world.bench.gate.add_permits(1);
    until(|| world.bench.runs("it") == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_newer_spec_ends_the_wait() {
    let world = World::new().await;
    world.create("it", parked("never")).await;
    let running = world.start().await;
    let spec = serde_json::json!({"spec": {"act": "", "text": "no longer waiting"}});
    let patched = world.patch("it", spec).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: no longer waiting"]);
}
