//! The client against servers and proxies on loopback.
#![allow(clippy::unwrap_used, reason = "functions of tests may fail loudly")]

mod network;
mod proxies;
mod redirects;
mod tls;

use std::time::Duration;

use http_client::{Error, Options, Pool, Request, Response};
use url::Url;
use world::registry::{Authority, Server};

/// Installs the crypto provider, which is the first thing every process does.
fn init() {
    // The second call in one process is refused, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A client of its own.
fn client(options: &Options) -> http_client::Client {
    init();
    Pool::new("test").client(options).unwrap()
}

async fn get(options: &Options, url: &str) -> Result<Response, Error> {
    let url = Url::parse(url).unwrap();
    client(options).send(Request::get(url).timeout(Duration::from_mins(1))).await
}

/// An open registry over TLS, and the authority behind it.
async fn tls_server(client_ca: Option<&Authority>) -> (Server, Authority) {
    use world::registry::{Options, Tls};
    let authority = Authority::new("server CA").unwrap();
    let mut tls = Tls::loopback(&authority).unwrap();
    tls.client_ca = client_ca.map(|it| it.pem().to_owned());
    let server = Server::with(Options { tls: Some(tls), ..Options::default() }).await.unwrap();
    (server, authority)
}
