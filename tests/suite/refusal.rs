//! Git providers that answer late, twice or not at all, between the controllers and a real Gitea.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use serde_json::Value;
use world::gitea::Server;

/// What becomes of the next request of this method whose path has this part.
pub(crate) struct Fault {
    method: &'static str,
    part: &'static str,
    status: u16,
    /// Whether it is done all the same.
    done: bool,
}

impl Fault {
    pub(crate) fn new(method: &'static str, part: &'static str, status: u16) -> Self {
        Self { method, part, status, done: false }
    }

    /// It is done, and only the answer is wrong.
    pub(crate) fn but_done(self) -> Self {
        Self { done: true, ..self }
    }
}

/// The API of a Gitea, with faults.
pub(crate) struct Between {
    faults: Arc<Mutex<Vec<Fault>>>,
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = (Arc<Server>, Arc<Mutex<Vec<Fault>>>);

impl Between {
    pub(crate) async fn start(gitea: Arc<Server>) -> Result<Self> {
        let faults: Arc<Mutex<Vec<Fault>>> = Arc::default();
        let router = Router::new().fallback(answer).with_state((gitea, Arc::clone(&faults)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/api/v1", listener.local_addr()?);
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { faults, url, task })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// How many faults nobody ran into yet.
    pub(crate) fn left(&self) -> usize {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn answer(State((gitea, faults)): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let path = target.trim_start_matches("/api/v1/").to_owned();
    let fault = {
        let mut all = faults.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = all.iter().position(|it| parts.method == it.method && path.contains(it.part));
        hit.map(|at| all.remove(at))
    };
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body: Option<Value> = serde_json::from_slice(&bytes).ok();
    let respond = |status: u16, text: String| {
        let builder = Response::builder().status(status).header("content-type", "application/json");
        // What is asked too much says when to come back.
        let builder = if status == 429 { builder.header("retry-after", "1") } else { builder };
        builder.body(Body::from(text)).unwrap_or_default()
    };
    let refusal = |status: u16| respond(status, "{\"message\": \"not now\"}".to_owned());
    match &fault {
        Some(fault) if !fault.done => return refusal(fault.status),
        Some(_) | None => {}
    }
    let done = gitea.ask(parts.method.as_str(), &path, body.as_ref()).await;
    match (fault, done) {
        (Some(fault), _) => refusal(fault.status),
        (None, Ok(value)) => respond(200, value.to_string()),
        (None, Err(why)) => {
            // The text names the address, the status and what Gitea says.
            let text = why.to_string();
            let status = text.split(": ").nth(1).and_then(|it| it.get(..3)?.parse().ok());
            refusal(status.unwrap_or(502))
        }
    }
}
