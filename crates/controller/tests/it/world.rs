//! A control plane, a clock that stands still, and the toy controller.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use controller::clock::Manual;
use controller::event::Post;
use controller::{Context, Host, Metrics, Options, Store};
use k8s_openapi::api::core::v1::{ConfigMap, Event};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::toy::{Bench, Toy, ToySpec, Toys, definition};

/// Everything but the controller: it outlives restarts.
pub(crate) struct World {
    /// Serves as long as it is kept.
    _server: controlplane::Server,
    pub(crate) client: Client,
    pub(crate) clock: Manual,
    pub(crate) bench: Bench,
    /// Method and path of every request that writes.
    pub(crate) writes: Arc<Mutex<Vec<String>>>,
    /// `LIST` and path of every request that reads a collection of a whole cluster.
    pub(crate) reads: Arc<Mutex<Vec<String>>>,
}

/// A running controller.
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) metrics: Metrics,
    stop: CancellationToken,
    task: JoinHandle<()>,
    toys: Store<Toy>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = controlplane::Server::open(controlplane::Options::default()).unwrap();
        let writes = Arc::new(Mutex::new(Vec::new()));
        let reads = Arc::new(Mutex::new(Vec::new()));
        let (log, lists) = (Arc::clone(&writes), Arc::clone(&reads));
        let count = from_fn(move |request: Request, next: Next| {
            if request.method() != "GET" {
                log.lock().push(format!("{} {}", request.method(), request.uri().path()));
            } else if request.uri().query().is_some_and(|query| query.contains("limit=500")) {
                lists.lock().push(format!("LIST {}", request.uri().path()));
            }
            next.run(request)
        });
        let client = Client::new(server.router().layer(count), "default");
        let clock = Manual::new("2026-01-01T00:00:00Z".parse().unwrap());
        let world = Self { _server: server, client, clock, bench: Bench::default(), writes, reads };
        world.define().await;
        world
    }

    async fn define(&self) {
        let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
        let definition = serde_json::from_value(definition()).unwrap();
        definitions.create(&PostParams::default(), &definition).await.unwrap();
        let served = kube::runtime::wait::conditions::is_crd_established();
        let name = "toys.toys.example.com";
        kube::runtime::wait::await_condition(definitions, name, served).await.unwrap();
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(Options::default()).await
    }

    pub(crate) async fn start_with(&self, options: Options) -> Running {
        self.launch(options, None).await
    }

    pub(crate) async fn start_posting(&self, post: Arc<dyn Post>) -> Running {
        self.launch(Options::default(), Some((post, "pod-1".into()))).await
    }

    async fn launch(&self, options: Options, post: Option<(Arc<dyn Post>, String)>) -> Running {
        let stop = CancellationToken::new();
        let metrics = Metrics::new(Registry::new()).unwrap();
        let host = Host::new(Context {
            client: self.client.clone(),
            clock: Arc::new(self.clock.clone()),
            metrics: metrics.clone(),
            post,
            stop: stop.clone(),
        });
        let host = host.with(options);
        let toys = Toys { bench: self.bench.clone(), maps: host.store() };
        let controller = controller::Controller::new(toys);
        let task = tokio::spawn(controller.run(host.clone()));
        let toys: Store<Toy> = host.store();
        toys.synced().await;
        let running = Running { host, metrics, stop, task, toys };
        running.settled(self).await;
        running
    }

    pub(crate) fn toys(&self, namespace: &str) -> Api<Toy> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(self.client.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }

    pub(crate) async fn create(&self, name: &str, spec: ToySpec) -> Toy {
        self.create_in("default", name, spec).await
    }

    pub(crate) async fn create_in(&self, namespace: &str, name: &str, spec: ToySpec) -> Toy {
        let toy = Toy::new(name, spec);
        self.toys(namespace).create(&PostParams::default(), &toy).await.unwrap()
    }

    pub(crate) async fn patch(&self, name: &str, patch: Value) -> Toy {
        let params = PatchParams::default();
        self.toys("default").patch(name, &params, &Patch::Merge(patch)).await.unwrap()
    }

    pub(crate) async fn get(&self, name: &str) -> Toy {
        self.toys("default").get(name).await.unwrap()
    }

    /// The status as it is on the wire.
    pub(crate) async fn status(&self, name: &str) -> Value {
        serde_json::to_value(self.get(name).await.status).unwrap()
    }

    /// The conditions, one a line.
    pub(crate) async fn conditions(&self, name: &str) -> Vec<String> {
        let status = self.get(name).await.status.unwrap_or_default();
        let line = |c: &api::meta::Condition| {
            format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message)
        };
        status.conditions.iter().map(line).collect()
    }

    pub(crate) async fn map(&self, name: &str, value: &str) -> ConfigMap {
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
            data: Some([("value".to_owned(), value.to_owned())].into()),
            ..ConfigMap::default()
        };
        let maps = Api::namespaced(self.client.clone(), "default");
        let params = PatchParams::apply("test").force();
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name}, "data": map.data,
        });
        maps.patch(name, &params, &Patch::Apply(map)).await.unwrap()
    }

    /// The events of an object: type, reason, message, count.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String, String, i32)> {
        let list = self.kube_events(name).await;
        let row = |event: Event| {
            let text = Option::unwrap_or_default;
            (text(event.type_), text(event.reason), text(event.message), event.count.unwrap_or(1))
        };
        list.into_iter().map(row).collect()
    }

    pub(crate) async fn kube_events(&self, name: &str) -> Vec<Event> {
        let events = Api::<Event>::namespaced(self.client.clone(), "default");
        let mut list = events.list(&ListParams::default()).await.unwrap().items;
        list.retain(|event| event.involved_object.name.as_deref() == Some(name));
        list.sort_by_key(|event| {
            event.resource_version().and_then(|version| version.parse::<u64>().ok())
        });
        list
    }
}

impl Running {
    /// Ends when the controller has nothing to do and has seen everything that was written.
    pub(crate) async fn settled(&self, world: &World) {
        let toys = Api::<Toy>::all(world.client.clone());
        let newest = toys.list(&ListParams::default()).await.unwrap();
        for toy in newest.items {
            self.toys.reached(&toy.resource_version().unwrap()).await;
        }
        self.host.idle().await;
    }

    /// Advances the clock at quiescence and lets everything that is due happen.
    pub(crate) async fn advance(&self, world: &World, by: Duration) {
        self.settled(world).await;
        world.clock.advance(by);
        self.settled(world).await;
    }

    /// Ends when the store of `ConfigMap`s is as new as this one, and all is done.
    pub(crate) async fn saw(&self, world: &World, map: &ConfigMap) {
        self.host.store::<ConfigMap>().reached(&map.resource_version().unwrap()).await;
        self.settled(world).await;
    }

    /// Ends when the controller knows this version of a toy.
    pub(crate) async fn knows(&self, toy: &Toy) {
        self.toys.reached(&toy.resource_version().unwrap()).await;
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends it as a crash does: no more code of it runs.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.stop.cancel();
    }
}

/// Polls without sleeping until something is so; whoever makes it so runs in between.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}
