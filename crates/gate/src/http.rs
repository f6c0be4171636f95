//! Servers that agree or do not: anything from a script to a change ticket.

use std::time::Duration;

use expression::Expression;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method};
use http_client::{Client, Guard, Request, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use crate::answer::{Answer, Before, State};
use crate::measure::{Measured, Rule, after};

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// The header by which a server knows a request that it had before.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Where it is kept that the first request was sent.
const SENT: &str = "sent";

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The address.
    pub url: String,
    /// The method.
    pub method: Method,
    /// Headers, those of the credentials among them.
    pub headers: HeaderMap,
    /// JSON to send.
    pub body: Option<Value>,
}

/// A server and what it must say.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What it is asked again and again.
    pub request: Ask,
    /// What it is sent once before, with an idempotency key.
    pub once: Option<Ask>,
    /// CEL over `status`, `headers` and `json` that lets the promotion through; a status of 2xx
    /// without one.
    pub success_if: Option<String>,
    /// CEL that ends it.
    pub fail_if: Option<String>,
    /// Time between two requests.
    pub interval: Duration,
    /// How often it may not answer.
    pub error_limit: u32,
}

/// What a question goes with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The connections; made with the same guard.
    pub client: &'a Client,
    /// Where requests may go.
    pub guard: &'a Guard,
    /// What tells this gate of this promotion from all others: its uid and the gate's name.
    pub key: &'a str,
    /// The time for each request.
    pub timeout: Duration,
    /// The time.
    pub now: Timestamp,
}

/// Asks once: the first request if it was not sent yet, else the other one.
pub async fn ask(gate: &Gate, before: &Before, it: &Context<'_>) -> Answer {
    let limits = Rule {
        count: u32::MAX,
        failure_limit: 0,
        error_limit: gate.error_limit,
        interval: gate.interval,
    };
    let unknown = |why: String, wait| limits.count(&Measured::Unknown(why, wait), before, it.now);
    if let Some(once) = gate.once.as_ref().filter(|_| !before.evidence.contains_key(SENT)) {
        return match send(once, Some(it.key), it).await {
            Ok(answer) if answer.status.is_success() => {
                let next = after(it.now, gate.interval);
                let message = format!("asked {}; waiting for its answer", host(&once.url));
                Answer::new(State::Pending, message, before).at(next).with(SENT, &it.now)
            }
            Ok(answer) => unknown(told(&answer), wait(&answer, it)),
            Err(why) => unknown(why, None),
        };
    }
    let answer = match send(&gate.request, None, it).await {
        Ok(answer) => answer,
        Err(why) => return unknown(why, None),
    };
    match judge(gate, &answer) {
        Ok(State::Pending) => {
            let pause = wait(&answer, it).unwrap_or(gate.interval);
            let message =
                format!("{} does not agree yet: {}", host(&gate.request.url), told(&answer));
            let next = after(it.now, pause);
            Answer::new(State::Pending, message, before)
                .at(next)
                .with("status", &answer.status.as_u16())
        }
        Ok(state) => {
            let verb = if state == State::Passed { "agrees" } else { "disagrees" };
            let message = format!("{} {verb}: {}", host(&gate.request.url), told(&answer));
            Answer::new(state, message, before).with("status", &answer.status.as_u16())
        }
        Err(why) => unknown(why, wait(&answer, it)),
    }
}

fn judge(gate: &Gate, answer: &Response) -> Result<State, String> {
    let context = variables(answer);
    if let Some(text) = &gate.fail_if
        && holds(text, &context)?
    {
        return Ok(State::Failed);
    }
    let passed = match &gate.success_if {
        Some(text) => holds(text, &context)?,
        None if answer.status.is_server_error() || answer.status.as_u16() == 429 => {
            return Err(told(answer));
        }
        None => answer.status.is_success(),
    };
    Ok(if passed { State::Passed } else { State::Pending })
}

/// Whether an expression holds.
pub(crate) fn holds(text: &str, variables: &Map<String, Value>) -> Result<bool, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    expression.is_true(variables).map_err(|error| error.to_string())
}

fn variables(answer: &Response) -> Map<String, Value> {
    let headers: Map<String, Value> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), json!(value.to_str().ok()?))))
        .collect();
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut variables = Map::new();
    variables.insert("status".to_owned(), json!(answer.status.as_u16()));
    variables.insert("headers".to_owned(), Value::Object(headers));
    variables.insert("json".to_owned(), body);
    variables
}

pub(crate) async fn send(
    ask: &Ask,
    key: Option<&str>,
    it: &Context<'_>,
) -> Result<Response, String> {
    let url = Url::parse(&ask.url).map_err(|error| format!("the address is no URL: {error}"))?;
    it.guard.check(&url).await.map_err(|error| error.to_string())?;
    let mut request = Request::new(ask.method.clone(), url).timeout(it.timeout).limit(MAX_ANSWER);
    request.headers = ask.headers.clone();
    if let Some(body) = &ask.body {
        request = request.header(CONTENT_TYPE, "application/json");
        request.body = body.to_string().into();
    }
    if let Some(key) = key {
        request = request.header(IDEMPOTENCY_KEY, key);
    }
    it.client.send(request).await.map_err(|error| error.to_string())
}

pub(crate) fn wait(answer: &Response, it: &Context<'_>) -> Option<Duration> {
    http_client::retry_after(&answer.headers, it.now)
}

fn told(answer: &Response) -> String {
    format!("status {}", answer.status)
}

pub(crate) fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|it| it.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "the server".to_owned())
}
