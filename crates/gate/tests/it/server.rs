use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use gate::http::{Ask, Gate, ask};
use gate::{Before, State};
use http::{HeaderMap, Method};
use http_client::Guard;
use serde_json::{Value, json};

use crate::{NOW, context, guarded, kept, serve};

fn gate(url: String) -> Gate {
    let request = Ask { url, method: Method::GET, headers: HeaderMap::new(), body: None };
    Gate {
        request,
        once: None,
        success_if: None,
        fail_if: None,
        interval: Duration::from_mins(1),
        error_limit: 1,
    }
}

/// Answers each request by its path: `/200/{"a":1}`.
async fn echo() -> String {
    serve(Router::new().fallback(|request: Request| async move {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let (status, body) = path.split_once('/').unwrap_or((&path, ""));
        let status = StatusCode::from_u16(status.parse().unwrap_or(404)).unwrap();
        let wait = if status == 429 { "30" } else { "" };
        (status, [("retry-after", wait)], body.to_owned())
    }))
    .await
}

#[tokio::test]
async fn expressions_decide() {
    let server = echo().await;
    let guard = Guard::default();
    let client = guarded(&guard);
    let cases = [
        ("200", None, None, State::Passed),
        ("404", None, None, State::Pending),
        ("200/1", Some("json == 2"), None, State::Pending),
        ("200/2", Some("json == 2 && status == 200"), None, State::Passed),
        ("404", Some("status == 404"), None, State::Passed),
        ("200/3", Some("json == 2"), Some("json > 2"), State::Failed),
        ("200", Some("'content-length' in headers"), Some("false"), State::Passed),
    ];
    for (path, success, fail, want) in cases {
        let gate = Gate {
            success_if: success.map(str::to_owned),
            fail_if: fail.map(str::to_owned),
            ..gate(format!("{server}/{path}"))
        };
        let answer = ask(&gate, &Before::default(), &context(&client, &guard)).await;
        assert_eq!(answer.state, want, "{path}: {}", answer.message);
        let next = answer.next_check.map(jiff::Timestamp::as_second);
        assert_eq!(next, (want == State::Pending).then_some(NOW + 60), "{path}");
    }
}

#[tokio::test]
async fn what_does_not_answer_is_an_error_in_the_end() {
    let server = echo().await;
    let guard = Guard::default();
    let client = guarded(&guard);
    for (path, success) in
        [("500", None), ("200", Some("json.none == 1")), ("200", Some("json ==")), ("429", None)]
    {
        let gate =
            Gate { success_if: success.map(str::to_owned), ..gate(format!("{server}/{path}")) };
        let first = ask(&gate, &Before::default(), &context(&client, &guard)).await;
        let wait = if path == "429" { 30 } else { 10 };
        assert_eq!(first.next_check.map(jiff::Timestamp::as_second), Some(NOW + wait), "{path}");
        let second = ask(&gate, &kept(first), &context(&client, &guard)).await;
        assert_eq!((second.state, second.attempt), (State::Error, 2), "{}", second.message);
    }
    let nobody = gate("http://127.0.0.1:1/".to_owned());
    let answer = ask(&nobody, &Before::default(), &context(&client, &guard)).await;
    assert!(answer.message.contains("connection refused"), "{}", answer.message);
}

#[tokio::test]
async fn a_ticket_is_opened_once_and_then_polled() {
    let seen: Arc<Mutex<Vec<(String, String, Value)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let server = serve(Router::new().fallback(move |request: Request| {
        let log = Arc::clone(&log);
        async move {
            let key = request.headers().get("idempotency-key").cloned();
            let key = key.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
            let line = format!("{} {}", request.method(), request.uri());
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let mut log = log.lock().unwrap();
            log.push((line, key, serde_json::from_slice(&body).unwrap_or_default()));
            // The first answer gets lost on the way.
            let status = if log.len() == 1 { 503 } else { 200 };
            (StatusCode::from_u16(status).unwrap(), json!({"done": log.len() > 3}).to_string())
        }
    }))
    .await;
    let once = Ask {
        url: format!("{server}/tickets"),
        method: Method::POST,
        headers: HeaderMap::new(),
        body: Some(json!({"stage": "prod"})),
    };
    let gate = Gate {
        once: Some(once),
        success_if: Some("json.done".to_owned()),
        ..gate(format!("{server}/tickets/1"))
    };
    let guard = Guard::default();
    let (client, mut before) = (guarded(&guard), Before::default());
    let mut states = Vec::new();
    for _ in 0..4 {
        let answer = ask(&gate, &before, &context(&client, &guard)).await;
        states.push(answer.state);
        before = kept(answer);
    }
    assert_eq!(states, [State::Pending, State::Pending, State::Pending, State::Passed]);
    let post = || ("POST /tickets".to_owned(), "uid/ticket".to_owned(), json!({"stage": "prod"}));
    let get = || ("GET /tickets/1".to_owned(), String::new(), Value::Null);
    assert_eq!(*seen.lock().unwrap(), [post(), post(), get(), get()]);
}

#[tokio::test]
async fn requests_stay_where_they_may_go() {
    let guard = Guard::new([], ["127.0.0.1:6443"]);
    let client = guarded(&guard);
    let metadata = "http://169.254.169.254/latest/meta-data";
    let server = serve(Router::new().fallback(move |request: Request| async move {
        match request.uri().path() {
            "/metadata" => Redirect::temporary(metadata).into_response(),
            "/api" => Redirect::temporary("https://127.0.0.1:6443/").into_response(),
            _ => StatusCode::OK.into_response(),
        }
    }))
    .await;
    let message = async |url: String| {
        let answer = ask(&gate(url), &Before::default(), &context(&client, &guard)).await;
        (answer.state == State::Passed, answer.message)
    };
    assert!(message(format!("{server}/")).await.0);
    for url in [
        metadata.to_owned(),
        "https://127.0.0.1:6443/".to_owned(),
        "https://kubernetes.default.svc/api".to_owned(),
        format!("{server}/metadata"),
        format!("{server}/api"),
    ] {
        let (passed, text) = message(url.clone()).await;
        assert!(!passed && text.contains("refusing to ask"), "{url}: {text}");
    }
}
