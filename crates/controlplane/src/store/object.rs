//! One stored object: its JSON text, sealed with a resourceVersion, and what the store must know of it.

use bytes::Bytes;
use serde_json::{Map, Value};

/// An object at one revision. Immutable: readers and watchers share the bytes.
#[derive(Debug)]
pub(crate) struct Object {
    json: Bytes,
    /// Where the members after `apiVersion` and `kind` start.
    rest: usize,
    /// The `metadata.resourceVersion` of this state.
    pub(crate) revision: u64,
    /// What selectors and garbage collection ask for.
    pub(crate) meta: Meta,
}

/// The parts of an object that are read without parsing it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Meta {
    /// `metadata.uid`.
    pub(crate) uid: Box<str>,
    /// `metadata.labels`, in the order written.
    pub(crate) labels: Box<[(Box<str>, Box<str>)]>,
    /// `metadata.ownerReferences[].uid`.
    pub(crate) owners: Box<[Box<str>]>,
    /// Whether a `metadata.deletionTimestamp` is set.
    pub(crate) deleting: bool,
}

/// An object without its resourceVersion, which only the store knows.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    head: Vec<u8>,
    tail: Vec<u8>,
    rest: usize,
    meta: Meta,
}

impl Object {
    /// Takes back what [`Object::json`] gave, as read from a log; `None` if it is no object.
    pub(crate) fn parse(json: Bytes, revision: u64) -> Option<Self> {
        let value: Value = serde_json::from_slice(&json).ok()?;
        let rest = prefix(&value).len();
        (rest < json.len()).then(|| Self { rest, revision, meta: Meta::of(&value), json })
    }

    /// The whole object as JSON.
    pub(crate) fn json(&self) -> &Bytes {
        &self.json
    }

    /// The object as JSON without `{"apiVersion":…,"kind":…,`: starts at `"metadata"`.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.json[self.rest..]
    }

    /// The same state under another revision, as the event of a deletion shows it.
    pub(crate) fn at(&self, revision: u64) -> Self {
        Draft::new(&self.value()).seal(revision)
    }

    /// The object as a value.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.json).expect("because the store holds only JSON that it wrote")
    }

    /// The `apiVersion` it was stored in.
    pub(crate) fn api_version(&self) -> &str {
        let text = &self.json[PREFIX.len() + 1..self.rest];
        let end = text.iter().position(|b| *b == b'"').unwrap_or(0);
        std::str::from_utf8(&text[..end]).unwrap_or_default()
    }
}

impl Draft {
    /// Serialises `value`, an object with `apiVersion`, `kind` and `metadata`.
    pub(crate) fn new(value: &Value) -> Self {
        let mut head = prefix(value);
        let rest = head.len();
        head.extend_from_slice(br#""metadata":{"resourceVersion":""#);
        let mut tail = vec![b'"'];
        let empty = Map::new();
        for (key, member) in value["metadata"].as_object().unwrap_or(&empty) {
            if key != "resourceVersion" {
                write_member(&mut tail, key, member);
            }
        }
        tail.push(b'}');
        for (key, member) in value.as_object().unwrap_or(&empty) {
            if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                write_member(&mut tail, key, member);
            }
        }
        tail.push(b'}');
        Self { head, tail, rest, meta: Meta::of(value) }
    }

    /// How many bytes it has, but for its revision.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The object at `revision`.
    pub(crate) fn seal(self, revision: u64) -> Object {
        let mut json = self.head;
        json.extend_from_slice(revision.to_string().as_bytes());
        json.extend_from_slice(&self.tail);
        json.shrink_to_fit();
        Object { json: json.into(), rest: self.rest, revision, meta: self.meta }
    }
}

impl Meta {
    fn of(value: &Value) -> Self {
        let metadata = &value["metadata"];
        let text = |v: &Value| v.as_str().unwrap_or_default().into();
        Self {
            uid: text(&metadata["uid"]),
            labels: metadata["labels"]
                .as_object()
                .map(|labels| labels.iter().map(|(k, v)| (k.as_str().into(), text(v))).collect())
                .unwrap_or_default(),
            owners: metadata["ownerReferences"]
                .as_array()
                .map(|owners| owners.iter().map(|o| text(&o["uid"])).collect())
                .unwrap_or_default(),
            deleting: metadata["deletionTimestamp"].is_string(),
        }
    }

    /// The value of one label.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(k, _)| &**k == key).map(|(_, v)| &**v)
    }
}

const PREFIX: &str = r#"{"apiVersion":"#;

fn prefix(value: &Value) -> Vec<u8> {
    let mut json = PREFIX.as_bytes().to_vec();
    write_value(&mut json, &value["apiVersion"]);
    json.extend_from_slice(br#","kind":"#);
    write_value(&mut json, &value["kind"]);
    json.push(b',');
    json
}

fn write_member(json: &mut Vec<u8>, key: &str, value: &Value) {
    json.push(b',');
    write_value(json, &Value::from(key));
    json.push(b':');
    write_value(json, value);
}

fn write_value(json: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(json, value).expect("because a JSON value is always serialisable");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sealed_draft_is_the_object_with_its_revision() {
        let value = json!({"kind":"ConfigMap","apiVersion":"v1","data":{"a":"b"},
            "metadata":{"name":"x","resourceVersion":"old","uid":"u","labels":{"l":"v"}}});
        let object = Draft::new(&value).seal(12);
        let mut want = value;
        want["metadata"]["resourceVersion"] = json!("12");
        assert_eq!(object.value(), want);
        assert_eq!(object.api_version(), "v1");
        assert!(object.rest().starts_with(br#""metadata":{"#));
        assert_eq!(object.meta.label("l"), Some("v"));
        let again = Object::parse(object.json().clone(), 12).unwrap();
        assert_eq!(again.rest(), object.rest());
    }
}
