//! The client against registries on loopback, simulated and real.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests may fail loudly and say what they skip"
)]

mod auth;
mod connection;
mod faults;
mod pull;
mod real;
mod scan;
mod statuses;

use std::sync::Arc;
use std::time::Duration;

use http_client::{Pool, Retry};
use jiff::Timestamp;
use registry::{Access, Client, Credential, Error, Listing, Options, Repository, Scan};
use world::registry::Server;

/// Options without pauses between attempts.
fn options() -> Options {
    // The second call in one process is refused, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let retry = Retry { first_pause: Duration::ZERO, ..Retry::default() };
    Options { retry, ..Options::new(Pool::new("test"), Arc::new(Timestamp::now)) }
}

fn client() -> Client {
    Client::new(options())
}

fn repository(server: &Server, path: &str) -> Repository {
    Repository::parse(&server.image(path), true).unwrap()
}

fn basic(username: &str, password: &str) -> Access {
    let credential = Credential::Basic { username: username.into(), password: password.into() };
    Access { credential: Arc::new(credential), ..Access::default() }
}

/// Far more time than anything here needs.
const SCAN: Scan<'static> = Scan { timeout: Duration::from_mins(2), previous: None };

async fn tags(
    client: &Client,
    repository: &Repository,
    access: &Access,
) -> Result<Vec<String>, Error> {
    match client.list_tags(repository, access, &SCAN).await? {
        Listing::Tags { tags, .. } => Ok(tags),
        Listing::Unchanged => panic!("unchanged, although there was nothing before"),
    }
}
