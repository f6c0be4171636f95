//! Answers without what must differ between two servers.

use std::collections::HashMap;
use std::fmt::Write as _;

use http::HeaderMap;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::backend::Reply;

/// Headers that are part of an answer.
const HEADERS: [&str; 6] =
    ["content-type", "content-encoding", "warning", "retry-after", "vary", "allow"];

/// Numbers what differs, in the order of its appearance in one scenario, so that what is the same
/// stays the same.
pub(crate) struct Normal {
    id: String,
    seen: HashMap<String, String>,
    uid: Regex,
    time: Regex,
    generated: Regex,
    revision: Regex,
    address: Regex,
}

impl Normal {
    pub(crate) fn new(id: &str) -> Self {
        let regex = |text: &str| Regex::new(text).unwrap();
        Self {
            id: id.to_owned(),
            seen: HashMap::new(),
            uid: regex(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
            time: regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
            generated: regex(r"([Gg]en[-_])[bcdfghjklmnpqrstvwxz2456789]{5}\b"),
            revision: regex(r#"(in record \(|current: |\\"resourceVersion\\":\\")\d+"#),
            address: regex(r"^10\.\d+\.\d+\.\d+$"),
        }
    }

    /// The answer as it is compared. `pick` selects a part of the body; `order` tells to sort lists
    /// of text, whose order says nothing.
    pub(crate) fn reply(&mut self, reply: &Reply, pick: Option<&str>, order: bool) -> Value {
        let mut body: Value = match serde_json::from_slice(&reply.body) {
            Ok(value) => value,
            Err(_) if reply.headers.contains_key("content-encoding") => json!("<encoded>"),
            Err(_) => json!(String::from_utf8_lossy(&reply.body).trim_end()),
        };
        if let Some(pointer) = pick {
            body = body.pointer(pointer).cloned().unwrap_or(Value::Null);
        }
        self.value("", &mut body);
        if order {
            sort(&mut body);
        }
        json!({"code": reply.code, "headers": headers(&reply.headers), "body": body})
    }

    fn value(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Object(members) => self.members(members),
            Value::Array(items) => {
                for item in items {
                    self.value(key, item);
                }
            }
            Value::String(text) => *text = self.text(key, text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>) {
        let is_list = members.contains_key("items") || members.contains_key("rows");
        if is_list
            && let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut)
        {
            // Lists tell of a revision that other scenarios count up.
            for key in ["resourceVersion", "continue"] {
                if metadata.get(key).is_some_and(|it| it.as_str().is_some_and(|it| !it.is_empty()))
                {
                    metadata.insert(key.to_owned(), json!(format!("<{key}>")));
                }
            }
        }
        if members.contains_key("columnDefinitions")
            && let Some(rows) = members.get_mut("rows")
        {
            ages(rows);
        }
        self.keys(members);
        // In an order that does not depend on the server, so that what is numbered gets the same number.
        let mut names: Vec<String> = members.keys().cloned().collect();
        names.sort();
        for key in names {
            self.value(&key, &mut members[&key]);
        }
        if let Some(entries) = members.get_mut("managedFields").and_then(Value::as_array_mut) {
            // Their order depends on times.
            let names = ["manager", "operation", "subresource", "apiVersion"];
            entries.sort_by_key(|entry| (names.map(|it| entry[it].to_string()), sorted(entry)));
        }
    }

    /// Names of members may hold what differs, as `k:{"uid":…}` does.
    fn keys(&mut self, members: &mut Map<String, Value>) {
        if members.keys().any(|key| self.uid.is_match(key)) {
            let named = std::mem::take(members).into_iter();
            *members = named
                .map(|(key, value)| (self.uid.replace_all(&key, "<uid>").into_owned(), value))
                .collect();
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        if matches!(key, "resourceVersion")
            && !text.is_empty()
            && text.bytes().all(|c| c.is_ascii_digit())
        {
            return self.number("rv", text);
        }
        if matches!(key, "clusterIP" | "clusterIPs" | "nodePort") && text.starts_with("10.") {
            return "<address>".to_owned();
        }
        let mut text = text.replace(&self.id, "$ID");
        while let Some(found) = self.uid.find(&text).map(|it| it.as_str().to_owned()) {
            let name = self.number("uid", &found);
            text = text.replace(&found, &name);
        }
        let text = self.time.replace_all(&text, "<time>");
        let text = self.revision.replace_all(&text, "$1<revision>");
        let text = if key == "cells" { self.address.replace(&text, "<address>") } else { text };
        self.generated.replace_all(&text, "$1<generated>").into_owned()
    }

    fn number(&mut self, kind: &str, text: &str) -> String {
        let next = self.seen.keys().filter(|key| key.starts_with(kind)).count() + 1;
        self.seen
            .entry(format!("{kind}{text}"))
            .or_insert_with(|| format!("<{kind}{next}>"))
            .clone()
    }
}

fn headers(headers: &HeaderMap) -> Value {
    let mut named = Map::new();
    for name in HEADERS {
        let values: Vec<_> =
            headers.get_all(name).iter().filter_map(|it| it.to_str().ok()).collect();
        if !values.is_empty() {
            named.insert(name.to_owned(), json!(values));
        }
    }
    Value::Object(named)
}

/// Cells that tell how long ago something was.
fn ages(rows: &mut Value) {
    let age = Regex::new(r"^\d+(s|ms|m)\d*s?$").expect("a constant expression");
    for row in rows.as_array_mut().into_iter().flatten() {
        for cell in row["cells"].as_array_mut().into_iter().flatten() {
            if cell.as_str().is_some_and(|it| age.is_match(it)) {
                *cell = json!("<age>");
            }
        }
    }
}

/// As text, whatever the order of its members.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let pairs = members.iter().map(|(name, member)| (name, sorted(member)));
            format!("{:?}", pairs.collect::<std::collections::BTreeMap<_, _>>())
        }
        other => other.to_string(),
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(sort),
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(Value::to_string);
        }
        _ => {}
    }
}

/// Where two answers differ, a line each.
pub(crate) fn difference(embedded: &Value, real: &Value) -> String {
    let mut lines = String::new();
    walk("", embedded, real, &mut lines);
    lines
}

fn walk(path: &str, embedded: &Value, real: &Value, lines: &mut String) {
    if embedded == real || lines.len() > 4000 {
        return;
    }
    match (embedded, real) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let none = Value::Null;
                walk(
                    &format!("{path}/{key}"),
                    a.get(key).unwrap_or(&none),
                    b.get(key).unwrap_or(&none),
                    lines,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}/{at}"), a, b, lines);
            }
        }
        _ => {
            let short = |value: &Value| value.to_string().chars().take(600).collect::<String>();
            let _ = writeln!(
                lines,
                "  {path}\n    embedded {}\n    real     {}",
                short(embedded),
                short(real)
            );
        }
    }
}
