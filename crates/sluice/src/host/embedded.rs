//! The embedded control plane with its socket, its kubeconfig, its CRDs and its controllers.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use controller::{Host, clock};
use kube::Client;
use rand::Rng as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{directory::Directory, kubeconfig, listen, pki::Pki};
use crate::{
    controllers::{self, Running, Setup},
    manifest::{self, Manifest},
};

/// The administrator's name.
const ADMIN: &str = "admin";

/// A running control plane; [`stop`](Self::stop) ends it in order, dropping it at once.
pub(crate) struct Embedded {
    pub(crate) client: Client,
    pub(crate) host: Host,
    pub(crate) url: String,
    pub(crate) kubeconfig: PathBuf,
    /// The kinds that have a controller.
    pub(crate) kinds: Vec<String>,
    server: controlplane::Server,
    serving: JoinHandle<()>,
    running: JoinHandle<()>,
    stop: CancellationToken,
}

impl Embedded {
    /// Opens the state in `directory`, serves it on `address`, and starts the controllers.
    pub(crate) async fn start(
        directory: &Directory,
        address: SocketAddr,
        setup: &Setup,
    ) -> Result<Self> {
        let pki = Pki::ensure(directory)?;
        let token = admin_token(directory)?;
        let server = controlplane::Server::open(controlplane::Options {
            data_dir: Some(directory.path("objects")),
            tokens: vec![controlplane::Token {
                token: token.clone(),
                user: ADMIN.to_owned(),
                groups: vec!["system:masters".to_owned()],
            }],
            ..Default::default()
        })
        .context("cannot open the control plane")?;
        let known = directory.read_text("kubeconfig")?;
        let listener = listen::bind(address, known.as_deref().and_then(kubeconfig::port)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let text = kubeconfig::render(&url, &pki, ADMIN, &token);
        let kubeconfig = directory.write_private("kubeconfig", &text)?;
        let stop = CancellationToken::new();
        let router = server.authenticated_router();
        let serving =
            tokio::spawn(listen::tls(listener, pki.server_config()?, router, stop.clone()));
        let client = Client::new(server.router(), "default");
        manifest::apply(&client, &definitions()?).await?;
        let host = controllers::host(client.clone(), Arc::new(clock::System), stop.clone())?;
        let running: Running = controllers::start(&host, setup)?;
        let kinds = running.kinds().to_vec();
        let running = tokio::spawn(running.ended());
        Ok(Self { client, host, url, kubeconfig, kinds, server, serving, running, stop })
    }

    /// Ends the controllers, then the socket, then the state.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // A task that panicked has ended as well.
        let _ = self.running.await;
        self.server.shutdown();
        self.serving.abort();
    }
}

/// The CRDs that the controllers need.
fn definitions() -> Result<Vec<Manifest>> {
    let definition = |crd: serde_json::Value| {
        let object = serde_json::from_value(crd)?;
        Ok(Manifest { object, origin: "a built-in definition".to_owned() })
    };
    api::crd::all().into_iter().map(definition).collect()
}

/// The administrator's token, made once for each data directory.
fn admin_token(directory: &Directory) -> Result<String> {
    if let Some(token) = directory.read_text("pki/admin.token")? {
        return Ok(token.trim().to_owned());
    }
    let bytes: [u8; 24] = rand::rng().random();
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    directory.write_private("pki/admin.token", &token)?;
    Ok(token)
}
