//! One world per test: everything in it is new, and gone when it is dropped.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use controller::clock;
use kube::Client;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use world::{git, kubernetes, registry};

use crate::Objects;

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
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    pub fn available(suite: &str) -> Vec<Self> {
        match kubernetes::missing() {
            None => vec![Self::Embedded, Self::Kubernetes],
            Some(missing) => {
                println!("{suite} on kubernetes: skipped: {missing} (cargo xtask setup)");
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

/// What keeps an API server alive.
enum Server {
    Embedded { _server: controlplane::Server },
    Kubernetes { _server: Box<kubernetes::Server> },
}

/// A world of its own.
pub struct World {
    /// The objects of its API server.
    pub objects: Objects,
    /// Its Git server.
    pub git: git::Server,
    /// Its registry.
    pub registry: registry::Server,
    _server: Server,
    _storage: TempDir,
    _stop: DropGuard,
}

impl World {
    /// Starts everything, applies the CRDs, and runs all controllers.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(backend: Backend) -> Result<Self> {
        // A provider that is there already is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (server, client) = serve(backend).await?;
        let objects = Objects::new(client.clone());
        for crd in ::api::crd::all() {
            objects.apply_crd(&crd).await?;
        }
        let stop = CancellationToken::new();
        let storage = tempfile::tempdir()?;
        let setup = sluice::controllers::Setup::new(storage.path());
        let host = sluice::controllers::host(client, Arc::new(clock::System), stop.clone())?;
        let running = sluice::controllers::start(&host, &setup)?;
        tokio::spawn(running.ended());
        Ok(Self {
            objects,
            git: git::Server::start(git::Options::default()).await?,
            registry: registry::Server::start().await?,
            _server: server,
            _storage: storage,
            _stop: stop.drop_guard(),
        })
    }
}

async fn serve(backend: Backend) -> Result<(Server, Client)> {
    match backend {
        Backend::Embedded => {
            let server = controlplane::Server::open(controlplane::Options::default())?;
            let client = Client::new(server.router(), "default");
            Ok((Server::Embedded { _server: server }, client))
        }
        Backend::Kubernetes => {
            let server = kubernetes::Server::start(kubernetes::Options::default()).await?;
            let config = kube::config::Kubeconfig::read_from(server.kubeconfig_path())?;
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await?;
            let client = Client::try_from(config).context("no client for the API server")?;
            Ok((Server::Kubernetes { _server: Box::new(server) }, client))
        }
    }
}
