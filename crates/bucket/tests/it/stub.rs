//! A server that answers by rule and remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use url::{Url, form_urlencoded};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// Method, path and query in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The parameters of the URL.
    pub(crate) fn query(&self) -> BTreeMap<String, String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The fields of a form.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        assert_eq!(self.header("content-type"), "application/x-www-form-urlencoded");
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// A running stub.
pub(crate) struct Stub {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Starts a server that answers `rule(request)`: status and body. Each answer has an etag.
    pub(crate) async fn start(
        rule: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        // The second call in one process is refused, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, rule) = (Arc::clone(&asked), Arc::new(rule));
        let router = Router::new().fallback(move |request: Request| {
            let (log, rule) = (Arc::clone(&log), Arc::clone(&rule));
            async move {
                let (parts, body) = request.into_parts();
                let it = Asked {
                    method: parts.method.to_string(),
                    target: parts.uri.to_string(),
                    headers: parts.headers,
                    body: to_bytes(body, 1 << 20).await.unwrap().to_vec(),
                };
                let (status, body) = rule(&it);
                log.lock().unwrap().push(it);
                Response::builder()
                    .status(status)
                    .header("etag", "\"e-1\"")
                    .header("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT")
                    .body(Body::from(body))
                    .unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, task }
    }

    /// Everything asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        self.url.as_str().trim_start_matches("http://").trim_end_matches('/').to_owned()
    }
}
