//! A cluster of its own for each test.

use std::sync::Arc;

use apply::{Cluster, Entry, Kinds, Options, Owner, Written};
use kube::Client;
use serde_json::{Value, json};

/// The group that all tests apply for.
pub(crate) const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// A control plane and a view of it.
pub(crate) struct Fixture {
    pub(crate) cluster: Cluster,
    /// Another tool on the same cluster.
    pub(crate) kubectl: Cluster,
    pub(crate) options: Options,
    _server: controlplane::Server,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let server = controlplane::Server::open(controlplane::Options::default()).unwrap();
        let client = Client::new(server.router(), "default");
        let kinds = Arc::new(Kinds::default());
        Self {
            cluster: Cluster::new(client.clone(), Arc::clone(&kinds), "kustomize-controller"),
            kubectl: Cluster::new(client, kinds, "kubectl"),
            options: options(),
            _server: server,
        }
    }

    /// Compares and writes; what could not even be compared is an error too.
    pub(crate) async fn apply(&self, objects: Vec<Value>) -> Written {
        write(&self.cluster, objects, &self.options).await
    }

    pub(crate) async fn get(&self, object: &Value) -> Option<Value> {
        self.cluster.get(&Entry::of(object)).await.unwrap()
    }
}

pub(crate) fn options() -> Options {
    Options { group: GROUP.into(), force: false, concurrency: 4, override_managers: Vec::new() }
}

pub(crate) fn owner() -> Owner {
    Owner { group: GROUP.into(), namespace: "default".into(), name: "apps".into() }
}

pub(crate) async fn write(cluster: &Cluster, objects: Vec<Value>, options: &Options) -> Written {
    match cluster.compare(objects, options).await {
        Ok(comparison) => cluster.write(comparison).await,
        Err(error) => Written { error: Some(error), ..Written::default() },
    }
}

/// A ConfigMap of the owner.
pub(crate) fn map(name: &str, data: &Value) -> Value {
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": data});
    apply::set_owner(&mut map, &owner());
    map
}

pub(crate) fn annotated(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][format!("{GROUP}/{key}")] = value.into();
    object
}

/// `Kind/ns/name action` of all changes.
pub(crate) fn lines(written: &Written) -> Vec<String> {
    assert_eq!(written.error, None);
    written.changes.iter().map(ToString::to_string).collect()
}
