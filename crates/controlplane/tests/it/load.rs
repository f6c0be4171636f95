//! Many watchers, slow readers, and bodies that are no good.

use axum::Router;
use axum::body::Body;
use controlplane::{Options, Server};
use futures::StreamExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn send(router: &Router, request: Request<Body>) -> (u16, Value) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn post(router: &Router, media: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::post(MAPS).header("content-type", media).body(body.into()).unwrap();
    send(router, request).await
}

async fn create(router: &Router, name: &str, text: &str) -> u64 {
    let body = json!({"metadata": {"name": name}, "data": {"text": text}}).to_string();
    let (code, made) = post(router, "application/json", body).await;
    assert_eq!(code, 201, "{made}");
    made["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// The pieces of a watch that begins at `revision`.
async fn watch(
    router: &Router,
    revision: u64,
) -> impl futures::Stream<Item = bytes::Bytes> + Unpin {
    let path = format!("{MAPS}?watch=true&resourceVersion={revision}");
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().into_data_stream().filter_map(async |it| it.ok()).boxed()
}

/// Resident memory of this process in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn ten_thousand_watchers_each_see_a_change() {
    let server = Server::open(Options::default()).unwrap();
    let router = server.router();
    let from = create(&router, "first", "x").await;
    let mut watches = Vec::new();
    for _ in 0..10_000 {
        watches.push(watch(&router, from).await);
    }
    create(&router, "second", "x").await;
    for watch in &mut watches {
        let piece = watch.next().await.unwrap();
        let event: Value = serde_json::from_slice(&piece).unwrap();
        assert_eq!(event["object"]["metadata"]["name"], "second");
    }
}

#[tokio::test]
async fn a_slow_reader_costs_little_and_is_told_to_start_over() {
    let server = Server::open(Options::default()).unwrap();
    let router = server.router();
    let from = create(&router, "first", "x").await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(watch(&router, from).await);
    }
    let before = resident();
    // 100 MiB of changes, that each of a hundred readers would have to be handed.
    let text = "x".repeat(1 << 20);
    let text = &text[..text.len() - 1024];
    for n in 0..100 {
        create(&router, &format!("m{n}"), text).await;
        let path = format!("{MAPS}/m{n}");
        send(&router, Request::delete(path).body(Body::empty()).unwrap()).await;
    }
    assert!(resident() < before + 200, "{} MiB, from {before}", resident());
    for reader in &mut slow {
        let piece = reader.next().await.unwrap();
        let event: Value = serde_json::from_slice(&piece).unwrap();
        assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
        assert_eq!(event["object"]["reason"], "Expired");
        assert!(reader.next().await.is_none(), "the watch ends");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_by_their_size() {
    let server = Server::open(Options::default()).unwrap();
    let router = server.router();
    let of = |bytes: usize| {
        json!({"metadata": {"name": "a"}, "data": {"text": "x".repeat(bytes)}}).to_string()
    };
    let (code, answer) = post(&router, "application/json", of(2 << 20)).await;
    assert_eq!((code, &answer["reason"]), (422, &json!("Invalid")));
    let (code, answer) = post(&router, "application/json", of(4 << 20)).await;
    assert_eq!((code, &answer["reason"]), (413, &json!("RequestEntityTooLarge")));
    assert_eq!(answer["message"], "Request entity too large: limit is 3145728");
}

#[tokio::test]
async fn deep_bodies_are_refused() {
    let server = Server::open(Options::default()).unwrap();
    let router = server.router();
    for depth in [200, 5_000, 500_000] {
        let deep = format!(
            "{{\"metadata\":{{\"name\":\"a\"}},\"x\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let (code, answer) = post(&router, "application/json", deep).await;
        assert_eq!((code, &answer["reason"]), (400, &json!("BadRequest")), "{depth}: {answer}");
        let yaml = format!("metadata: {{name: a}}\nx: {}{}", "[".repeat(depth), "]".repeat(depth));
        let (code, answer) = post(&router, "application/yaml", yaml).await;
        assert_eq!((code, &answer["reason"]), (400, &json!("BadRequest")), "{depth}: {answer}");
    }
}

#[tokio::test]
async fn nothing_malformed_is_taken_or_breaks_anything() {
    let server = Server::open(Options::default()).unwrap();
    let router = server.router();
    create(&router, "a", "x").await;
    let good = br#"{"metadata":{"name":"b"},"data":{"a":"b"}}"#;
    // Every cut and every changed byte of a good body is refused, or is another good body.
    for at in 0..good.len() {
        let cut = post(&router, "application/json", good[..at].to_vec()).await;
        assert!((400..500).contains(&cut.0), "{at}: {}", cut.1);
        let mut changed = good.to_vec();
        changed[at] ^= 0x15;
        let (code, answer) = post(&router, "application/json", changed).await;
        assert!(code < 500, "{at}: {answer}");
    }
    for media in [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ] {
        for body in [
            "",
            "{",
            "[",
            "nonsense",
            "[1]",
            "{\"a\":",
            "- a\n  b",
            "\u{0}",
            "[{\"op\":\"none\"}]",
            "[{\"op\":\"add\"}]",
            "\"x\"",
        ] {
            let request = Request::patch(format!("{MAPS}/a?fieldManager=m"))
                .header("content-type", media)
                .body(Body::from(body))
                .unwrap();
            let (code, answer) = send(&router, request).await;
            assert!(
                (400..500).contains(&code) || (code == 500 && body == "nonsense"),
                "{media} {body:?}: {code} {answer}"
            );
        }
    }
    let (code, still) =
        send(&router, Request::get(format!("{MAPS}/a")).body(Body::empty()).unwrap()).await;
    assert_eq!((code, &still["data"]["text"]), (200, &json!("x")));
}
