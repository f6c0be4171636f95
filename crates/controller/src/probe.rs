//! What is asked of the process itself: health and metrics, answered on a thread of their own.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::Metrics;
pub use crate::pprof::pprof;

/// `/healthz` and `/readyz`: the process answers.
pub fn health() -> Router {
    let ok = || async { "ok" };
    Router::new().route("/healthz", get(ok)).route("/readyz", get(ok))
}

/// `/metrics` in the Prometheus text format.
pub fn metrics(metrics: Metrics) -> Router {
    let answer = async move || -> Response {
        match metrics.text() {
            Ok(text) => {
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    };
    Router::new().route("/metrics", get(answer))
}

/// A thread with a runtime of its own, for what must answer while everything else is busy:
/// probes and the lease.
#[derive(Debug)]
pub struct Aside {
    handle: Handle,
    stop: CancellationToken,
}

impl Aside {
    /// Starts the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// When the operating system gives no thread or event queue.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || runtime.block_on(stopped))?;
        Ok(Self { handle, stop })
    }

    /// Where to spawn what shall run there.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Serves `router` on a bound socket until this is dropped.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking.
    pub fn serve(&self, listener: TcpListener, router: Router) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let _inside = self.handle.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.handle.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "probes are no longer served");
            }
        });
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn ask(listener: &std::net::SocketAddr, path: &str) -> String {
        let mut socket = TcpStream::connect(listener).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn probes_answer_although_nothing_else_runs() {
        // No runtime but the one aside: this thread blocks, as a long plan would.
        let aside = Aside::start("probes").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counted = Metrics::new(prometheus::Registry::new()).unwrap();
        counted.lead("toys-leader-election", true);
        aside.serve(listener, health().merge(metrics(counted))).unwrap();
        for path in ["/healthz", "/readyz"] {
            let answer = ask(&address, path);
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
        }
        let line = "leader_election_master_status{name=\"toys-leader-election\"} 1";
        assert!(ask(&address, "/metrics").contains(line));
        assert!(ask(&address, "/other").starts_with("HTTP/1.1 404"));
    }
}
