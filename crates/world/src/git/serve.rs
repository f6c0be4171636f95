//! A listener on loopback that serves a router, over TLS if wanted, until it is dropped.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, sync::DropGuard, task::TaskTracker};

#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Listener {
    pub(super) async fn start(port: u16, app: Router, tls: Option<ServerConfig>) -> Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let address = socket.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tasks.spawn(accept(socket, app, acceptor, tasks.clone(), stop.clone()));
        Ok(Self { address, tasks, stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn stop(self) {
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
