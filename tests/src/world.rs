//! One world per test: everything in it is new, and gone when it is dropped.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use controller::{
    Metrics,
    clock::{self, Clock},
};
use kube::{
    Client,
    config::{KubeConfigOptions, Kubeconfig},
};
use sluice::controllers::{self, Setup};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use world::{
    git, kubernetes, registry,
    simulator::{self, Simulator},
};

use crate::{Fault, Objects, Tenant};

/// Which API server a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The control plane in this process.
    Embedded,
    /// kube-apiserver and etcd.
    Kubernetes,
}

impl Backend {
    /// The API servers that can be had here; the others are reported skipped for `suite`.
    pub fn available(suite: &str) -> Vec<Self> {
        match kubernetes::missing() {
            None => vec![Self::Embedded, Self::Kubernetes],
            Some(missing) => {
                skipped(
                    &format!("{suite} on kubernetes"),
                    &format!("{missing} (cargo xtask setup)"),
                );
                vec![Self::Embedded]
            }
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// Says that `what` is not tested here, and what it would need.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn skipped(what: &str, missing: &str) {
    println!("{what}: skipped: {missing}");
}

/// What is special about a world; nothing by default.
pub struct Options {
    /// Its API server.
    pub backend: Backend,
    /// Its Git server.
    pub git: git::Options,
    /// Its registry.
    pub registry: registry::Options,
    /// What its controllers go by.
    pub clock: Arc<dyn Clock>,
    /// The flags of its controllers.
    pub flags: fn(&mut Setup),
    /// Whether workloads get ready though nothing is run.
    pub workloads: bool,
    /// What its controllers write.
    pub fault: Fault,
    /// What comes between everybody and an embedded API server.
    pub between: fn(axum::Router) -> axum::Router,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Backend::Embedded,
            git: git::Options::default(),
            registry: registry::Options::default(),
            clock: Arc::new(clock::System),
            flags: |_| (),
            workloads: false,
            fault: Fault::default(),
            between: |router| router,
        }
    }
}

/// What keeps an API server alive.
enum Server {
    Embedded { _server: controlplane::Server, _simulator: Option<Simulator> },
    Kubernetes { _server: Box<kubernetes::Server>, _simulator: Option<Simulator> },
}

/// A world of its own.
pub struct World {
    /// The objects of its API server.
    pub objects: Objects,
    /// Its Git server.
    pub git: git::Server,
    /// Its registry.
    pub registry: registry::Server,
    /// What its controllers count.
    pub metrics: Metrics,
    controllers: Controllers,
    simulator: std::sync::OnceLock<Simulator>,
    _server: Server,
}

/// The controllers of a world.
struct Controllers {
    storage: TempDir,
    /// Where artifacts are served.
    files: std::net::TcpListener,
    clock: Arc<dyn Clock>,
    flags: fn(&mut Setup),
    fault: Fault,
    stop: std::sync::Mutex<Option<(DropGuard, tokio::task::JoinHandle<()>)>>,
}

impl World {
    /// Starts everything, applies the CRDs, and runs all controllers.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(backend: Backend) -> Result<Self> {
        Self::with(Options { backend, ..Options::default() }).await
    }

    /// Starts a world that is special.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn with(options: Options) -> Result<Self> {
        // A provider that is there already is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let Options { backend, workloads, between, .. } = options;
        let (server, client) = serve((backend, workloads), between).await?;
        let objects = Objects::new(client.clone());
        for crd in ::api::crd::all() {
            objects.apply_crd(&crd).await?;
        }
        let controllers = Controllers {
            storage: tempfile::tempdir()?,
            files: files()?,
            clock: options.clock,
            flags: options.flags,
            fault: options.fault,
            stop: std::sync::Mutex::new(None),
        };
        let metrics = Metrics::new(prometheus::Registry::new())?;
        controllers.start(client, metrics.clone())?;
        Ok(Self {
            objects,
            git: git::Server::start(options.git).await?,
            registry: registry::Server::with(options.registry).await?,
            metrics,
            controllers,
            simulator: std::sync::OnceLock::new(),
            _server: server,
        })
    }

    /// Ends the controllers and starts new ones on what they left, as when their process is
    /// replaced.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn restart_controllers(&self) -> Result<()> {
        let running = self.controllers.stop.lock().map_or(None, |mut it| it.take());
        if let Some((stop, running)) = running {
            drop(stop);
            running.await?;
        }
        let metrics = Metrics::new(prometheus::Registry::new())?;
        self.controllers.start(self.objects.client().clone(), metrics)
    }

    /// Has workloads played from now on: Pods start, and Jobs end.
    pub fn simulate(&self) {
        let client = || self.objects.client().clone();
        let start = || Simulator::start(client(), simulator::Options::default());
        self.simulator.get_or_init(start);
    }

    /// Host and port at which artifacts are served.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn artifacts(&self) -> Result<String> {
        Ok(self.controllers.files.local_addr()?.to_string())
    }

    /// The folder in which the controllers keep what they keep.
    pub fn storage(&self) -> &std::path::Path {
        self.controllers.storage.path()
    }

    /// A new namespace, and the verbs of a person who works there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn tenant(self: &Arc<Self>, namespace: &str) -> Result<Tenant> {
        self.objects.namespace(namespace).await?;
        Ok(Tenant { world: Arc::clone(self), namespace: namespace.to_owned() })
    }
}

impl Controllers {
    fn start(&self, client: Client, metrics: Metrics) -> Result<()> {
        let stop = CancellationToken::new();
        let mut setup = Setup::new(self.storage.path());
        // The port stays the same when the controllers are replaced.
        let listener = self.files.try_clone()?;
        setup.artifact.address = listener.local_addr()?.to_string();
        (self.flags)(&mut setup);
        let client = self.fault.wrap(client);
        let host = controller::Host::new(controller::Context {
            client,
            clock: Arc::clone(&self.clock),
            metrics,
            post: None,
            stop: stop.clone(),
        });
        let running = controllers::start(&host, &setup)?;
        if let Some(files) = running.files() {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let stopped = stop.clone().cancelled_owned();
            tokio::spawn(async move {
                axum::serve(listener, files).with_graceful_shutdown(stopped).await
            });
        }
        let running = tokio::spawn(running.ended());
        if let Ok(mut current) = self.stop.lock() {
            *current = Some((stop.drop_guard(), running));
        }
        Ok(())
    }
}

fn files() -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(
    (backend, workloads): (Backend, bool),
    between: fn(axum::Router) -> axum::Router,
) -> Result<(Server, Client)> {
    let simulated = |client: &Client, controllers| {
        let options = simulator::Options { controllers, ..simulator::Options::default() };
        workloads.then(|| Simulator::start(client.clone(), options))
    };
    match backend {
        Backend::Embedded => {
            let server = controlplane::Server::open(controlplane::Options::default())?;
            let client = Client::new(between(server.router()), "default");
            let simulator = simulated(&client, true);
            Ok((Server::Embedded { _server: server, _simulator: simulator }, client))
        }
        Backend::Kubernetes => {
            let options =
                kubernetes::Options { controller_manager: workloads, ..Default::default() };
            let server = kubernetes::Server::start(options).await?;
            let config = Kubeconfig::read_from(server.kubeconfig_path())?;
            let config =
                kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
            let client = Client::try_from(config).context("no client for the API server")?;
            let simulator = simulated(&client, false);
            Ok((Server::Kubernetes { _server: Box::new(server), _simulator: simulator }, client))
        }
    }
}
