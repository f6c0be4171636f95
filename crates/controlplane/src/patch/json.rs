//! RFC 6902.

use serde_json::{Map, Value};

use super::Error;
use crate::schema::go;

/// How many operations a patch may have.
const MAX_OPERATIONS: usize = 10_000;
/// How many bytes all copies together may take.
const MAX_COPIED: usize = 3 << 20;

/// The document after all operations of the patch.
pub(crate) fn json(document: &Value, patch: &Value) -> Result<Value, Error> {
    let Value::Array(operations) = patch else {
        let detail = format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            go_kind(patch)
        );
        return Err(Error::BadRequest(detail));
    };
    if let Some(wrong) = operations.iter().find(|operation| !operation.is_object()) {
        let detail = format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Operation",
            go_kind(wrong)
        );
        return Err(Error::BadRequest(detail));
    }
    if operations.len() > MAX_OPERATIONS {
        let count = operations.len();
        return Err(Error::TooLarge(format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is \
             {MAX_OPERATIONS}, got {count}"
        )));
    }
    let mut patched = Patched { document: document.clone(), copied: 0 };
    for operation in operations {
        patched.apply(operation).map_err(Error::Unprocessable)?;
    }
    Ok(patched.document)
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Patched {
    document: Value,
    copied: usize,
}

const MISSING: &str = "missing value";

impl Patched {
    fn apply(&mut self, operation: &Value) -> Result<(), String> {
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        match operation.get("op").and_then(Value::as_str).unwrap_or("unknown") {
            "add" => self.add(pointer(operation, "add", "path")?, value()),
            "remove" => self.remove(pointer(operation, "remove", "path")?),
            "replace" => self.replace(pointer(operation, "replace", "path")?, value()),
            "move" => {
                let from = pointer(operation, "move", "from")?;
                self.shift(from, pointer(operation, "move", "path")?)
            }
            "copy" => {
                let from = pointer(operation, "copy", "from")?;
                self.copy(from, pointer(operation, "copy", "path")?)
            }
            "test" => self.test(pointer(operation, "test", "path")?, &value()),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    fn add(&mut self, path: &str, value: Value) -> Result<(), String> {
        let Some((container, key)) = self.container(path) else {
            return Err(format!(
                "add operation does not apply: doc is missing path: \"{path}\": {MISSING}"
            ));
        };
        container.add(&key, value).map_err(|e| format!("error in add for path: '{path}': {e}"))
    }

    fn remove(&mut self, path: &str) -> Result<(), String> {
        let Some((container, key)) = self.container(path) else {
            return Err(format!(
                "remove operation does not apply: doc is missing path: \"{path}\": {MISSING}"
            ));
        };
        let removed = container.remove(&key);
        removed.map(|_| ()).map_err(|e| format!("error in remove for path: '{path}': {e}"))
    }

    fn replace(&mut self, path: &str, value: Value) -> Result<(), String> {
        if path.is_empty() {
            if !value.is_object() && !value.is_array() {
                return Err("replace operation value must be object or array".to_owned());
            }
            self.document = value;
            return Ok(());
        }
        let Some((mut container, key)) = self.container(path) else {
            return Err(format!(
                "replace operation does not apply: doc is missing path: {path}: {MISSING}"
            ));
        };
        if container.get(&key).is_err() {
            return Err(format!(
                "replace operation does not apply: doc is missing key: {path}: {MISSING}"
            ));
        }
        container.set(&key, value);
        Ok(())
    }

    fn shift(&mut self, from: &str, path: &str) -> Result<(), String> {
        let Some((mut container, key)) = self.container(from) else {
            return Err(format!(
                "move operation does not apply: doc is missing from path: {from}: {MISSING}"
            ));
        };
        container.get(&key).map_err(|e| format!("error in move for path: '{key}': {e}"))?;
        let value =
            container.remove(&key).map_err(|e| format!("error in move for path: '{key}': {e}"))?;
        let Some((container, key)) = self.container(path) else {
            return Err(format!(
                "move operation does not apply: doc is missing destination path: {path}: {MISSING}"
            ));
        };
        container.add(&key, value).map_err(|e| format!("error in move for path: '{path}': {e}"))
    }

    fn copy(&mut self, from: &str, path: &str) -> Result<(), String> {
        let Some((mut container, key)) = self.container(from) else {
            return Err(format!(
                "copy operation does not apply: doc is missing from path: {from}: {MISSING}"
            ));
        };
        let found =
            container.get(&key).map_err(|e| format!("error in copy for from: '{from}': {e}"))?;
        let value = found.cloned().unwrap_or(Value::Null);
        self.copied += value.to_string().len();
        if self.copied > MAX_COPIED {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {}, \
                 exceeding the limit {MAX_COPIED}",
                self.copied
            ));
        }
        let Some((container, key)) = self.container(path) else {
            return Err(format!(
                "copy operation does not apply: doc is missing destination path: {path}: {MISSING}"
            ));
        };
        container.add(&key, value).map_err(|e| format!("error while adding value during copy: {e}"))
    }

    fn test(&mut self, path: &str, value: &Value) -> Result<(), String> {
        let failed = || Err(format!("testing value {path} failed: test failed"));
        if path.is_empty() {
            return if self.document == *value { Ok(()) } else { failed() };
        }
        let Some((mut container, key)) = self.container(path) else {
            return Err(format!(
                "test operation does not apply: is missing path: {path}: {MISSING}"
            ));
        };
        let found =
            container.get(&key).map_err(|e| format!("error in test for path: '{path}': {e}"))?;
        if found.unwrap_or(&Value::Null) == value { Ok(()) } else { failed() }
    }

    /// The object or list a pointer leads into, with the last step.
    fn container(&mut self, path: &str) -> Option<(Container<'_>, String)> {
        let mut steps: Vec<String> =
            path.split('/').skip(1).map(|s| s.replace("~1", "/").replace("~0", "~")).collect();
        let key = steps.pop()?;
        let mut here = &mut self.document;
        for step in steps {
            here = match here {
                Value::Object(map) => map.get_mut(&step)?,
                Value::Array(items) => {
                    let index = existing(&step, items.len()).ok()?;
                    &mut items[index]
                }
                _ => return None,
            };
        }
        match here {
            Value::Object(map) => Some((Container::Object(map), key)),
            Value::Array(items) => Some((Container::List(items), key)),
            _ => None,
        }
    }
}

/// A pointer of an operation.
fn pointer<'a>(operation: &'a Value, op: &str, name: &str) -> Result<&'a str, String> {
    let text = operation.get(name).and_then(Value::as_str);
    text.ok_or_else(|| format!("{op} operation failed to decode {name}: {MISSING}"))
}

enum Container<'a> {
    Object(&'a mut Map<String, Value>),
    List(&'a mut Vec<Value>),
}

impl Container<'_> {
    fn get(&mut self, key: &str) -> Result<Option<&Value>, String> {
        match self {
            Self::Object(map) => Ok(map.get(key)),
            Self::List(items) => {
                let index = existing(key, items.len())?;
                Ok(items.get(index))
            }
        }
    }

    fn set(self, key: &str, value: Value) {
        match self {
            Self::Object(map) => {
                map.insert(key.to_owned(), value);
            }
            Self::List(items) => {
                if let Ok(index) = existing(key, items.len()) {
                    items[index] = value;
                }
            }
        }
    }

    fn add(self, key: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Object(map) => {
                map.insert(key.to_owned(), value);
            }
            Self::List(items) if key == "-" => items.push(value),
            Self::List(items) => {
                let at = index(key)
                    .map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
                let at = within(at, items.len() + 1)?;
                items.insert(at, value);
            }
        }
        Ok(())
    }

    fn remove(self, key: &str) -> Result<Value, String> {
        match self {
            Self::Object(map) => map
                .shift_remove(key)
                .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}")),
            Self::List(items) => {
                let at = existing(key, items.len())?;
                Ok(items.remove(at))
            }
        }
    }
}

/// The place of an existing item.
fn existing(key: &str, length: usize) -> Result<usize, String> {
    within(index(key)?, length)
}

fn index(key: &str) -> Result<i64, String> {
    key.parse().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", go::quote(key)))
}

/// An index below `limit`, counted from the end if negative.
fn within(index: i64, limit: usize) -> Result<usize, String> {
    let wrapped = if index < 0 { index + i64::try_from(limit).unwrap_or(i64::MAX) } else { index };
    match usize::try_from(wrapped) {
        Ok(place) if place < limit => Ok(place),
        _ => Err(format!("Unable to access invalid index: {index}: invalid index referenced")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn the_examples_of_rfc_6902() {
        let cases = [
            (
                value!({"foo": "bar"}),
                value!([{"op": "add", "path": "/baz", "value": "qux"}]),
                value!({"foo": "bar", "baz": "qux"}),
            ),
            (
                value!({"foo": ["bar", "baz"]}),
                value!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
                value!({"foo": ["bar", "qux", "baz"]}),
            ),
            (
                value!({"baz": "qux", "foo": "bar"}),
                value!([{"op": "remove", "path": "/baz"}]),
                value!({"foo": "bar"}),
            ),
            (
                value!({"foo": ["bar", "qux", "baz"]}),
                value!([{"op": "remove", "path": "/foo/1"}]),
                value!({"foo": ["bar", "baz"]}),
            ),
            (
                value!({"baz": "qux", "foo": "bar"}),
                value!([{"op": "replace", "path": "/baz", "value": "boo"}]),
                value!({"baz": "boo", "foo": "bar"}),
            ),
            (
                value!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
                value!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
                value!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
            ),
            (
                value!({"foo": ["all", "grass", "cows", "eat"]}),
                value!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
                value!({"foo": ["all", "cows", "eat", "grass"]}),
            ),
            (
                value!({"baz": "qux", "foo": ["a", 2, "c"]}),
                value!([{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]),
                value!({"baz": "qux", "foo": ["a", 2, "c"]}),
            ),
            (
                value!({"foo": "bar"}),
                value!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
                value!({"foo": "bar", "child": {"grandchild": {}}}),
            ),
            (
                value!({"/": 9, "~1": 10}),
                value!([{"op": "test", "path": "/~01", "value": 10}]),
                value!({"/": 9, "~1": 10}),
            ),
            (
                value!({"foo": ["bar"]}),
                value!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
                value!({"foo": ["bar", ["abc", "def"]]}),
            ),
            (
                value!({"a": {"b": 1}}),
                value!([{"op": "copy", "from": "/a", "path": "/c"}]),
                value!({"a": {"b": 1}, "c": {"b": 1}}),
            ),
        ];
        for (document, patch, want) in cases {
            assert_eq!(json(&document, &patch).unwrap(), want, "{patch}");
        }
    }

    #[test]
    fn departures_from_the_rfc_are_those_of_kube_apiserver() {
        let document = value!({"a": [1, 2, 3]});
        let replaced = json(&document, &value!([{"op": "replace", "path": "/b", "value": 1}]));
        assert_eq!(replaced.unwrap(), value!({"a": [1, 2, 3], "b": 1}));
        let removed = json(&document, &value!([{"op": "remove", "path": "/a/-1"}]));
        assert_eq!(removed.unwrap(), value!({"a": [1, 2]}));
        let absent = json(&document, &value!([{"op": "test", "path": "/z", "value": null}]));
        assert_eq!(absent.unwrap(), document);
    }

    #[test]
    fn what_does_not_apply_is_refused() {
        let document = value!({"a": [1], "s": "x"});
        let cases = [
            (
                value!([{"op": "remove", "path": "/b"}]),
                "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value",
            ),
            (
                value!([{"op": "add", "path": "/b/c", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/b/c\": missing value",
            ),
            (
                value!([{"op": "add", "path": "/a/5", "value": 1}]),
                "error in add for path: '/a/5': Unable to access invalid index: 5: invalid index referenced",
            ),
            (
                value!([{"op": "add", "path": "/a/x", "value": 1}]),
                "error in add for path: '/a/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                value!([{"op": "add", "path": "/s/x", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/s/x\": missing value",
            ),
            (
                value!([{"op": "test", "path": "/s", "value": "y"}]),
                "testing value /s failed: test failed",
            ),
            (value!([{"op": "spam", "path": "/s"}]), "Unexpected kind: spam"),
            (
                value!([{"op": "add", "value": 1}]),
                "add operation failed to decode path: missing value",
            ),
        ];
        for (patch, want) in cases {
            assert_eq!(
                json(&document, &patch),
                Err(Error::Unprocessable(want.to_owned())),
                "{patch}"
            );
        }
        assert!(matches!(json(&document, &value!({})), Err(Error::BadRequest(_))));
        assert!(matches!(json(&document, &value!([1])), Err(Error::BadRequest(_))));
    }

    #[test]
    fn copies_cannot_grow_without_bounds() {
        let document = value!({"a": ["x".repeat(1000)]});
        let double = value!({"op": "copy", "from": "/a", "path": "/a/-"});
        let patch = Value::Array(vec![double; 40]);
        assert!(matches!(json(&document, &patch), Err(Error::Unprocessable(_))));
        let many = Value::Array(vec![value!({"op": "test", "path": "/z"}); MAX_OPERATIONS + 1]);
        assert!(matches!(json(&document, &many), Err(Error::TooLarge(_))));
    }
}
