//! A server that answers by rule and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use url::{Url, form_urlencoded};

/// Status, body, and a challenge.
pub(crate) type Reply = (u16, String, Option<String>);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The fields of a form, in order.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), "application/x-www-form-urlencoded");
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// Fails unless the form has exactly these fields.
    pub(crate) fn check_form(&self, want: &[(&str, &str)]) {
        let want: Vec<_> =
            want.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut got = self.form();
        got.sort();
        assert_eq!(got, want);
    }

    /// Method and target in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// A running stub.
pub(crate) struct Stub {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Starts a server that answers `rule(request)`: status and body.
    pub(crate) async fn start(rule: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&asked);
        let rule = Arc::new(rule);
        let router = Router::new().fallback(move |request: Request| {
            let (log, rule) = (Arc::clone(&log), Arc::clone(&rule));
            async move {
                let (parts, body) = request.into_parts();
                let it = Asked {
                    method: parts.method.to_string(),
                    target: parts.uri.to_string(),
                    headers: parts.headers,
                    body: to_bytes(body, 1 << 20).await.unwrap(),
                };
                let (status, body, challenge) = rule(&it);
                log.lock().unwrap().push(it);
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status.try_into().unwrap();
                if let Some(challenge) = challenge {
                    let value = http::HeaderValue::from_str(&challenge).unwrap();
                    response.headers_mut().insert("www-authenticate", value);
                }
                response
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    /// Everything asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The one request so far.
    pub(crate) fn only(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.into_iter().next().unwrap()
    }
}
