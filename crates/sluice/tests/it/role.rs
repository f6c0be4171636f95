//! What a process looks after, and whom it tells.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

use kube::api::DynamicObject;
use kube::runtime::wait::await_condition;
use serde_json::Value;

use crate::{plane::Plane, run::Replica};

const REFLECTOR: &str = "image-reflector-controller";

fn reason(it: &DynamicObject) -> Option<&str> {
    it.data["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == "Ready")?["reason"]
        .as_str()
}

async fn refused(plane: &Plane, namespace: &str, name: &str) {
    let told = |it: Option<&DynamicObject>| it.and_then(reason) == Some("ImageURLInvalid");
    let told = await_condition(plane.repositories(namespace), name, told);
    tokio::time::timeout(Duration::from_mins(2), told).await.expect("it is looked after").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_namespace_is_watched() {
    let plane = Plane::start().await;
    for namespace in ["other", "mine"] {
        plane.namespace(namespace).await;
        plane.wrong_repository(namespace, "app").await;
    }
    let alone = ["--watch-all-namespaces=false"];
    let mut replica = Replica::play(REFLECTOR, &plane.kubeconfig, "mine", &alone);
    replica.log("starting manager");
    refused(&plane, "mine", "app").await;
    let other = plane.repositories("other").get("app").await.unwrap();
    assert_eq!(reason(&other), None, "{other:?}");
    // All of them, by the same process without the flag.
    let (status, said) = replica.running.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    let mut replica = Replica::play(REFLECTOR, &plane.kubeconfig, "mine", &[]);
    replica.log("starting manager");
    refused(&plane, "other", "app").await;
}

/// Takes one event, and says it was accepted.
fn take(listener: &TcpListener) -> (String, Value) {
    let (mut socket, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    socket
        .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted_to_their_address() {
    let plane = Plane::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--events-addr=http://{}/", listener.local_addr().unwrap());
    let mut replica = Replica::play(REFLECTOR, &plane.kubeconfig, "default", &[&address]);
    replica.log("starting manager");
    plane.wrong_repository("default", "app").await;
    let taken = tokio::task::spawn_blocking(move || take(&listener));
    let taken = tokio::time::timeout(Duration::from_mins(2), taken).await;
    let (head, event) = taken.expect("an event is posted").unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let object = &event["involvedObject"];
    assert_eq!(object["apiVersion"], "image.toolkit.fluxcd.io/v1");
    assert_eq!((&object["kind"], &object["name"]), (&"ImageRepository".into(), &"app".into()));
    assert_eq!(object["namespace"], "default");
    let made = plane.repositories("default").get("app").await.unwrap();
    assert_eq!(object["uid"].as_str(), made.metadata.uid.as_deref());
    assert_eq!(
        (&event["severity"], &event["reason"]),
        (&"error".into(), &"ImageURLInvalid".into())
    );
    assert!(event["message"].as_str().unwrap().contains("should not include URL scheme"));
    assert_eq!(event["reportingController"], REFLECTOR);
    assert!(event["reportingInstance"].as_str().is_some_and(|it| !it.is_empty()), "{event}");
    assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_has_its_lease_and_its_kinds() {
    let plane = Plane::start().await;
    for (role, kinds) in [
        (REFLECTOR, "ImageRepository,ImagePolicy"),
        ("image-automation-controller", "ImageUpdateAutomation"),
        ("source-watcher", "ArtifactGenerator"),
        ("promotion-controller", "Pipeline,Bundle,Freeze,Stage,Promotion"),
    ] {
        let mut replica = Replica::play(role, &plane.kubeconfig, "default", &[]);
        assert_eq!(replica.log("leading")["lease"], format!("{role}-leader-election"));
        assert_eq!(replica.log("starting manager")["kinds"], kinds);
    }
}
