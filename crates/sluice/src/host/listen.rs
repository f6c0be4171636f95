//! Sockets, plain or with TLS, that serve a router until they are told to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::Router;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Binds `address`; with port 0 `preferred` is tried first, so that a restart keeps its port.
pub(crate) async fn bind(address: SocketAddr, preferred: Option<u16>) -> Result<TcpListener> {
    if address.port() == 0
        && let Some(port) = preferred
        && let Ok(listener) = TcpListener::bind((address.ip(), port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Serves `router` until `stop`.
pub(crate) async fn plain(listener: TcpListener, router: Router, stop: CancellationToken) {
    // Serving ends by the signal only; single connections fail on their own.
    let _ = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
}

/// Serves `router` over TLS until `stop`.
pub(crate) async fn tls(
    listener: TcpListener,
    config: ServerConfig,
    router: Router,
    stop: CancellationToken,
) {
    let listener = TlsListener::new(listener, TlsAcceptor::from(Arc::new(config)));
    // Serving ends by the signal only; single connections fail on their own.
    let _ = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
}

/// Hands out connections that have shaken hands; a slow or wrong one delays no other.
struct TlsListener {
    address: Option<SocketAddr>,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    _accepting: JoinSet<()>,
}

impl TlsListener {
    fn new(mut listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        let (sender, ready) = mpsc::channel(64);
        let address = listener.local_addr().ok();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut handshakes = JoinSet::new();
            loop {
                let (stream, peer) = axum::serve::Listener::accept(&mut listener).await;
                while handshakes.try_join_next().is_some() {}
                handshakes.spawn(shake(acceptor.clone(), stream, peer, sender.clone()));
            }
        });
        Self { address, ready, _accepting: accepting }
    }
}

async fn shake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let _ = stream.set_nodelay(true);
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        // The receiver is gone only when the server is.
        let _ = ready.send((stream, peer)).await;
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.address.ok_or_else(|| io::Error::other("the listener has no address"))
    }
}
