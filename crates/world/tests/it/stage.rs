//! A server with a simulator, and the verbs of somebody who looks at it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use controller::clock::{Clock, Manual, System};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use world::kubernetes;
use world::simulator::{Options, Simulator};

/// How long something that must happen may take; far beyond what it takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// What keeps the API server alive.
enum Server {
    Embedded { _server: controlplane::Server },
    Kubernetes { _server: Box<kubernetes::Server> },
}

/// A server, a simulator, and a namespace to work in.
pub(crate) struct Stage {
    client: Client,
    pub(crate) clock: Manual,
    pub(crate) simulator: Option<Simulator>,
    _server: Server,
}

impl Stage {
    /// The embedded control plane, with a clock that stands still.
    pub(crate) fn embedded() -> Self {
        let server = controlplane::Server::open(controlplane::Options::default()).unwrap();
        let client = Client::new(server.router(), "default");
        let clock = Manual::new(jiff::Timestamp::now());
        let mut stage =
            Self { client, clock, simulator: None, _server: Server::Embedded { _server: server } };
        stage.simulate(true, Arc::new(stage.clock.clone()));
        stage
    }

    /// kube-apiserver and kube-controller-manager; `None`, told by name, where they are missing.
    pub(crate) async fn kubernetes(test: &str) -> Option<Self> {
        if let Some(missing) = kubernetes::missing() {
            println!("{test}: skipped: {missing} (cargo xtask setup)");
            return None;
        }
        let options =
            kubernetes::Options { controller_manager: true, ..kubernetes::Options::default() };
        let server = kubernetes::Server::start(options).await.unwrap();
        let config = Kubeconfig::read_from(server.kubeconfig_path()).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let clock = Manual::new(jiff::Timestamp::now());
        let server = Server::Kubernetes { _server: Box::new(server) };
        let mut stage = Self { client, clock, simulator: None, _server: server };
        stage.simulate(false, Arc::new(System));
        Some(stage)
    }

    pub(crate) fn simulate(&mut self, controllers: bool, clock: Arc<dyn Clock>) {
        let options = Options { controllers, clock };
        self.simulator = Some(Simulator::start(self.client.clone(), options));
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> kube::Result<Value> {
        let kind =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("Content-Type", kind).body(body).unwrap();
        self.client.request(request).await
    }

    pub(crate) async fn create(&self, path: &str, object: Value) {
        self.ask("POST", path, &object).await.unwrap();
    }

    pub(crate) async fn merge(&self, path: &str, change: Value) {
        self.ask("PATCH", path, &change).await.unwrap();
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.ask("DELETE", path, &Value::Null).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        self.ask("GET", path, &Value::Null).await.ok()
    }

    /// The objects of a collection.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let list = self.ask("GET", path, &Value::Null).await.unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Waits until an object is as wanted; shows it if that never comes.
    pub(crate) async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let object = self.get(path).await.unwrap_or_default();
            if holds(&object) {
                return object;
            }
            assert!(started.elapsed() < PATIENCE, "{path} never came true: {object:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether a condition is true.
pub(crate) fn condition(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == kind && it["status"] == status)
}

/// The reason of a condition.
pub(crate) fn reason(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|it| it["type"] == kind);
    found.and_then(|it| it["reason"].as_str()).unwrap_or_default().to_owned()
}

/// An object with a selector and a template of one container, which behaves as told.
pub(crate) fn workload(kind: &str, name: &str, behaviour: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {world::simulator::BEHAVIOUR: behaviour}},
                "spec": {"containers": [{"name": "main", "image": "app:1"}]},
            },
        },
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

/// A Job whose Pods behave as told.
pub(crate) fn job(name: &str, behaviour: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {
            "metadata": {"annotations": {world::simulator::BEHAVIOUR: behaviour}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "job:1"}]},
        }},
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}
