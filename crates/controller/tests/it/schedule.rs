//! When objects run again.

use std::time::Duration;

use crate::toy::ToySpec;
use crate::world::World;

fn act(act: &str) -> ToySpec {
    ToySpec { act: act.into(), ..ToySpec::default() }
}

#[tokio::test]
async fn failures_are_retried_with_a_delay_that_doubles() {
    let world = World::new().await;
    world.create("it", act("fail")).await;
    let running = world.start().await;
    for (runs, millis) in [(1, 750), (2, 1_500), (3, 3_000)] {
        running.advance(&world, Duration::from_millis(millis - 1)).await;
        assert_eq!(world.bench.runs("it"), runs);
        running.advance(&world, Duration::from_millis(1)).await;
        assert_eq!(world.bench.runs("it"), runs + 1);
    }
    // A success starts over.
    for (patch, runs) in [("", 5), ("fail", 6)] {
        let patched = world.patch("it", serde_json::json!({"spec": {"act": patch}})).await;
        running.knows(&patched).await;
        running.settled(&world).await;
        assert_eq!(world.bench.runs("it"), runs);
    }
    running.advance(&world, Duration::from_millis(750)).await;
    assert_eq!(world.bench.runs("it"), 7);
}

#[tokio::test]
async fn intervals_and_waits_have_their_own_time() {
    let world = World::new().await;
    world.create("good", act("")).await;
    world.create("waiting", act("wait")).await;
    let running = world.start().await;
    running.advance(&world, Duration::from_secs(30)).await;
    running.advance(&world, Duration::from_secs(30)).await;
    assert_eq!((world.bench.runs("good"), world.bench.runs("waiting")), (1, 3));
    running.advance(&world, Duration::from_mins(9)).await;
    assert_eq!(world.bench.runs("good"), 2);
}

#[tokio::test]
async fn references_of_the_spec_wake() {
    let world = World::new().await;
    let one = ToySpec { map: Some("a".into()), ..act("seen") };
    world.create("one", one).await;
    let all = ToySpec { map: Some("*".into()), ..act("seen") };
    world.create("all", all).await;
    let running = world.start().await;
    let map = world.map("a", "first").await;
    running.saw(&world, &map).await;
    assert_eq!(world.status("one").await["seen"], "first");
    let map = world.map("b", "x").await;
    running.saw(&world, &map).await;
    assert_eq!((world.bench.runs("one"), world.bench.runs("all")), (2, 3));
    let patched = world.patch("one", serde_json::json!({"spec": {"map": "b"}})).await;
    running.knows(&patched).await;
    running.settled(&world).await;
    let map = world.map("a", "second").await;
    running.saw(&world, &map).await;
    assert_eq!(world.status("one").await["seen"], "x");
    assert_eq!((world.bench.runs("one"), world.bench.runs("all")), (3, 4));
}

#[tokio::test]
async fn every_object_runs_once_after_a_start() {
    let world = World::new().await;
    world.create("it", act("")).await;
    world.start().await.stop().await;
    let running = world.start().await;
    running.settled(&world).await;
    assert_eq!(world.bench.runs("it"), 2);
}
