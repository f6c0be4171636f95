//! JSON patches (RFC 6902), as lenient as kustomize's.

use yaml::{Mapping, Value};

use crate::Error;
use crate::fields::Fields;

/// A list of operations.
#[derive(Debug, Clone, Default)]
pub(crate) struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
struct Operation {
    kind: String,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
}

impl JsonPatch {
    /// Reads a patch in JSON or YAML.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let list = match yaml::parse(text)? {
            Value::Sequence(list) => list,
            Value::Null => return Ok(Self::default()),
            other => {
                let found = match other {
                    Value::String(_) => "string",
                    Value::Mapping(_) => "object",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                return Err(Error::Invalid(format!(
                    "json: cannot unmarshal {found} into Go value of type jsonpatch.Patch"
                )));
            }
        };
        let operations = list.iter().map(Operation::read).collect::<Result<_, _>>()?;
        Ok(Self { operations })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    pub(crate) fn apply(&self, mut document: Value) -> Result<Value, Error> {
        for operation in &self.operations {
            operation.apply(&mut document)?;
        }
        Ok(document)
    }
}

impl Operation {
    fn read(value: &Value) -> Result<Self, Error> {
        let fields = Fields::of(value, "jsonpatch.Operation")?;
        let text = |key| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        let map = value.as_mapping();
        Ok(Self {
            kind: text("op").unwrap_or_else(|| "unknown".to_owned()),
            path: text("path"),
            from: text("from"),
            value: map.and_then(|map: &Mapping| map.get("value")).cloned(),
        })
    }

    fn apply(&self, document: &mut Value) -> Result<(), Error> {
        let path = self.path.as_deref();
        let path =
            path.ok_or_else(|| failed(format!("{} operation failed to decode path", self.kind)))?;
        let from = || {
            let from = self.from.as_deref();
            from.ok_or_else(|| failed(format!("{} operation failed to decode from", self.kind)))
        };
        match self.kind.as_str() {
            "add" => self.add(document, path, self.value.clone().unwrap_or_default()),
            "remove" => self.remove(document, path).map(|_| ()),
            "replace" => self.replace(document, path),
            "move" => {
                let value = self.remove(document, from()?)?;
                self.add(document, path, value)
            }
            "copy" => {
                let value = self.get(document, from()?)?;
                self.add(document, path, value)
            }
            "test" => self.test(document, path),
            other => Err(failed(format!("Unexpected kind: {other}"))),
        }
    }

    /// What holds the last part of a path, and that part.
    fn holder<'d>(
        &self,
        document: &'d mut Value,
        path: &str,
    ) -> Result<(&'d mut Value, String), Error> {
        let missing = || {
            failed(format!(
                "{} operation does not apply: doc is missing path: \"{path}\": missing value",
                self.kind
            ))
        };
        let mut parts: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let last = parts.pop().ok_or_else(missing)?;
        let mut at = document;
        for part in parts {
            at = match at {
                Value::Mapping(map) => map.get_mut(&part),
                Value::Sequence(items) => {
                    index(&part, items.len()).ok().and_then(|index| items.get_mut(index))
                }
                _ => None,
            }
            .filter(|value| matches!(value, Value::Mapping(_) | Value::Sequence(_)))
            .ok_or_else(missing)?;
        }
        match at {
            Value::Mapping(_) | Value::Sequence(_) => Ok((at, last)),
            _ => Err(missing()),
        }
    }

    fn add(&self, document: &mut Value, path: &str, value: Value) -> Result<(), Error> {
        let (holder, key) = self.holder(document, path)?;
        match holder {
            Value::Sequence(items) if key == "-" => items.push(value),
            Value::Sequence(items) => {
                // A negative index counts from behind the end.
                let at = index(&key, items.len() + 1).map_err(|why| self.at(path, &why))?;
                items.insert(at, value);
            }
            Value::Mapping(map) => {
                map.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    }

    fn remove(&self, document: &mut Value, path: &str) -> Result<Value, Error> {
        let (holder, key) = self.holder(document, path)?;
        match holder {
            Value::Sequence(items) => {
                let at = index(&key, items.len()).map_err(|why| self.at(path, &why))?;
                Ok(items.remove(at))
            }
            Value::Mapping(map) => map.remove(&key).ok_or_else(|| {
                self.at(path, &format!("Unable to remove nonexistent key: {key}: missing value"))
            }),
            _ => Ok(Value::Null),
        }
    }

    fn replace(&self, document: &mut Value, path: &str) -> Result<(), Error> {
        let value = self.value.clone().unwrap_or_default();
        if path.is_empty() {
            if !matches!(value, Value::Mapping(_) | Value::Sequence(_)) {
                return Err(failed("replace operation value must be object or array".to_owned()));
            }
            *document = value;
            return Ok(());
        }
        let (holder, key) = self.holder(document, path)?;
        match holder {
            Value::Sequence(items) => {
                let at = index(&key, items.len()).map_err(|_| {
                    failed(format!(
                        "replace operation does not apply: doc is missing key: {path}: missing value"
                    ))
                })?;
                items[at] = value;
            }
            Value::Mapping(map) => {
                map.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    }

    fn get(&self, document: &mut Value, path: &str) -> Result<Value, Error> {
        let (holder, key) = self.holder(document, path)?;
        match holder {
            Value::Sequence(items) => {
                let at = index(&key, items.len()).map_err(|why| self.at(path, &why))?;
                Ok(items[at].clone())
            }
            holder => Ok(holder.get(&key).cloned().unwrap_or_default()),
        }
    }

    fn test(&self, document: &mut Value, path: &str) -> Result<(), Error> {
        let found = if path.is_empty() { document.clone() } else { self.get(document, path)? };
        if found == self.value.clone().unwrap_or_default() {
            return Ok(());
        }
        Err(failed(format!("testing value {path} failed: test failed")))
    }

    fn at(&self, path: &str, why: &str) -> Error {
        failed(format!("error in {} for path: '{path}': {why}", self.kind))
    }
}

fn failed(why: String) -> Error {
    Error::Field(why)
}

fn decode(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// The place of an index in a list; negative ones count from the end.
fn index(text: &str, length: usize) -> Result<usize, String> {
    let number: i64 =
        text.parse().map_err(|_| format!("value was not a proper array index: '{text}'"))?;
    let signed = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if number < 0 { number + signed } else { number };
    usize::try_from(at).ok().filter(|at| *at < length).ok_or_else(|| {
        format!("Unable to access invalid index: {number}: invalid index referenced")
    })
}

#[cfg(test)]
mod tests {
    use super::JsonPatch;

    fn patched(document: &str, patch: &str) -> Result<String, String> {
        let patch = JsonPatch::parse(patch).map_err(|error| error.to_string())?;
        let document = yaml::parse(document).unwrap();
        patch
            .apply(document)
            .map(|value| value.to_json().unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn operations() {
        for (document, patch, want) in [
            ("{a: [1, 2]}", "[{op: add, path: /a/-, value: 3}]", r#"{"a":[1,2,3]}"#),
            ("{a: [1, 2]}", "[{op: add, path: /a/-1, value: 3}]", r#"{"a":[1,2,3]}"#),
            ("{a: {b/c: 1}}", "[{op: remove, path: /a/b~1c}]", r#"{"a":{}}"#),
            ("{a: 1}", "[{op: replace, path: /b, value: x}]", r#"{"a":1,"b":"x"}"#),
            ("{a: 1}", "[{op: move, from: /a, path: /b}]", r#"{"b":1}"#),
            ("{a: [1]}", "[{op: copy, from: /a, path: /b}]", r#"{"a":[1],"b":[1]}"#),
            (
                "{a: 9007199254740993}",
                "[{op: test, path: /a, value: 9007199254740993}]",
                r#"{"a":9007199254740993}"#,
            ),
        ] {
            assert_eq!(patched(document, patch).as_deref(), Ok(want), "{patch}");
        }
        for (document, patch) in [
            ("{}", "[{op: remove, path: /a}]"),
            ("{}", "[{op: add, path: /a/b, value: 1}]"),
            ("{a: [1]}", "[{op: add, path: /a/5, value: 1}]"),
            ("{a: 1}", "[{op: test, path: /a, value: 2}]"),
            ("{}", "[{op: what, path: /a}]"),
            ("{}", "op: add"),
        ] {
            assert!(patched(document, patch).is_err(), "{patch}");
        }
    }
}
