//! Places in JSON (RFC 6901), and patches of operations on them (RFC 6902).

use serde_json::{Value, json};

/// Takes away what is at a place, if there is something.
pub(super) fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(&last);
        }
        Some(Value::Array(items)) => {
            if let Some(at) = last.parse::<usize>().ok().filter(|at| *at < items.len()) {
                items.remove(at);
            }
        }
        _ => {}
    }
}

/// The operations that make `to` of `from`.
pub(super) fn difference(from: &Value, to: &Value) -> Vec<Value> {
    let mut operations = Vec::new();
    compare(from, to, "", &mut operations);
    operations
}

/// The depth is bounded by the reader of the objects.
fn compare(from: &Value, to: &Value, at: &str, operations: &mut Vec<Value>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                operations.push(json!({"op": "remove", "path": below(at, key)}));
            }
            for (key, value) in new {
                let path = below(at, key);
                if let Some(before) = old.get(key) {
                    compare(before, value, &path, operations);
                } else {
                    operations.push(json!({"op": "add", "path": path, "value": value}));
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, (before, after)) in old.iter().zip(new).enumerate() {
                compare(before, after, &format!("{at}/{index}"), operations);
            }
            for index in (new.len()..old.len()).rev() {
                operations.push(json!({"op": "remove", "path": format!("{at}/{index}")}));
            }
            for value in new.iter().skip(old.len()) {
                operations.push(json!({"op": "add", "path": format!("{at}/-"), "value": value}));
            }
        }
        (_, to) => operations.push(json!({"op": "replace", "path": at, "value": to})),
    }
}

fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_say_what_differs() {
        let from = json!({"a": 1, "b": [1, 2, 3], "c": {"x/y": 1}, "gone": true});
        let to = json!({"a": 2, "b": [1, 5], "c": {"x/y": 1, "new": {}}, "d": [1]});
        let got: Vec<String> = difference(&from, &to)
            .iter()
            .map(|it| format!("{} {}", it["op"].as_str().unwrap(), it["path"].as_str().unwrap()))
            .collect();
        let want =
            ["remove /gone", "replace /a", "replace /b/1", "remove /b/2", "add /c/new", "add /d"];
        assert_eq!(got, want);
        assert!(difference(&from, &from).is_empty());
    }

    #[test]
    fn places_are_taken_away() {
        let mut value = json!({"a": {"x/y": 1, "b": [1, 2]}});
        for pointer in ["/a/x~1y", "/a/b/0", "/a/none/deeper", "/a/b/7"] {
            remove(&mut value, pointer);
        }
        assert_eq!(value, json!({"a": {"b": [2]}}));
    }
}
