//! A web server with files, such as an index and charts.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};

use crate::artifact::sha256;

/// A request: its path and query, whether it was conditional, and with whose password it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) conditional: bool,
    pub(crate) authorization: Option<String>,
    pub(crate) status: u16,
}

#[derive(Default)]
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    /// The password that is wanted, as the header has it.
    authorization: Option<String>,
    log: Vec<Asked>,
}

/// A running server; it ends with this.
pub(crate) struct Web {
    content: Arc<Mutex<Content>>,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Web {
    pub(crate) async fn start() -> Result<Self> {
        let content = Arc::new(Mutex::new(Content::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&content));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { content, address, task })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.content().files.insert(path.to_owned(), bytes.into());
    }

    /// What is at a path.
    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.content().files.get(path).cloned()
    }

    /// From now on answers only those who send this header.
    pub(crate) fn want(&self, authorization: &str) {
        self.content().authorization = Some(authorization.to_owned());
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.content().log)
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().expect("no panic while it is held")
    }
}

async fn answer(State(content): State<Arc<Mutex<Content>>>, request: Request) -> Response {
    let mut content = content.lock().expect("no panic while it is held");
    let header =
        |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let (known, authorization) = (header("if-none-match"), header("authorization"));
    let denied = content.authorization.is_some() && content.authorization != authorization;
    let file = content.files.get(request.uri().path()).filter(|_| !denied);
    let etag = file.map(|it| format!("\"{}\"", sha256(it)));
    let (status, body) = match file {
        _ if denied => (401, Vec::new()),
        None => (404, Vec::new()),
        Some(_) if known == etag => (304, Vec::new()),
        Some(file) => (200, file.clone()),
    };
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    content.log.push(Asked { target, conditional: known.is_some(), authorization, status });
    let mut builder = Response::builder().status(status);
    if let Some(etag) = etag {
        builder = builder.header("etag", etag);
    }
    builder.body(Body::from(body)).unwrap_or_default()
}
