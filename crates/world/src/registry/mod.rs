//! A small OCI registry on loopback that answers as distribution v3 does.
//!
//! ```text
//!  client ──► listen (TCP, TLS) ──► fault ──► auth ──► route ──► Store
//!                                     └─ request log
//! ```
//!
//! The registry keeps everything in memory, and is true enough to the protocol for stock clients
//! to push and pull. Tests change its content through [`Store`], make it misbehave with [`Fault`]
//! and look at what was asked of it with [`Server::requests`].

mod auth;
mod fault;
mod reply;
mod route;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::listen::Listener;

pub use crate::tls::{Authority, Identity, Tls};
pub use auth::Auth;
pub use fault::{Fault, Misbehaviour, Request};
pub use store::{MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST, Store};

/// How the registry behaves; the default is an open one over plain HTTP, as distribution v3.
#[derive(Debug, Default)]
pub struct Options {
    /// Where to listen; a free port of 127.0.0.1 by default.
    pub listen: Option<SocketAddr>,
    /// Who may come in.
    pub auth: Auth,
    /// Speak TLS; plain HTTP without it.
    pub tls: Option<Tls>,
    /// How lists of tags are cut in pages.
    pub paging: Paging,
    /// Send an `ETag` with lists of tags and honour `If-None-Match`.
    pub etags: bool,
}

/// How lists of tags are cut in pages.
#[derive(Debug, Clone)]
pub struct Paging {
    /// The most tags of one page, and the size of a page when the client asks for none.
    pub cap: usize,
    /// Answer a larger wish with 400 `PAGINATION_NUMBER_INVALID` (distribution) rather than with
    /// a smaller page (most others).
    pub refuse_larger: bool,
    /// How the next page is named.
    pub link: Link,
}

impl Default for Paging {
    /// What distribution v3 does.
    fn default() -> Self {
        Self { cap: 1000, refuse_larger: true, link: Link::Relative }
    }
}

/// How the `Link` header names the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// By path and query.
    Relative,
    /// With the scheme and host the client used.
    Absolute,
    /// At another place, which a client must not trust, as `http://host:port`.
    Elsewhere(String),
}

/// What all parts of a running registry share.
#[derive(Debug)]
struct Shared {
    store: Store,
    options: Options,
    address: SocketAddr,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<Request>>,
    tokens: Mutex<auth::Tokens>,
}

/// A running registry; dropping it closes the port and all connections.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    _listener: Listener,
}

impl Server {
    /// Starts an open registry over plain HTTP on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> std::io::Result<Self> {
        Self::with(Options::default()).await
    }

    /// Starts a registry that behaves as `options` say.
    ///
    /// # Errors
    /// When no port can be bound or the TLS material is unusable.
    pub async fn with(mut options: Options) -> std::io::Result<Self> {
        let acceptor = options.tls.take().map(|tls| tls.acceptor()).transpose()?;
        let socket = tokio::net::TcpListener::bind(
            options.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        )
        .await?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared {
            store: Store::default(),
            options,
            address,
            faults: Mutex::default(),
            log: Mutex::default(),
            tokens: Mutex::default(),
        });
        let router = route::router(Arc::clone(&shared), acceptor.is_some());
        let listener = Listener::start(socket, router, acceptor)?;
        Ok(Self { shared, _listener: listener })
    }

    /// The registry part of an image name: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    /// The full name of a repository, as for `spec.image`.
    pub fn image(&self, repository: &str) -> String {
        format!("{}/{repository}", self.host())
    }

    /// The content; cheap to clone, and usable after the server is gone.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// [`Store::publish`].
    pub fn publish(&self, repository: &str, tag: &str) -> String {
        self.shared.store.publish(repository, tag)
    }

    /// [`Store::retag`].
    pub fn retag(&self, repository: &str, from: &str, to: &str) -> Option<String> {
        self.shared.store.retag(repository, from, to)
    }

    /// [`Store::delete`].
    pub fn delete(&self, repository: &str, tag: &str) -> bool {
        self.shared.store.delete(repository, tag)
    }

    /// Misbehaves as told from the next matching request on.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.lock().push(fault);
    }

    /// Behaves well again.
    pub fn heal(&self) {
        self.shared.faults.lock().clear();
    }

    /// Forgets the tokens given out, as if they had expired.
    pub fn revoke_tokens(&self) {
        self.shared.tokens.lock().clear();
    }

    /// Everything that was asked so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().clone()
    }

    /// How many requests had `part` in their path or query.
    pub fn count(&self, part: &str) -> usize {
        self.shared.log.lock().iter().filter(|it| it.target.contains(part)).count()
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        self.shared.log.lock().clear();
    }
}
