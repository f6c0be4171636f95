//! A Git server over HTTP: `git http-backend` behind a listener on loopback.
//!
//! ```text
//! client ── http(s) ──> serve ──> gate (credentials, counts, faults) ──> backend ──> git http-backend
//!                                                                                        │
//! test or demo ───────────────> Repository (commit, log, diff, ...) ── git ───────> bare repositories
//! ```
//!
//! The other end of a [`Repository`] is the real `git` program, never code of ours, so what it says
//! of a commit is independent evidence.

mod backend;
mod gate;
mod large;
mod repository;
#[cfg(test)]
mod tests;
mod tls;

pub use gate::{Counts, Fault};
pub use repository::{Content, LogEntry, Repository};
pub use tls::{ClientIdentity, Tls};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::listen::Listener;

/// How a [`Server`] is to behave; the default is open to everyone over plain HTTP.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the bare repositories live; a temporary folder that goes with the server when unset.
    pub dir: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// User and password that every request must carry.
    pub basic: Option<(String, String)>,
    /// The bearer token that every request must carry.
    pub bearer: Option<String>,
    /// Serves HTTPS under an authority made for this server.
    pub tls: Option<Tls>,
    /// Answers every request with a redirect to the same path below this base URL.
    pub redirect: Option<String>,
}

/// A Git server on loopback; dropping it closes the listener, its connections and their processes.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    _scratch: Option<TempDir>,
    gate: Arc<gate::Gate>,
    listener: Listener,
    tls: Option<tls::Material>,
}

impl Server {
    /// Binds the port and starts to serve.
    ///
    /// # Errors
    /// The folder cannot be made, the port is taken or certificates cannot be issued.
    pub async fn start(options: Options) -> Result<Self> {
        let (dir, scratch) = if let Some(dir) = options.dir {
            (dir, None)
        } else {
            let scratch = tempfile::tempdir().context("no temporary folder")?;
            (scratch.path().to_owned(), Some(scratch))
        };
        let cannot = || format!("cannot make {}", dir.display());
        tokio::fs::create_dir_all(&dir).await.with_context(cannot)?;
        let dir = tokio::fs::canonicalize(&dir).await?;
        let tls = options.tls.map(tls::Material::issue).transpose()?;
        let gate = Arc::new(gate::Gate::new(options.basic, options.bearer, options.redirect));
        let app = backend::router(dir.clone(), Arc::clone(&gate));
        let acceptor = tls.as_ref().map(tls::Material::acceptor).transpose()?;
        let port = options.port;
        let socket = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let listener = Listener::start(socket, app, acceptor)?;
        Ok(Self { dir, _scratch: scratch, gate, listener, tls })
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listener.address())
    }

    /// The URL a client clones `name` from.
    pub fn repository_url(&self, name: &str) -> String {
        format!("{}/{}", self.url(), repository::folder_name(name))
    }

    /// The folder of the bare repositories.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The authority (PEM) that signed the server's certificate, when it serves HTTPS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// A client certificate that the server accepts, when it asks for one.
    pub fn client_identity(&self) -> Option<&ClientIdentity> {
        self.tls.as_ref().and_then(|tls| tls.client.as_ref())
    }

    /// Makes a bare repository whose branch `branch` has one commit `init` with `files`.
    ///
    /// # Errors
    /// The name leaves the folder, is taken, or git fails.
    pub async fn create<P, C>(
        &self,
        name: &str,
        branch: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Result<Repository>
    where
        P: Into<String>,
        C: Into<Content>,
    {
        let made = self.create_empty(name, branch).await?;
        made.commit(branch, files, "init").await?;
        Ok(made)
    }

    /// Makes a bare repository without any commit whose HEAD names `branch`.
    ///
    /// # Errors
    /// The name leaves the folder, is taken, or git fails.
    pub async fn create_empty(&self, name: &str, branch: &str) -> Result<Repository> {
        Repository::init(&self.dir, name, branch).await
    }

    /// A handle on a repository that exists already.
    ///
    /// # Errors
    /// There is no such repository.
    pub fn repository(&self, name: &str) -> Result<Repository> {
        Repository::open(&self.dir, name)
    }

    /// What was asked of the server since it started.
    pub fn counts(&self) -> Counts {
        self.gate.counts()
    }

    /// The push options of every push so far, oldest first.
    pub fn push_options(&self) -> Vec<Vec<String>> {
        self.gate.push_options()
    }

    /// Makes every request misbehave until it is told otherwise.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.gate.set_fault(fault);
    }

    /// Gives out `content` as the file of Git LFS whose SHA-256 is `oid`, whether it is or not.
    pub fn set_large(&self, oid: &str, content: impl Into<bytes::Bytes>) {
        self.gate.set_large(oid.to_owned(), content.into());
    }

    /// How many requests [`Fault::Hang`] has left without an answer.
    pub fn hanging(&self) -> usize {
        self.gate.hanging()
    }

    /// Breaks the next answer of git off after `bytes`, once git has done all its work.
    pub fn cut_next_answer(&self, bytes: usize) {
        self.gate.set_cut(bytes);
    }

    /// Replaces the bearer token that requests must carry.
    pub fn set_bearer(&self, token: Option<String>) {
        self.gate.set_bearer(token);
    }

    /// Runs `what` with the repository's name after a push was announced and before it is taken:
    /// the place where another writer wins the race.
    pub fn before_push(&self, what: impl Fn(&str) + Send + Sync + 'static) {
        self.gate.set_before_push(Arc::new(what));
    }

    /// Closes the listener and every connection, and waits until they are gone.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}
