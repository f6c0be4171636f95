//! What `kubectl get` shows.

use serde_json::{Value, json};

pub(super) fn text(name: &str, path: &str) -> Value {
    json!({"name": name, "type": "string", "jsonPath": path})
}

/// Shown with `-o wide` only.
pub(super) fn wide(name: &str, path: &str) -> Value {
    json!({"name": name, "type": "string", "priority": 1, "jsonPath": path})
}

pub(super) fn ready() -> Value {
    text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#)
}

pub(super) fn status() -> Value {
    text("Status", r#".status.conditions[?(@.type=="Ready")].message"#)
}

pub(super) fn age() -> Value {
    json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
}

pub(super) fn date(name: &str, path: &str) -> Value {
    json!({"name": name, "type": "date", "jsonPath": path})
}
