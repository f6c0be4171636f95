//! A router of somebody else's on a free port of loopback, over TLS.

use std::io;

use axum::Router;
use tokio::net::TcpListener;

use crate::{listen::Listener, tls::Tls};

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Server(Listener);

impl Server {
    /// Serves `app` over TLS.
    ///
    /// # Errors
    /// When no port can be bound, or the identity cannot be used.
    pub async fn start(app: Router, tls: &Tls) -> io::Result<Self> {
        let socket = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self(Listener::start(socket, app, Some(tls.acceptor()?))?))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{}", self.0.address())
    }
}
