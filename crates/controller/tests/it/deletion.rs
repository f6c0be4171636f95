//! Deleted objects are finalized before they go.

use std::time::Duration;

use kube::api::DeleteParams;

use crate::toy::ToySpec;
use crate::world::World;

#[tokio::test]
async fn a_deleted_object_is_finalized_and_goes() {
    let world = World::new().await;
    world.create("it", ToySpec::default()).await;
    let running = world.start().await;
    *world.bench.keep.lock() = true;
    world.toys("default").delete("it", &DeleteParams::default()).await.unwrap();
    running.settled(&world).await;
    assert_eq!(world.bench.runs("finalize it"), 1);
    assert_eq!(world.conditions("it").await[1], "Ready=False Failure: still in use");
    *world.bench.keep.lock() = false;
    running.advance(&world, Duration::from_millis(750)).await;
    assert!(world.toys("default").get_opt("it").await.unwrap().is_none());
    assert_eq!(world.bench.runs("finalize it"), 2);
    assert!(!running.metrics.text().unwrap().contains("name=\"it\""));
}

#[tokio::test]
async fn a_suspended_object_can_be_deleted() {
    let world = World::new().await;
    world.create("it", ToySpec { suspend: true, ..ToySpec::default() }).await;
    let running = world.start().await;
    world.toys("default").delete("it", &DeleteParams::default()).await.unwrap();
    running.settled(&world).await;
    assert!(world.toys("default").get_opt("it").await.unwrap().is_none());
}

#[tokio::test]
async fn an_object_made_again_under_the_same_name_starts_afresh() {
    let world = World::new().await;
    let count = || ToySpec { act: "count".into(), ..ToySpec::default() };
    world.create("it", count()).await;
    let running = world.start().await;
    world.toys("default").delete("it", &DeleteParams::default()).await.unwrap();
    running.settled(&world).await;
    let again = world.create("it", count()).await;
    running.knows(&again).await;
    running.settled(&world).await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: turn 1"]);
}
