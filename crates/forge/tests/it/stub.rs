//! A forge that follows a script: each request must be the next one in it, to the letter.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use cloud::{CacheOptions, Clock};
use forge::{Access, Caller, Forge, InvolvedObject, Kind, Login, Repository};
use http_client::{Options, Pool, Proxy};
use jiff::Timestamp;
use serde_json::Value;

/// 2026-11-21T10:00:00Z.
pub(crate) const NOW: i64 = 1_795_255_200;

/// A request that is expected, and what is answered.
pub(crate) struct Step {
    line: String,
    body: Option<Value>,
    status: u16,
    headers: Vec<(&'static str, String)>,
    answer: String,
    /// The connection breaks after the request was taken.
    lost: bool,
}

/// `line` is method, path and query after the root of the API.
pub(crate) fn on(line: &str) -> Step {
    let (line, headers) = (line.to_owned(), Vec::new());
    Step { line, body: None, status: 200, headers, answer: String::new(), lost: false }
}

impl Step {
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn answer(mut self, status: u16, answer: Value) -> Self {
        (self.status, self.answer) = (status, answer.to_string());
        self
    }

    pub(crate) fn lose(mut self) -> Self {
        self.lost = true;
        self
    }
}

/// A forge on loopback.
pub(crate) struct Stub {
    script: Arc<Mutex<VecDeque<Step>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    pub(crate) forge: Forge,
    repository: Repository,
    login: Login,
    http: Options,
    caller: Caller<'static>,
}

impl Stub {
    /// `root` is the path of the API; `token` the header with the token and what it says.
    pub(crate) async fn start(
        kind: Kind,
        root: &'static str,
        token: (&'static str, &'static str),
        steps: Vec<Step>,
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let script = Arc::new(Mutex::new(VecDeque::from(steps)));
        let wrong: Arc<Mutex<Vec<String>>> = Arc::default();
        let (steps, faults) = (Arc::clone(&script), Arc::clone(&wrong));
        let router = Router::new().fallback(move |request: Request| {
            let (steps, faults) = (Arc::clone(&steps), Arc::clone(&faults));
            async move { serve(request, root, token, (&steps, &faults)).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let api = format!("http://{address}{root}");
        let clock: Clock = Arc::new(|| Timestamp::from_second(NOW).unwrap());
        let object = InvolvedObject {
            kind: "Promotion",
            name: "p",
            namespace: "ns",
            operation: "reconcile",
        };
        Self {
            script,
            wrong,
            forge: Forge::new(Pool::new("test"), clock, CacheOptions::default()),
            repository: Repository::new(kind, "https://h/o/r.git", Some(&api)).unwrap(),
            login: Login::Token("secret-token".to_owned()),
            http: Options { proxy: Proxy::Direct, ..Options::default() },
            caller: Caller { tenant: "ns", object },
        }
    }

    pub(crate) fn access(&self) -> Access<'_> {
        Access {
            repository: &self.repository,
            login: &self.login,
            caller: &self.caller,
            http: &self.http,
            timeout: std::time::Duration::from_secs(30),
        }
    }

    /// Everything was asked, and nothing else.
    pub(crate) fn done(&self) {
        assert_eq!(*self.wrong.lock().unwrap(), Vec::<String>::new());
        let left: Vec<String> =
            self.script.lock().unwrap().iter().map(|it| it.line.clone()).collect();
        assert_eq!(left, Vec::<String>::new(), "not asked");
    }
}

async fn serve(
    request: Request,
    root: &str,
    (header, token): (&str, &str),
    (steps, faults): (&Mutex<VecDeque<Step>>, &Mutex<Vec<String>>),
) -> Response {
    let headers = request.headers().clone();
    let text = |name: &str| headers.get(name).map_or("", |it| it.to_str().unwrap()).to_owned();
    let sent = (text(header), text("content-type"));
    let uri = request.uri().to_string();
    let line = format!("{} {}", request.method(), uri.strip_prefix(root).unwrap_or(&uri));
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let step = steps.lock().unwrap().pop_front();
    let fault = |text: String| faults.lock().unwrap().push(text);
    let Some(step) = step else {
        fault(format!("not expected: {line} {body:?}"));
        return Response::builder().status(418).body(Body::empty()).unwrap();
    };
    if line != step.line || body != step.body {
        fault(format!("want {} {:?}\n got {line} {body:?}", step.line, step.body));
    }
    if sent.0 != token || (step.body.is_some() && sent.1 != "application/json") {
        fault(format!("{line}: headers {sent:?}"));
    }
    let mut response = Response::builder().status(step.status);
    for (name, value) in &step.headers {
        response = response.header(*name, value);
    }
    if step.lost {
        // Promises more than it sends.
        let pieces = futures::stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
        return response.body(Body::from_stream(pieces)).unwrap();
    }
    response.body(Body::from(step.answer)).unwrap()
}
