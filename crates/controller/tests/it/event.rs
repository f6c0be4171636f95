//! What people are told.

use std::sync::Arc;
use std::time::Duration;

use controller::event::Post;
use futures::future::BoxFuture;

use serde_json::{Value, json};

use crate::toy::{INTERVAL, ToySpec};
use crate::world::World;

fn act(act: &str, text: &str) -> ToySpec {
    ToySpec { act: act.into(), text: text.into(), ..ToySpec::default() }
}

fn row(kind: &str, reason: &str, message: &str, count: i32) -> (String, String, String, i32) {
    (kind.into(), reason.into(), message.into(), count)
}

#[tokio::test]
async fn events_of_a_life() {
    let world = World::new().await;
    world.create("it", act("fail", "100% no")).await;
    let running = world.start().await;
    running.advance(&world, Duration::from_millis(750)).await;
    for text in ["yes", "yes and"] {
        let patched = world.patch("it", json!({"spec": {"act": "", "text": text}})).await;
        running.knows(&patched).await;
        running.settled(&world).await;
    }
    running.advance(&world, INTERVAL).await;
    running.advance(&world, INTERVAL).await;
    let wanted = [
        row("Warning", "Failure", "100% no", 2),
        row("Normal", "Succeeded", "yes", 1),
        row("Normal", "Succeeded", "yes and", 1),
        row("Normal", "Succeeded", "nothing new", 2),
    ];
    let mut events = world.events("it").await;
    events.sort();
    let mut wanted = wanted.to_vec();
    wanted.sort();
    assert_eq!(events, wanted);
}

struct Inbox(tokio::sync::mpsc::UnboundedSender<Value>);

impl Post for Inbox {
    fn post(&self, body: Vec<u8>) -> BoxFuture<'static, Result<u16, String>> {
        self.0.send(serde_json::from_slice(&body).unwrap()).unwrap();
        Box::pin(std::future::ready(Ok(202)))
    }
}

#[tokio::test]
async fn alerts_get_news_and_failures_but_no_traces() {
    let world = World::new().await;
    world.create("it", act("fail", "no")).await;
    let (inbox, mut mail) = tokio::sync::mpsc::unbounded_channel();
    let running = world.start_posting(Arc::new(Inbox(inbox))).await;
    let patched = world.patch("it", json!({"spec": {"act": "", "text": "yes"}})).await;
    running.knows(&patched).await;
    running.advance(&world, INTERVAL).await;
    let patched = world.patch("it", json!({"spec": {"text": "still"}})).await;
    running.knows(&patched).await;
    let mut got = Vec::new();
    while got.len() < 3 {
        let event = mail.recv().await.unwrap();
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        got.push((text("severity"), text("message")));
        assert_eq!(event["reportingController"], "toy-controller");
        assert_eq!(event["involvedObject"]["kind"], "Toy");
    }
    let wanted = [("error", "no"), ("info", "yes"), ("info", "still")];
    assert_eq!(got, wanted.map(|(severity, message)| (severity.into(), message.into())));
}

#[tokio::test]
async fn news_take_the_place_of_becoming_ready_and_carry_metadata() {
    let world = World::new().await;
    world.create("it", act("news", "up to date")).await;
    let annotations = json!({"metadata": {"annotations": {
        "event.toolkit.fluxcd.io/team": "a", "other": "b",
    }}});
    world.patch("it", annotations).await;
    let _running = world.start().await;
    assert_eq!(world.conditions("it").await, ["Ready=True Succeeded: up to date"]);
    let events = world.kube_events("it").await;
    let messages: Vec<_> = events.iter().filter_map(|event| event.message.as_deref()).collect();
    assert_eq!(messages, ["100% new", "because"]);
    let wanted = json!({"event.toolkit.fluxcd.io/team": "a", "toys.example.com/revision": "r1"});
    assert_eq!(json!(events[0].metadata.annotations), wanted);
    let source = events[0].source.as_ref().and_then(|source| source.component.as_deref());
    assert_eq!(source, Some("toy-controller"));
    assert_eq!(events[0].involved_object.api_version.as_deref(), Some("toys.example.com/v1"));
}
