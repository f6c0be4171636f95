//! What was asked, and misbehaviour on demand.

use std::time::Duration;

use http::{HeaderMap, Method};

use super::Store;

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: Method,
    /// Path and query as sent.
    pub target: String,
    /// All headers, credentials included.
    pub headers: HeaderMap,
    /// The status it was answered with.
    pub status: u16,
}

impl Request {
    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A misbehaviour, where it happens and how often.
#[derive(Debug)]
pub struct Fault {
    pub(super) part: String,
    pub(super) times: usize,
    pub(super) what: Misbehaviour,
}

impl Fault {
    /// Misbehaves for the next `times` requests with `part` in their path or query.
    pub fn new(part: &str, times: usize, what: Misbehaviour) -> Self {
        Self { part: part.to_owned(), times, what }
    }

    /// Answers with `status` for ever.
    pub fn status(part: &str, status: u16) -> Self {
        let what = Misbehaviour::Answer { status, headers: Vec::new(), body: String::new() };
        Self::new(part, usize::MAX, what)
    }
}

/// What may go wrong.
pub enum Misbehaviour {
    /// Answers this instead, with `{"errors":[…]}` made from the status when the body is empty
    /// and the status is 429.
    Answer {
        /// The status code.
        status: u16,
        /// Extra headers, such as `Retry-After`.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// Announces the whole body, sends this many bytes and cuts the connection.
    Truncate(usize),
    /// Answers late.
    Delay(Duration),
    /// Never answers.
    Hang,
    /// Changes the content, then answers as usual.
    Change(Box<dyn Fn(&Store) + Send + Sync>),
}

impl std::fmt::Debug for Misbehaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer { status, .. } => write!(f, "Answer({status})"),
            Self::Truncate(bytes) => write!(f, "Truncate({bytes})"),
            Self::Delay(time) => write!(f, "Delay({time:?})"),
            Self::Hang => write!(f, "Hang"),
            Self::Change(_) => write!(f, "Change"),
        }
    }
}
