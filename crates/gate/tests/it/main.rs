//! Servers and a real Prometheus, on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "functions of tests may fail loudly, and say what is skipped"
)]

mod metric;
mod server;

use std::time::Duration;

use axum::Router;
use gate::{Before, http::Context};
use http_client::{Client, Guard, Options, Pool};
use jiff::Timestamp;

/// 2026-11-21T10:00:00Z.
const NOW: i64 = 1_795_255_200;

/// Serves `router` on a port of its own, and returns the address.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

fn guarded(guard: &Guard) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Pool::new("test").guarded(&Options::default(), guard).unwrap()
}

fn context<'a>(client: &'a Client, guard: &'a Guard) -> Context<'a> {
    let now = Timestamp::from_second(NOW).unwrap();
    Context { client, guard, key: "uid/ticket", timeout: Duration::from_secs(30), now }
}

fn kept(answer: gate::Answer) -> Before {
    Before { attempt: answer.attempt, evidence: answer.evidence }
}
