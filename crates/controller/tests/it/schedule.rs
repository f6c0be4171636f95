//! When objects run again.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;

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
async fn a_kind_is_watched_once_whoever_wants_to_know() {
    let world = World::new().await;
    world.create("it", act("")).await;
    let running = world.start().await;
    let again: controller::Store<crate::toy::Toy> = running.host.store();
    assert_eq!(again.all().len(), 1);
    let maps = running.host.with(controller::Options { concurrent: 1, ..Default::default() });
    maps.store::<ConfigMap>().synced().await;
    let lists = |kind: &str| {
        let is_list = |it: &&String| it.starts_with("LIST") && it.ends_with(kind);
        world.reads.lock().iter().filter(is_list).count()
    };
    assert_eq!((lists("/toys"), lists("/configmaps")), (1, 1));
}

#[tokio::test]
async fn metadata_is_enough_for_some() {
    let world = World::new().await;
    world.map("a", "secret").await;
    let running = world.start().await;
    let store = running.host.store::<PartialObjectMeta<ConfigMap>>();
    store.synced().await;
    let newer = world.map("b", "secret").await;
    store.reached(&newer.resource_version().unwrap()).await;
    let names: Vec<_> = store.in_namespace("default").iter().map(|map| map.name_any()).collect();
    assert!(names.contains(&"a".to_owned()) && names.contains(&"b".to_owned()), "{names:?}");
    let kept = serde_json::to_string(&store.get("default", "b").unwrap()).unwrap();
    assert!(!kept.contains("secret"), "{kept}");
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
