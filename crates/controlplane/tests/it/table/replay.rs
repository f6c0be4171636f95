//! What stock clients ask, recorded once through a proxy and replayed to both servers.
//!
//! ```text
//! kubectl, kube-rs ──> proxy ──> kube-apiserver        CONTROLPLANE_REPLAY_RECORD=1, once
//!                        └─> tests/replay/CLIENT.txt ──> both servers ──> normalised ──> equal?
//! ```
//! A session is what one command asked. Revisions and uids of earlier answers are replaced by where
//! they came from, the namespace and names by those of the run. What clients ask for discovery is left
//! out: the table of scenarios has it. There is nothing secret in it: the proxy adds the token.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use serde_json::{Value, json};
use testkit::Tally;

use super::backend::Backend;
use super::{answers, difference, scenario};

/// The namespace and the word of a recording; each run has its own.
const NAMESPACE: &str = "ns-zzrecord";
pub(super) const WORD: &str = "zzrecord";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay")
}

/// Headers that change an answer.
const HEADERS: [&str; 4] = ["accept", "content-type", "user-agent", "accept-encoding"];

/// What is recorded of the session that runs.
#[derive(Default)]
struct Tape {
    text: String,
    /// By the value of a revision or uid: the request that answered it, and where.
    seen: HashMap<String, String>,
    /// How many requests the session has.
    count: usize,
}

impl Tape {
    /// Notes a request and the events of its answer, if it is a watch.
    fn note(&mut self, request: &http::request::Parts, body: &[u8], events: Option<usize>) {
        let path = request.uri.path_and_query().map_or("", |it| it.as_str());
        let line = match events {
            Some(0) => return,
            Some(_) => format!("WATCH 1 {path}"),
            None => format!("{} {path}", request.method),
        };
        self.count += 1;
        let _ = writeln!(self.text, "{}", self.blanked(&line));
        for name in HEADERS {
            if let Some(value) = request.headers.get(name).and_then(|it| it.to_str().ok()) {
                let _ = writeln!(self.text, "{}: {value}", title(name));
            }
        }
        match std::str::from_utf8(body) {
            Ok("") => {}
            Ok(text) if !text.contains('\0') => {
                let text = text.trim_end();
                let one = serde_json::from_str::<Value>(text)
                    .map_or(text.to_owned(), |it| it.to_string());
                let _ = writeln!(self.text, "{}", self.blanked(&one));
            }
            _ => {
                let text = base64::engine::general_purpose::STANDARD.encode(body);
                let _ = writeln!(self.text, "Encoded: base64\n{text}");
            }
        }
    }

    /// The text with what differs from run to run replaced by where it comes from.
    fn blanked(&self, text: &str) -> String {
        let mut text = text.replace(NAMESPACE, "$NS").replace(WORD, "$ID");
        for (value, place) in &self.seen {
            let filled = format!("${{{place}}}");
            if value.contains('-') {
                text = text.replace(value, &filled);
            } else {
                for (before, after) in [("\"resourceVersion\":\"", "\""), ("resourceVersion=", "&")]
                {
                    let found = format!("{before}{value}{after}");
                    text = text.replace(&found, &format!("{before}{filled}{after}"));
                }
                if let Some(start) = text.strip_suffix(&format!("resourceVersion={value}")) {
                    text = format!("{start}resourceVersion={filled}");
                }
            }
        }
        text
    }

    /// Remembers revisions and uids of an answer.
    fn learn(&mut self, body: &Value) {
        let number = self.count;
        for key in ["resourceVersion", "uid"] {
            if let Some(value) = body["metadata"][key].as_str().filter(|it| !it.is_empty()) {
                self.seen.insert(value.to_owned(), format!("{number}:/metadata/{key}"));
            }
        }
        for (at, item) in body["items"].as_array().into_iter().flatten().enumerate() {
            for key in ["resourceVersion", "uid"] {
                if let Some(value) = item["metadata"][key].as_str() {
                    let place = format!("{number}:/items/{at}/metadata/{key}");
                    self.seen.insert(value.to_owned(), place);
                }
            }
        }
    }
}

fn title(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join("-")
}

#[derive(Clone)]
struct Recorder {
    backend: Arc<Backend>,
    tape: Arc<Mutex<Tape>>,
}

/// Passes a request on and notes it.
async fn pass(State(recorder): State<Recorder>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut onward = Request::builder().method(parts.method.clone()).uri(parts.uri.clone());
    for name in HEADERS {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let (code, headers, stream) = recorder.backend.open(onward.body(body.clone()).unwrap()).await;
    let path = parts.uri.path();
    let about_server = ["/openapi", "/version"].iter().any(|it| path.starts_with(it))
        || matches!(path, "/api" | "/apis")
        || (path.split('/').count() <= 4 && path.starts_with("/api"));
    let is_watch =
        parts.uri.query().is_some_and(|it| it.contains("watch=true") || it.contains("watch=1"));
    let answer = if is_watch {
        // How much of it the client reads is its own affair; that it saw an event is assumed.
        recorder.tape.lock().unwrap().note(&parts, &body, Some(1));
        Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>))
    } else {
        let pieces: Vec<Bytes> = stream.collect().await;
        let whole = pieces.concat();
        if !about_server || path == "/api/v1/namespaces" {
            let mut tape = recorder.tape.lock().unwrap();
            tape.note(&parts, &body, None);
            tape.learn(&serde_json::from_slice(&whole).unwrap_or_default());
        }
        Body::from(whole)
    };
    let mut response = Response::new(answer);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    for name in ["content-type", "content-encoding", "warning"] {
        for value in headers.get_all(name) {
            response.headers_mut().append(http::HeaderName::from_static(name), value.clone());
        }
    }
    response
}

/// What kubectl is made to do, in this order.
const COMMANDS: [&str; 24] = [
    "apply -f app.json",
    "apply -f app.json",
    "apply -f app2.json",
    "diff -f app.json",
    "apply --server-side -f side.json",
    "apply --server-side --field-manager=other -f side2.json",
    "apply --server-side --field-manager=other --force-conflicts -f side2.json",
    "get deployments,configmaps",
    "get deployment app -o yaml",
    "get configmap side -o name",
    "describe configmap side",
    "label configmap side a=b",
    "annotate configmap side c=d",
    "scale deployment app --replicas=2",
    "set image deployment/app c=nginx:2",
    "patch configmap side --type=merge -p {\"data\":{\"y\":\"2\"}}",
    "patch deployment app --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/paused\",\"value\":false}]",
    "create configmap made --from-literal=a=b",
    "create configmap made --from-literal=a=b",
    "create secret generic hidden --from-literal=a=b",
    "auth can-i create deployments",
    "rollout history deployment/app",
    "delete configmap made --wait=false",
    "delete -f app.json --wait=false",
];

fn deployment(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {
        "paused": true, "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "c", "image": image}]}}}})
}

fn side(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "side"}, "data": data})
}

async fn kubectl(recorder: &Recorder, address: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("app.json", deployment("nginx:1")),
        ("app2.json", deployment("nginx:3")),
        ("side.json", side(&json!({"x": "1"}))),
        ("side2.json", side(&json!({"x": "2"}))),
    ] {
        std::fs::write(home.path().join(name), content.to_string()).unwrap();
    }
    let mut all = String::new();
    let _ = writeln!(all, "=== a day with kubectl");
    for command in COMMANDS {
        let _ = writeln!(all, "#! kubectl {command}");
        let mut process = Command::new(world::kubernetes::program("kubectl").unwrap());
        process
            .args(["--server", address, "--namespace", NAMESPACE])
            .args(command.split(' '))
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("KUBECONFIG", home.path().join("none"));
        // What a command answers, and whether it fails, is not the matter here.
        let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
        println!("kubectl {command}: {}", output.status);
        all += &std::mem::take(&mut recorder.tape.lock().unwrap().text);
    }
    all
}

async fn kube_rs(recorder: &Recorder, address: &str) -> String {
    let config = kube::Config::new(address.parse().unwrap());
    let client = Client::try_from(config).unwrap();
    *recorder.tape.lock().unwrap() = Tape::default();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = |name: &str| -> ConfigMap {
        serde_json::from_value(
            json!({"metadata": {"name": name, "labels": {"a": "b"}}, "data": {"x": "1"}}),
        )
        .unwrap()
    };
    let made = maps.create(&PostParams::default(), &map("rs")).await.unwrap();
    let mut next = made.clone();
    next.data.as_mut().unwrap().insert("y".to_owned(), "2".to_owned());
    maps.replace("rs", &PostParams::default(), &next).await.unwrap();
    // Lost: it was made for the first state.
    maps.replace("rs", &PostParams::default(), &next).await.unwrap_err();
    maps.create(&PostParams::default(), &map("rs")).await.unwrap_err();
    let apply = Patch::Apply(side(&json!({"x": "1"})));
    maps.patch("side-rs", &PatchParams::apply("rs"), &Patch::Apply(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "side-rs"}, "data": {"x": "1"}})))
        .await
        .unwrap();
    maps.patch("rs", &PatchParams::apply("rs"), &apply).await.unwrap_err();
    maps.patch("rs", &PatchParams::default(), &Patch::Merge(json!({"data": {"x": null}})))
        .await
        .unwrap();
    maps.list(&ListParams::default().labels("a=b").limit(1)).await.unwrap();
    maps.get_metadata("rs").await.unwrap();
    maps.list_metadata(&ListParams::default()).await.unwrap();
    let from = made.metadata.resource_version.unwrap();
    let mut events = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    events.next().await.unwrap().unwrap();
    drop(events);
    let apps: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let app = serde_json::from_value(deployment("nginx:1")).unwrap();
    apps.create(&PostParams::default(), &app).await.unwrap();
    apps.get_scale("app").await.unwrap();
    let status = json!({"status": {"replicas": 1, "observedGeneration": 1}});
    apps.patch_status("app", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    apps.get_status("app").await.unwrap();
    apps.delete("app", &DeleteParams::foreground()).await.unwrap();
    maps.delete("none", &DeleteParams::default()).await.unwrap_err();
    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("a=b"))
        .await
        .unwrap();
    format!("=== a day with kube-rs\n{}", std::mem::take(&mut recorder.tape.lock().unwrap().text))
}

/// Records both clients against a kube-apiserver.
async fn record() {
    let recorder =
        Recorder { backend: Arc::new(Backend::kubernetes().await), tape: Arc::default() };
    let body = json!({"metadata": {"name": NAMESPACE}}).to_string();
    let request = Request::post("/api/v1/namespaces").header("content-type", "application/json");
    recorder.backend.send(request.body(body.into()).unwrap()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(recorder.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    std::fs::create_dir_all(folder()).unwrap();
    std::fs::write(folder().join("kubectl.txt"), kubectl(&recorder, &address).await).unwrap();
    std::fs::write(folder().join("kube-rs.txt"), kube_rs(&recorder, &address).await).unwrap();
}

/// Compares the answers to every recorded request, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn replay() {
    if let Some(missing) = world::kubernetes::missing() {
        println!("replay: skipped: {missing} (cargo xtask setup)");
        return;
    }
    if std::env::var_os("CONTROLPLANE_REPLAY_RECORD").is_some() {
        record().await;
    }
    let mut sessions = scenario::read_sessions(&folder());
    for (position, session) in sessions.iter_mut().enumerate() {
        // As long as the recorded word, which stands in bodies whose lengths count.
        session.id = format!("zzrec{position:03}");
        // Ours answers in JSON where both are accepted, so that is what is compared.
        for (name, value) in session.steps.iter_mut().flat_map(|step| &mut step.headers) {
            if name == "Accept" && value.contains("json") {
                *value = value.replace("application/vnd.kubernetes.protobuf,", "");
            } else if name == "Accept" && value.contains("protobuf") {
                *value = "application/json".to_owned();
            }
        }
    }
    let authority = Some("the authority of the embedded server".to_owned());
    let embedded = answers(&Backend::embedded_with(authority), &sessions).await;
    let real = answers(&Backend::kubernetes().await, &sessions).await;
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
