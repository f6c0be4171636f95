//! The embedded control plane with its socket, its kubeconfig, its CRDs and its controllers.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use controller::{Host, clock};
use kube::{Client, api::ApiResource};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    client_authority::ClientAuthority, directory::Directory, kubeconfig, listen, pki::Pki,
};
use crate::{
    controllers::{self, Running, Setup},
    manifest::{self, Manifest},
};

/// The administrator's name.
const ADMIN: &str = "admin";

/// Who the controllers are to the control plane that they share a process with.
const INSIDER: &str = "system:admin";

/// A control plane that is served; [`stop`](Self::stop) ends it in order, dropping it at once.
pub(crate) struct Embedded {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) kubeconfig: PathBuf,
    /// The kubeconfig of each further user, by name.
    pub(crate) users: Vec<(String, PathBuf)>,
    /// The port of the last time was taken, so this one is new.
    pub(crate) moved: bool,
    server: controlplane::Server,
    serving: JoinHandle<()>,
    working: Option<Working>,
    stop: CancellationToken,
    // Given back last.
    directory: Directory,
}

/// The controllers at work.
struct Working {
    host: Host,
    /// The kinds that have a controller.
    kinds: Vec<ApiResource>,
    running: JoinHandle<()>,
}

impl Embedded {
    /// Opens the state in `directory` and serves it on `address`, to the administrator and to
    /// `users`, who may do what roles are bound to them for.
    pub(crate) async fn start(
        directory: Directory,
        address: SocketAddr,
        users: &[String],
    ) -> Result<Self> {
        let pki = Pki::ensure(&directory)?;
        let clients = ClientAuthority::ensure(&directory)?;
        let admin = ensure_token(&directory, "pki/admin.token")?;
        let mut tokens = vec![token(ADMIN, &admin, &["system:masters"])];
        for user in users {
            let secret = ensure_token(&directory, &format!("pki/users/{user}.token"))?;
            tokens.push(token(user, &secret, &[]));
        }
        let server = controlplane::Server::open(controlplane::Options {
            data_dir: Some(directory.path("objects")),
            tokens: tokens.clone(),
            anonymous: true,
            authority: Some(pki.authority.clone()),
        })
        .context("cannot open the control plane")?;
        let known = directory.read_text("kubeconfig")?;
        let preferred = known.as_deref().and_then(kubeconfig::port);
        let listener = listen::bind(address, preferred).await?;
        let bound = listener.local_addr()?;
        let moved = address.port() == 0 && preferred.is_some_and(|port| port != bound.port());
        let url = kubeconfig::url(bound);
        let text = kubeconfig::render(&url, &pki, ADMIN, &admin);
        let kubeconfig = directory.write_private("kubeconfig", &text)?;
        let written = tokens[1..].iter().map(|it| {
            let text = kubeconfig::render(&url, &pki, &it.user, &it.token);
            let path = directory.write_private(&format!("users/{}.kubeconfig", it.user), &text)?;
            Ok((it.user.clone(), path))
        });
        let users = written.collect::<Result<_>>()?;
        let stop = CancellationToken::new();
        let client = Client::new(server.router(), "default");
        manifest::apply(&client, &definitions()?).await?;
        // Served only now: whoever is answered at all finds our kinds.
        let router = server.authenticated_router();
        let config = pki.server_config(&clients)?;
        let serving = tokio::spawn(listen::tls(listener, (config, clients), router, stop.clone()));
        Ok(Self {
            client,
            url,
            kubeconfig,
            users,
            moved,
            server,
            serving,
            working: None,
            stop,
            directory,
        })
    }

    /// Starts the controllers. What was applied before is known to them at once, in any order.
    pub(crate) async fn reconcile(&mut self, setup: &Setup) -> Result<()> {
        let clock = Arc::new(clock::System);
        let host = controllers::host(self.client.clone(), clock, self.stop.clone())?;
        // Statuses tell where artifacts are: that should hold over a restart.
        let known = self.directory.read_text("artifacts-port")?;
        let preferred = known.and_then(|port| port.trim().parse().ok());
        let files = listen::bind((Ipv4Addr::LOCALHOST, 0).into(), preferred).await?;
        let address = files.local_addr()?;
        self.directory.write_private("artifacts-port", &address.port().to_string())?;
        let mut setup = setup.clone();
        setup.artifact.address = address.to_string();
        setup.api_server = Some(self.url.trim_start_matches("https://").to_owned());
        let running: Running = controllers::start(&host, &setup)?;
        if let Some(router) = running.files() {
            tokio::spawn(listen::plain(files, router, self.stop.clone()));
        }
        let kinds = running.kinds().to_vec();
        let running = tokio::spawn(running.ended());
        self.working = Some(Working { host, kinds, running });
        Ok(())
    }

    /// The kinds that have a controller.
    pub(crate) fn kinds(&self) -> &[ApiResource] {
        self.working.as_ref().map_or(&[], |working| &working.kinds)
    }

    /// Ends when no controller has anything to do.
    pub(crate) async fn idle(&self) {
        if let Some(working) = &self.working {
            working.host.idle().await;
        }
    }

    /// Ends the controllers, then the socket, then the state.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Some(working) = self.working {
            // A task that panicked has ended as well.
            let _ = working.running.await;
        }
        self.server.shutdown();
        self.serving.abort();
    }
}

/// The CRDs that the controllers need, and the policies that keep people from speaking for others.
fn definitions() -> Result<Vec<Manifest>> {
    let definition = |crd: serde_json::Value| {
        let object = serde_json::from_value(crd)?;
        Ok(Manifest { object, origin: "a built-in definition".to_owned() })
    };
    let policies = api::admission::all(INSIDER);
    api::crd::all().into_iter().chain(policies).map(definition).collect()
}

fn token(user: &str, secret: &str, groups: &[&str]) -> controlplane::Token {
    controlplane::Token {
        token: secret.to_owned(),
        user: user.to_owned(),
        uid: String::new(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

/// A token, made once for each data directory.
fn ensure_token(directory: &Directory, name: &str) -> Result<String> {
    if let Some(token) = directory.read_text(name)? {
        return Ok(token.trim().to_owned());
    }
    let token = format!("{:032x}{:016x}", rand::random::<u128>(), rand::random::<u64>());
    directory.write_private(name, &token)?;
    Ok(token)
}
