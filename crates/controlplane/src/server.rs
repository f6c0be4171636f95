//! The server as its user sees it.

use std::path::PathBuf;

use axum::Router;
use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::access::bootstrap;
use crate::account::Key;
use crate::api::Api;
use crate::catalog::NAMESPACES;
use crate::collector::Collector;
use crate::http::{Front, Login, serve};
use crate::log::Disk;
use crate::object::{now, uid};
use crate::store::{Change, Draft, Refusal, Store, Window};
use crate::user::{Logins, Token};

/// The namespaces that are there from the start.
const FIRST_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// How much of the past each resource keeps for watchers that come back.
const WINDOW: Window = Window { events: 8192, bytes: 2 << 20 };

/// How to run a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where state is kept; without it, it lives as long as the process.
    pub data_dir: Option<PathBuf>,
    /// Who is known to [`Server::authenticated_router`], besides `ServiceAccounts` by their own tokens.
    /// What they may do, roles and bindings say; the group `system:masters` may do everything.
    pub tokens: Vec<Token>,
    /// Whether requests that bring no token are served as `system:anonymous`, as kube-apiserver does
    /// unless told otherwise; else they are refused.
    pub anonymous: bool,
    /// The certificates (PEM) by which clients know this server; every namespace gets them in the
    /// `ConfigMap` `kube-root-ca.crt`.
    pub authority: Option<String>,
}

/// A Kubernetes API server.
pub struct Server {
    front: Front,
    collector: Mutex<Option<Collector>>,
}

impl Server {
    /// Opens the state and starts what runs beside requests.
    pub fn open(options: Options) -> Result<Self, Error> {
        let Options { data_dir, tokens, anonymous, authority } = options;
        let (store, key) = match &data_dir {
            None => (Store::in_memory(WINDOW), Key::fresh()?),
            Some(folder) => {
                let store = Store::durable(WINDOW, Box::new(Disk::open(folder)?))?;
                (store, Key::kept(folder)?)
            }
        };
        let api = Api::new(store, Logins::new(tokens), key);
        for name in FIRST_NAMESPACES {
            make_namespace(&api, name)?;
        }
        bootstrap::ensure(&api)?;
        let collector = Mutex::new(Some(Collector::start(&api, authority)?));
        let end = CancellationToken::new();
        Ok(Self { front: Front { api, login: Login::Trusted, anonymous, end }, collector })
    }

    /// The API for use in this process, as in `kube::Client::new(server.router(), "default")`:
    /// every request is the administrator's.
    pub fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.front.clone())
    }

    /// The API for a listening socket: each request is made by the one its verified
    /// [`crate::ClientCertificate`] is for, or the bearer of its token.
    pub fn authenticated_router(&self) -> Router {
        let front = Front { login: Login::Token, ..self.front.clone() };
        Router::new().fallback(serve).with_state(front)
    }

    /// Ends all watches, finishes what is being written and closes the state. Requests that come
    /// later can read and are refused to write.
    pub fn shutdown(&self) {
        self.front.end.cancel();
        self.front.api.store.stop_observing();
        if let Some(collector) = self.collector.lock().take() {
            collector.join();
        }
        self.front.api.store.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn make_namespace(api: &Api, name: &str) -> Result<(), Error> {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": uid(),
            "creationTimestamp": now(),
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    });
    let change = Change {
        resource: NAMESPACES.into(),
        path: name.into(),
        expect: None,
        within: None,
        draft: Draft::new(&namespace),
        delete: false,
    };
    match api.store.commit_blocking(change) {
        Ok(_) | Err(Refusal::Exists) => Ok(()),
        Err(refusal) => Err(Error::Start(format!("namespace {name}: {refusal:?}"))),
    }
}
