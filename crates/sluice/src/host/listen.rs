//! Sockets, plain or with TLS, that serve a router until they are told to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    middleware,
    serve::IncomingStream,
};
use controlplane::ClientCertificate;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::client_authority::ClientAuthority;

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

/// Serves `router` over TLS until `stop`; requests of clients that showed a certificate carry it.
pub(crate) async fn tls(
    listener: TcpListener,
    (config, clients): (ServerConfig, ClientAuthority),
    router: Router,
    stop: CancellationToken,
) {
    let listener = TlsListener::new(listener, (TlsAcceptor::from(Arc::new(config)), clients));
    let service = router
        .layer(middleware::map_request(with_certificate))
        .into_make_service_with_connect_info::<Peer>();
    // Serving ends by the signal only; single connections fail on their own.
    let _ = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
}

/// The certificate that the other end of a connection showed.
#[derive(Debug, Clone)]
struct Peer(Option<ClientCertificate>);

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Puts the certificate of the connection where the control plane looks for it.
async fn with_certificate(mut request: Request) -> Request {
    let peer = request.extensions_mut().remove::<ConnectInfo<Peer>>();
    if let Some(certificate) = peer.and_then(|ConnectInfo(Peer(shown))| shown) {
        request.extensions_mut().insert(certificate);
    }
    request
}

/// Hands out connections that have shaken hands; a slow or wrong one delays no other.
struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Peer)>,
    _accepting: JoinSet<()>,
}

impl TlsListener {
    fn new(mut listener: TcpListener, (acceptor, clients): (TlsAcceptor, ClientAuthority)) -> Self {
        let (sender, ready) = mpsc::channel(64);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut handshakes = JoinSet::new();
            loop {
                let (stream, _) = axum::serve::Listener::accept(&mut listener).await;
                while handshakes.try_join_next().is_some() {}
                let server = (acceptor.clone(), clients.clone());
                handshakes.spawn(shake(server, stream, sender.clone()));
            }
        });
        Self { ready, _accepting: accepting }
    }
}

async fn shake(
    (acceptor, clients): (TlsAcceptor, ClientAuthority),
    stream: TcpStream,
    ready: mpsc::Sender<(TlsStream<TcpStream>, Peer)>,
) {
    let _ = stream.set_nodelay(true);
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = Peer(clients.judge(shown));
        // The receiver is gone only when the server is.
        let _ = ready.send((stream, peer)).await;
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Peer(None))
    }
}
