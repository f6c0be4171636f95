//! Running one scenario on one server.

use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt as _;
use http::Request;
use serde_json::{Value, json};

use super::backend::{Backend, Reply};
use super::normal::Normal;
use super::scenario::{Scenario, Step};

/// How long something that must happen may take; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The normalised answers of a scenario.
pub(super) async fn run(backend: &Backend, scenario: &Scenario) -> Vec<Value> {
    let mut run =
        Run { backend, id: &scenario.id, raw: Vec::new(), normal: Normal::new(&scenario.id) };
    run.namespace(&scenario.steps).await;
    let mut answers = Vec::new();
    for step in &scenario.steps {
        let answer = run.step(step).await;
        answers.push(answer);
    }
    answers
}

/// A body that is no text, with the word of the run in place of the recorded one, of the same length.
fn renamed(body: &[u8], id: &str) -> Vec<u8> {
    let word = super::replay::WORD.as_bytes();
    let mut body = body.to_vec();
    let places = body.windows(word.len()).enumerate().filter(|(_, it)| *it == word);
    let places: Vec<usize> = places.map(|(at, _)| at).collect();
    for at in places {
        body[at..at + word.len()].copy_from_slice(id.as_bytes());
    }
    body
}

struct Run<'a> {
    backend: &'a Backend,
    id: &'a str,
    /// The bodies of the answers so far.
    raw: Vec<Value>,
    normal: Normal,
}

impl Run<'_> {
    /// Makes the namespace of the scenario, if it uses one.
    async fn namespace(&self, steps: &[Step]) {
        if !steps.iter().any(|step| step.line.contains("$NS") || step.body.contains("$NS")) {
            return;
        }
        let body = json!({"metadata": {"name": format!("ns-{}", self.id)}}).to_string();
        // A busy kube-apiserver may give up on a request that etcd is slow about.
        loop {
            let request =
                Request::post("/api/v1/namespaces").header("Content-Type", "application/json");
            let reply = self.backend.send(request.body(body.clone().into()).unwrap()).await;
            if matches!(reply.code, 201 | 409) {
                break;
            }
            assert!(reply.code >= 500, "{}: {:?}", self.id, reply.body);
        }
        // What kube-controller-manager puts into it must be there before anything is compared.
        let paths = ["serviceaccounts/default", "configmaps/kube-root-ca.crt"];
        let replayed = self.id.starts_with("zzrec");
        let alone = matches!(self.backend, Backend::Embedded { .. }) && !replayed;
        let made = if alone { 1 } else { 2 };
        for path in &paths[..made] {
            let path = format!("/api/v1/namespaces/ns-{}/{path}", self.id);
            self.poll(&path, |reply| reply.code == 200).await;
        }
    }

    async fn poll(&self, path: &str, holds: impl Fn(&Reply) -> bool) -> Reply {
        let started = Instant::now();
        loop {
            let reply = self.backend.send(Request::get(path).body(Bytes::new()).unwrap()).await;
            if holds(&reply) || started.elapsed() > PATIENCE {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn step(&mut self, step: &Step) -> Value {
        let line = self.fill(&step.line);
        let (verb, rest) = line.split_once(' ').unwrap();
        match verb {
            "WATCH" => self.watch(rest, step).await,
            "UNTIL" => self.until(rest).await,
            _ => self.request(verb, rest, step).await,
        }
    }

    async fn request(&mut self, verb: &str, path: &str, step: &Step) -> Value {
        let request = self.build(verb, path, step);
        let reply = self.backend.send(request).await;
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        self.raw.push(body);
        let pick = self.option(step, "Pick");
        self.normal.reply(&reply, pick.as_deref(), self.option(step, "Order").is_some())
    }

    fn option(&self, step: &Step, name: &str) -> Option<String> {
        step.headers.iter().find(|(key, _)| key == name).map(|(_, value)| self.fill(value))
    }

    fn build(&self, verb: &str, path: &str, step: &Step) -> Request<Bytes> {
        let mut request = Request::builder().method(verb).uri(path.replace(' ', "%20"));
        let given = |name: &str| step.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !given("User-Agent") {
            request = request.header("User-Agent", "scenario/1");
        }
        if !step.body.is_empty() && !given("Content-Type") {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &step.headers {
            if !["Pick", "Order", "Events", "Encoded"].contains(&name.as_str()) {
                request = request.header(name, self.fill(value));
            }
        }
        if step.headers.iter().any(|(name, _)| name == "Encoded") {
            let body = base64::engine::general_purpose::STANDARD.decode(&step.body).unwrap();
            return request.body(renamed(&body, self.id).into()).unwrap();
        }
        request.body(self.fill(&step.body).into()).unwrap()
    }

    /// `WATCH N PATH`: the first N events.
    async fn watch(&mut self, rest: &str, step: &Step) -> Value {
        let (number, path) = rest.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        let (code, headers, mut pieces) = self.backend.open(self.build("GET", path, step)).await;
        let mut text = Vec::new();
        let lines = |text: &[u8]| text.split(|byte| *byte == b'\n').count() - 1;
        let reading = async {
            while lines(&text) < number {
                let Some(piece) = pieces.next().await else { break };
                text.extend_from_slice(&piece);
            }
        };
        // A watch that does not tell what it should is an answer too.
        let _ = tokio::time::timeout(PATIENCE / 2, reading).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        let events: Vec<Value> = text
            .lines()
            .take(number)
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!(line)))
            .collect();
        self.raw.push(json!(events));
        let reply = Reply { code, headers, body: json!(events).to_string().into() };
        self.normal.reply(&reply, None, false)
    }

    /// `UNTIL CODE PATH [POINTER=VALUE]`: asks until the answer is so.
    async fn until(&mut self, rest: &str) -> Value {
        let mut words = rest.splitn(3, ' ');
        let code: u16 = words.next().unwrap().parse().unwrap();
        let path = words.next().unwrap();
        let wanted = words.next().and_then(|it| it.split_once('='));
        let body = |reply: &Reply| serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
        let reply = self
            .poll(path, |reply| {
                let value = wanted.map(|(at, value)| (body(reply).pointer(at).cloned(), value));
                let same = value.is_none_or(|(found, value)| match found {
                    Some(Value::String(text)) => text == value,
                    Some(found) => json!(found).to_string().as_str() == value,
                    None => value == "null",
                });
                reply.code == code && same
            })
            .await;
        self.raw.push(body(&reply));
        json!({"code": reply.code})
    }

    /// Fills in `$NS`, `$ID`, `${N:/pointer}` of the answer to request N, and `${repeat:TEXT*COUNT}`.
    fn fill(&self, text: &str) -> String {
        let text = text.replace("$NS", &format!("ns-{}", self.id)).replace("$ID", self.id);
        let mut filled = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            filled.push_str(&rest[..start]);
            let (inner, after) = rest[start + 2..].split_once('}').unwrap();
            filled.push_str(&self.expand(inner));
            rest = after;
        }
        filled + rest
    }

    fn expand(&self, inner: &str) -> String {
        let (kind, rest) = inner.split_once(':').unwrap();
        if kind == "repeat" {
            let (text, count) = rest.rsplit_once('*').unwrap();
            let text = text.replace("\\o", "{").replace("\\c", "}");
            return text.repeat(count.parse().unwrap());
        }
        let answer = &self.raw[kind.parse::<usize>().unwrap() - 1];
        match answer.pointer(rest) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}
