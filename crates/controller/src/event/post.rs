//! Events for the notification controller, in Flux's JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use super::recorder::Subject;
use super::{Event, Severity};
use crate::clock::{Clock, after};

/// How many events may wait for a slow receiver before new ones are dropped.
const CAPACITY: usize = 4096;
/// Retries after the first try, as upstream.
const RETRIES: u32 = 4;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a body to `--events-addr`; implemented by the binary, which has the HTTP client.
pub trait Post: Send + Sync + 'static {
    /// Posts `body` with content type `application/json`. Yields the status code, or what kept
    /// the request from being answered.
    fn post(&self, body: Vec<u8>) -> BoxFuture<'static, Result<u16, String>>;
}

/// An event as the notification controller takes it: `Event` of event.toolkit.fluxcd.io/v1beta1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    involved_object: &'a Subject,
    severity: &'static str,
    timestamp: Timestamp,
    message: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    reporting_controller: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reporting_instance: &'a str,
}

/// The queue in front of a receiver.
#[derive(Clone)]
pub(crate) struct Posting {
    queue: mpsc::Sender<Vec<u8>>,
    instance: Arc<str>,
}

impl Posting {
    /// Starts to post, under the name of this process.
    pub(crate) fn start(post: Arc<dyn Post>, clock: Arc<dyn Clock>, instance: &str) -> Self {
        let (queue, mut events) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            while let Some(body) = events.recv().await {
                deliver(&*post, &*clock, body).await;
            }
        });
        Self { queue, instance: instance.into() }
    }

    /// Queues an event, unless it is only a trace.
    pub(crate) fn send(&self, subject: &Subject, event: &Event, component: &str, now: Timestamp) {
        let severity = match event.severity {
            Severity::Trace => return,
            Severity::Info => "info",
            Severity::Error => "error",
        };
        let body = Body {
            involved_object: subject,
            severity,
            timestamp: Timestamp::from_second(now.as_second()).unwrap_or(now),
            message: &event.message,
            reason: event.reason,
            metadata: &event.metadata,
            reporting_controller: component,
            reporting_instance: &self.instance,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        if self.queue.try_send(body).is_err() {
            tracing::warn!("unable to record event: too many are waiting to be posted");
        }
    }
}

/// Tries a few times, with growing pauses. 429 means that the receiver has the event already.
async fn deliver(post: &dyn Post, clock: &dyn Clock, body: Vec<u8>) {
    let mut problem = String::new();
    for retry in 0..=RETRIES {
        if retry > 0 {
            let pause = Duration::from_secs(1 << (retry - 1));
            clock.sleep_until(after(clock.now(), pause)).await;
        }
        problem = match tokio::time::timeout(TIMEOUT, post.post(body.clone())).await {
            Err(_) => "timed out".to_owned(),
            Ok(Err(problem)) => problem,
            Ok(Ok(code)) if code >= 500 && code != 501 => format!("status {code}"),
            Ok(Ok(code)) => {
                if code >= 400 && code != 429 {
                    tracing::error!("unable to record event: status {code}");
                }
                return;
            }
        };
    }
    tracing::error!("unable to record event: {problem}");
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::clock::Manual;

    /// Answers with the given codes in turn, and keeps what it got.
    struct Receiver {
        answers: Mutex<Vec<Result<u16, String>>>,
        got: mpsc::UnboundedSender<serde_json::Value>,
    }

    impl Post for Receiver {
        fn post(&self, body: Vec<u8>) -> BoxFuture<'static, Result<u16, String>> {
            let answer = self.answers.lock().remove(0);
            self.got.send(serde_json::from_slice(&body).unwrap()).unwrap();
            Box::pin(std::future::ready(answer))
        }
    }

    fn subject() -> Subject {
        Subject {
            api_version: "example.com/v1".into(),
            kind: "Toy".into(),
            name: "app".into(),
            namespace: "ns".into(),
            uid: "u1".into(),
            resource_version: "7".into(),
        }
    }

    #[tokio::test]
    async fn events_have_fluxs_form_and_traces_stay_here() {
        let (got, mut bodies) = mpsc::unbounded_channel();
        let receiver = Receiver { answers: Mutex::new(vec![Ok(202)]), got };
        let clock = Arc::new(Manual::new("2026-01-01T00:00:00.5Z".parse().unwrap()));
        let posting = Posting::start(Arc::new(receiver), clock.clone(), "pod-1");
        let mut event = Event::error("Failure", "100% wrong");
        event.metadata.insert("example.com/revision".into(), "r1".into());
        posting.send(&subject(), &Event::trace("Succeeded", "steady"), "toys", clock.now());
        posting.send(&subject(), &event, "toys", clock.now());
        let wanted = serde_json::json!({
            "involvedObject": {
                "apiVersion": "example.com/v1", "kind": "Toy", "name": "app", "namespace": "ns",
                "uid": "u1", "resourceVersion": "7",
            },
            "severity": "error", "timestamp": "2026-01-01T00:00:00Z",
            "message": "100% wrong", "reason": "Failure",
            "metadata": {"example.com/revision": "r1"},
            "reportingController": "toys", "reportingInstance": "pod-1",
        });
        assert_eq!(bodies.recv().await.unwrap(), wanted);
    }

    #[tokio::test]
    async fn server_errors_are_retried_and_duplicates_are_not() {
        let (got, mut bodies) = mpsc::unbounded_channel();
        let answers = vec![Err("refused".into()), Ok(503), Ok(429), Ok(202)];
        let receiver = Receiver { answers: Mutex::new(answers), got };
        let clock = Arc::new(Manual::new(Timestamp::UNIX_EPOCH));
        let posting = Posting::start(Arc::new(receiver), clock.clone(), "");
        for message in ["a", "b"] {
            posting.send(&subject(), &Event::info("R", message), "toys", clock.now());
        }
        let mut messages = Vec::new();
        while messages.len() < 4 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
            if let Ok(body) = bodies.try_recv() {
                messages.push(body["message"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(messages, ["a", "a", "a", "b"]);
    }
}
