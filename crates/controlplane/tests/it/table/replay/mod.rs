//! What stock clients ask, recorded once through a proxy and replayed to both servers.
//!
//! ```text
//! kubectl, kube-rs, flux ──> proxy ──> kube-apiserver  CONTROLPLANE_REPLAY_RECORD=kubectl,kube-rs,flux
//!                        └─> tests/replay/CLIENT.txt ──> both servers ──> normalised ──> equal?
//! ```
//! A session is what one client asked. Revisions and uids of earlier answers are replaced by where
//! they came from, the namespace and names by those of the run. What clients ask for discovery is left
//! out: the table of scenarios has it. There is nothing secret in it: the proxy adds the token.
//!
//! Only recording needs the clients, `flux` in the path. The controllers that flux waits for are played
//! by the proxy, whose requests are part of the recording.

mod flux;
mod kube_rs;
mod kubectl;
mod tape;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use testkit::Tally;

use self::tape::Recorder;
use super::backend::Backend;
use super::{answers, difference, scenario};

/// The namespace and the word of a recording; each run has its own.
const NAMESPACE: &str = "ns-zzrecord";
pub(super) const WORD: &str = "zzrecord";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay")
}

fn deployment(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {
        "paused": true, "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "c", "image": image}]}}}})
}

fn side(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "side"}, "data": data})
}

/// Runs a client and takes what it asked.
async fn commanded(mut process: Command, recorder: &Recorder) -> String {
    // What a command answers, and whether it fails, is not the matter here.
    let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    println!("{}{}", String::from_utf8_lossy(&output.stdout), output.status);
    println!("{}", String::from_utf8_lossy(&output.stderr));
    std::mem::take(&mut recorder.tape.lock().unwrap().text)
}

/// Records `clients` against a kube-apiserver.
async fn record(clients: &str) {
    let backend = Arc::new(Backend::kubernetes().await);
    define(&backend).await;
    let recorder = Recorder { backend, tape: Arc::default() };
    let body = json!({"metadata": {"name": NAMESPACE}}).to_string();
    let request = Request::post("/api/v1/namespaces").header("content-type", "application/json");
    recorder.backend.send(request.body(body.into()).unwrap()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(tape::pass).with_state(recorder.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    std::fs::create_dir_all(folder()).unwrap();
    for client in clients.split(',') {
        *recorder.tape.lock().unwrap() = tape::Tape::default();
        let text = match client {
            "kubectl" => kubectl::record(&recorder, &address).await,
            "kube-rs" => kube_rs::record(&recorder, &address).await,
            "flux" => flux::record(&recorder, &address).await,
            other => panic!("{other} is no client"),
        };
        std::fs::write(folder().join(format!("{client}.txt")), text).unwrap();
    }
}

/// Defines the kinds of flux, and waits until they are served.
async fn define(backend: &Backend) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some((group, plural)) = name.rsplit_once('_').filter(|it| it.0.contains("fluxcd"))
        else {
            continue;
        };
        let text = std::fs::read(&path).unwrap();
        let place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let request = Request::post(place).header("content-type", "application/yaml");
        let reply = backend.send(request.body(text.into()).unwrap()).await;
        assert_eq!(reply.code, 201, "{name}: {:?}", reply.body);
        let definition: Value = serde_json::from_slice(&reply.body).unwrap();
        let version = definition["spec"]["versions"][0]["name"].as_str().unwrap();
        let served = format!("/apis/{group}/{version}/{plural}");
        for _ in 0..200 {
            let request = Request::get(&served).body(Bytes::new()).unwrap();
            if backend.send(request).await.code == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Compares the answers to every recorded request, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn replay() {
    if let Some(missing) = world::kubernetes::missing() {
        println!("replay: skipped: {missing} (cargo xtask setup)");
        return;
    }
    if let Ok(clients) = std::env::var("CONTROLPLANE_REPLAY_RECORD") {
        record(&clients).await;
    }
    let mut sessions = scenario::read_sessions(&folder());
    for (position, session) in sessions.iter_mut().enumerate() {
        // As long as the recorded word, which stands in bodies whose lengths count.
        session.id = format!("zzrec{position:03}");
        // Ours answers in JSON where both are accepted, so that is what is compared.
        for (name, value) in session.steps.iter_mut().flat_map(|step| &mut step.headers) {
            if name == "Accept" && value.contains("json") {
                let ranges = value.split(',').filter(|range| !range.contains("protobuf"));
                *value = ranges.collect::<Vec<_>>().join(",");
            } else if name == "Accept" && value.contains("protobuf") {
                *value = "application/json".to_owned();
            }
        }
    }
    let authority = Some("the authority of the embedded server".to_owned());
    let (embedded, real) = (Backend::embedded_with(authority), Backend::kubernetes().await);
    define(&embedded).await;
    define(&real).await;
    let embedded = answers(&embedded, &sessions).await;
    let real = answers(&real, &sessions).await;
    let mut tally = Tally::new("replay");
    for ((session, embedded), real) in sessions.iter().zip(&embedded).zip(&real) {
        for (at, (embedded, real)) in embedded.iter().zip(real).enumerate() {
            let name = format!("{}: {}: {}", session.noun, at + 1, session.steps[at].line);
            let same = embedded == real;
            let one = std::slice::from_ref;
            let result =
                if same { Ok(()) } else { Err(difference(session, one(embedded), one(real))) };
            tally.record(&name, result);
        }
    }
    tally.finish();
}
