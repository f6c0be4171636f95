//! Conditions of a status.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A condition that is to be.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) kind: &'static str,
    pub(super) status: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Condition {
    /// A condition without words.
    pub(super) fn plain(kind: &'static str, status: bool) -> Self {
        Self { kind, status, reason: String::new(), message: String::new() }
    }

    /// A condition with a reason and a message.
    pub(super) fn told(kind: &'static str, status: bool, reason: &str, message: &str) -> Self {
        Self { kind, status, reason: reason.to_owned(), message: message.to_owned() }
    }
}

/// The form of a time in objects.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The condition of that type, if any.
pub(super) fn find<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|it| it["type"] == kind)
}

/// Whether the condition of that type is true.
pub(super) fn holds(status: &Value, kind: &str) -> bool {
    find(status, kind).is_some_and(|it| it["status"] == "True")
}

/// The time at which the condition of that type got its status.
pub(super) fn since(status: &Value, kind: &str) -> Option<Timestamp> {
    find(status, kind)?["lastTransitionTime"].as_str()?.parse().ok()
}

/// The conditions of `old`, with `wanted` set. The time of a condition changes with its status only.
pub(super) fn set(old: &Value, wanted: &[Condition], now: Timestamp) -> Value {
    let mut list = old["conditions"].as_array().cloned().unwrap_or_default();
    for condition in wanted {
        let status = if condition.status { "True" } else { "False" };
        let known = list.iter().position(|it| it["type"] == condition.kind);
        let same = known.map(|at| &list[at]).filter(|it| it["status"] == status);
        let since = same.and_then(|it| it["lastTransitionTime"].as_str());
        let mut new = json!({
            "type": condition.kind,
            "status": status,
            "lastTransitionTime": since.map_or_else(|| time(now), ToOwned::to_owned),
        });
        for (key, text) in [("reason", &condition.reason), ("message", &condition.message)] {
            if !text.is_empty() {
                new[key] = json!(text);
            }
        }
        // What else stands there is kept, such as the generation that the condition is about.
        for (key, value) in known.iter().flat_map(|at| list[*at].as_object().into_iter().flatten())
        {
            if !matches!(key.as_str(), "reason" | "message") && new.get(key).is_none() {
                new[key] = value.clone();
            }
        }
        match known {
            Some(at) => list[at] = new,
            None => list.push(new),
        }
    }
    Value::Array(list)
}
