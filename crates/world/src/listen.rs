//! A listener on loopback that serves a router, over TLS if wanted, until it is dropped.

use std::net::SocketAddr;

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, sync::DropGuard, task::TaskTracker};

#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Listener {
    /// Serves `app` on a bound socket until this is stopped or dropped.
    pub(crate) fn start(
        socket: TcpListener,
        app: Router,
        tls: Option<TlsAcceptor>,
    ) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        tasks.spawn(accept(socket, app, tls, tasks.clone(), stop.clone()));
        Ok(Self { address, tasks, stop: stop.drop_guard() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(
    socket: TcpListener,
    app: Router,
    tls: Option<TlsAcceptor>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        // Out of descriptors or a peer that left already: neither ends the server.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let one = connection(stream, app.clone(), tls.clone());
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! { () = stop.cancelled() => {}, () = one => {} }
        });
    }
}

async fn connection(stream: TcpStream, app: Router, tls: Option<TlsAcceptor>) {
    match tls {
        None => speak(stream, app).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                speak(stream, app).await;
            }
        }
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router) {
    // A peer that goes away in the middle is its own business.
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .await;
}
