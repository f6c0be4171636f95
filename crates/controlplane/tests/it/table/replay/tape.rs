//! What passes the proxy, noted down.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::super::backend::Backend;
use super::{NAMESPACE, WORD, flux};

/// Headers that change an answer.
const HEADERS: [&str; 4] = ["accept", "content-type", "user-agent", "accept-encoding"];

/// What is recorded of the session that runs.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) text: String,
    /// By the value of a revision or uid: the request that answered it, and where.
    seen: HashMap<String, String>,
    /// How many requests the session has.
    count: usize,
}

impl Tape {
    /// Notes a request and the events of its answer, if it is a watch.
    fn note(&mut self, request: &http::request::Parts, body: &[u8], events: Option<usize>) {
        let path = request.uri.path_and_query().map_or("", |it| it.as_str());
        let line = match events {
            Some(0) => return,
            Some(_) => format!("WATCH 1 {path}"),
            None => format!("{} {path}", request.method),
        };
        self.count += 1;
        let _ = writeln!(self.text, "{}", self.blanked(&line));
        for name in HEADERS {
            if let Some(value) = request.headers.get(name).and_then(|it| it.to_str().ok()) {
                let _ = writeln!(self.text, "{}: {value}", title(name));
            }
        }
        match std::str::from_utf8(body) {
            Ok("") => {}
            Ok(text) if !text.contains('\0') => {
                let text = text.trim_end();
                let one = serde_json::from_str::<Value>(text)
                    .map_or(text.to_owned(), |it| it.to_string());
                let _ = writeln!(self.text, "{}", self.blanked(&one));
            }
            _ => {
                let text = base64::engine::general_purpose::STANDARD.encode(body);
                let _ = writeln!(self.text, "Encoded: base64\n{text}");
            }
        }
    }

    /// The text with what differs from run to run replaced by where it comes from.
    fn blanked(&self, text: &str) -> String {
        let mut text = text.replace(NAMESPACE, "$NS").replace(WORD, "$ID");
        for (value, place) in &self.seen {
            let filled = format!("${{{place}}}");
            if value.contains('-') {
                text = text.replace(value, &filled);
            } else {
                for (before, after) in [("\"resourceVersion\":\"", "\""), ("resourceVersion=", "&")]
                {
                    let found = format!("{before}{value}{after}");
                    text = text.replace(&found, &format!("{before}{filled}{after}"));
                }
                if let Some(start) = text.strip_suffix(&format!("resourceVersion={value}")) {
                    text = format!("{start}resourceVersion={filled}");
                }
            }
        }
        text
    }

    /// Remembers revisions and uids of an answer.
    fn learn(&mut self, body: &Value) {
        let number = self.count;
        for key in ["resourceVersion", "uid"] {
            if let Some(value) = body["metadata"][key].as_str().filter(|it| !it.is_empty()) {
                self.seen.insert(value.to_owned(), format!("{number}:/metadata/{key}"));
            }
        }
        for (at, item) in body["items"].as_array().into_iter().flatten().enumerate() {
            for key in ["resourceVersion", "uid"] {
                if let Some(value) = item["metadata"][key].as_str() {
                    let place = format!("{number}:/items/{at}/metadata/{key}");
                    self.seen.insert(value.to_owned(), place);
                }
            }
        }
    }
}

fn title(name: &str) -> String {
    let words = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join("-")
}

#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) backend: Arc<Backend>,
    pub(super) tape: Arc<Mutex<Tape>>,
}

/// Passes a request on and notes it.
pub(super) async fn pass(State(recorder): State<Recorder>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut onward = Request::builder().method(parts.method.clone()).uri(parts.uri.clone());
    for name in HEADERS {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let (code, headers, stream) = recorder.backend.open(onward.body(body.clone()).unwrap()).await;
    let path = parts.uri.path();
    let about_server = ["/openapi", "/version"].iter().any(|it| path.starts_with(it))
        || matches!(path, "/api" | "/apis")
        || (path.split('/').count() <= 4 && path.starts_with("/api"));
    let is_watch =
        parts.uri.query().is_some_and(|it| it.contains("watch=true") || it.contains("watch=1"));
    let answer = if is_watch {
        // How much of it the client reads is its own affair; that it saw an event is assumed.
        recorder.tape.lock().unwrap().note(&parts, &body, Some(1));
        Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>))
    } else {
        let pieces: Vec<Bytes> = stream.collect().await;
        let whole = pieces.concat();
        if !about_server || path == "/api/v1/namespaces" {
            let mut tape = recorder.tape.lock().unwrap();
            tape.note(&parts, &body, None);
            tape.learn(&serde_json::from_slice(&whole).unwrap_or_default());
        }
        if (200..300).contains(&code) {
            play(&recorder, &parts, &whole).await;
        }
        Body::from(whole)
    };
    let mut response = Response::new(answer);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    for name in ["content-type", "content-encoding", "warning"] {
        for value in headers.get_all(name) {
            response.headers_mut().append(http::HeaderName::from_static(name), value.clone());
        }
    }
    response
}

/// Does what the controllers of flux do upon a change, so that whoever waits for them can go on.
async fn play(recorder: &Recorder, parts: &http::request::Parts, answer: &[u8]) {
    let path = parts.uri.path();
    let dry = parts.uri.query().is_some_and(|it| it.contains("dryRun"));
    if dry
        || !path.contains(".fluxcd.io/")
        || !matches!(parts.method.as_str(), "POST" | "PUT" | "PATCH")
    {
        return;
    }
    // Whoever patches may ask for metadata only.
    let object: Value = if parts.method == "POST" {
        serde_json::from_slice(answer).unwrap()
    } else {
        let whole = Request::get(path).header("accept", "application/json");
        let reply = recorder.backend.send(whole.body(Bytes::new()).unwrap()).await;
        serde_json::from_slice(&reply.body).unwrap()
    };
    for (verb, path, body) in flux::reactions(&object) {
        let media =
            if verb == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(verb).uri(&path).header("content-type", media);
        let body = Bytes::from(body.to_string());
        let request = request.header("user-agent", "controller").body(body.clone()).unwrap();
        let noted = request.map(|_| ()).into_parts().0;
        let request = Request::from_parts(noted.clone(), body.clone());
        let reply = recorder.backend.send(request).await;
        println!("  {verb} {path}: {}", reply.code);
        let mut tape = recorder.tape.lock().unwrap();
        tape.note(&noted, &body, None);
        tape.learn(&serde_json::from_slice(&reply.body).unwrap_or_default());
    }
}
