//! Strategic merge patches: lists are merged by the keys that Kubernetes' types name.

use serde_json::{Map, Value, json};

use super::merge::same;

/// How a field is patched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    /// A list that is merged, not replaced; of objects if there is a key, else of scalars.
    pub merge: bool,
    /// The field that tells the objects of a list apart.
    pub merge_key: Option<String>,
    /// What is not named in the new object goes, whatever it is.
    pub retain_keys: bool,
}

/// What is known of the fields of a kind. Places in a list have no part in a path: the ports of a
/// Pod's containers are at `["spec", "containers", "ports"]`.
pub trait Fields {
    /// How the field at a path is patched.
    fn field(&self, path: &[&str]) -> Field;
}

/// The patch that brings `live` to `new`, and takes away what `old` had and `new` has not
/// (`strategicpatch.CreateThreeWayMergePatch` with overwriting). What others added to `live` stays.
pub fn strategic(old: &Value, new: &Value, live: &Value, fields: &dyn Fields) -> Value {
    let empty = Map::new();
    let old = old.as_object().unwrap_or(&empty);
    let new = new.as_object().unwrap_or(&empty);
    let live = live.as_object().unwrap_or(&empty);
    let mut work = Work { fields, path: Vec::new(), deletes: false };
    let mut patch = work.objects(live, new);
    work.deletes = true;
    let deletions = work.objects(old, new);
    lay_over(&mut patch, deletions, &mut work);
    Value::Object(patch)
}

/// The field in which a patch tells the order of a list.
fn order_of(key: &str) -> String {
    format!("$setElementOrder/{key}")
}

fn deletions_of(key: &str) -> String {
    format!("$deleteFromPrimitiveList/{key}")
}

struct Work<'a> {
    fields: &'a dyn Fields,
    path: Vec<String>,
    /// Only what is gone counts; otherwise only what is new or changed.
    deletes: bool,
}

impl Work<'_> {
    fn field(&self) -> Field {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        self.fields.field(&path)
    }

    /// The patch from `from` to `to`. The depth is bounded by the reader of the objects.
    fn objects(
        &mut self,
        from: &Map<String, Value>,
        to: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut patch = Map::new();
        for (key, before) in from {
            let Some(after) = to.get(key) else {
                if self.deletes {
                    patch.insert(key.clone(), Value::Null);
                }
                continue;
            };
            self.path.push(key.clone());
            self.entry(key, before, after, &mut patch);
            self.path.pop();
        }
        if !self.deletes {
            for (key, after) in to.iter().filter(|(key, _)| !from.contains_key(*key)) {
                patch.insert(key.clone(), after.clone());
            }
        }
        patch
    }

    fn entry(&mut self, key: &str, before: &Value, after: &Value, patch: &mut Map<String, Value>) {
        if same(before, after) {
            return;
        }
        let field = self.field();
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let mut inner = self.objects(before, after);
                if field.retain_keys && !inner.is_empty() {
                    let keys: Vec<&String> = after.keys().collect();
                    inner.insert("$retainKeys".to_owned(), json!(keys));
                }
                if !inner.is_empty() {
                    patch.insert(key.to_owned(), Value::Object(inner));
                }
            }
            (Value::Array(before), Value::Array(after)) if field.merge => match &field.merge_key {
                Some(merge_key) => self.lists(key, merge_key, (before, after), patch),
                None => self.scalars(key, before, after, patch),
            },
            (_, after) if !self.deletes => {
                patch.insert(key.to_owned(), after.clone());
            }
            _ => {}
        }
    }

    /// Lists of objects that are told apart by a key.
    fn lists(
        &mut self,
        key: &str,
        merge_key: &str,
        (before, after): (&[Value], &[Value]),
        patch: &mut Map<String, Value>,
    ) {
        let find = |list: &'_ [Value], id: &Value| {
            list.iter().position(|item| item.get(merge_key).is_some_and(|it| same(it, id)))
        };
        let mut items = Vec::new();
        for item in after {
            let (Some(id), Some(new)) = (item.get(merge_key), item.as_object()) else { continue };
            match find(before, id).and_then(|at| before[at].as_object()) {
                Some(old) => {
                    let mut inner = self.objects(old, new);
                    if !inner.is_empty() {
                        inner.insert(merge_key.to_owned(), id.clone());
                        items.push(Value::Object(inner));
                    }
                }
                None if !self.deletes => items.push(item.clone()),
                None => {}
            }
        }
        if self.deletes {
            for item in before {
                let Some(id) = item.get(merge_key) else { continue };
                if find(after, id).is_none() {
                    items.push(json!({"$patch": "delete", merge_key: id}));
                }
            }
        }
        let order: Vec<Value> =
            after.iter().filter_map(|it| Some(json!({merge_key: it.get(merge_key)?}))).collect();
        if !items.is_empty() || !self.deletes {
            patch.insert(order_of(key), Value::Array(order));
        }
        if !items.is_empty() {
            patch.insert(key.to_owned(), Value::Array(items));
        }
    }

    fn scalars(
        &self,
        key: &str,
        before: &[Value],
        after: &[Value],
        patch: &mut Map<String, Value>,
    ) {
        let missing = |list: &[Value], others: &[Value]| -> Vec<Value> {
            list.iter().filter(|it| !others.iter().any(|other| same(it, other))).cloned().collect()
        };
        let (name, items) = if self.deletes {
            (deletions_of(key), missing(before, after))
        } else {
            (key.to_owned(), missing(after, before))
        };
        if !items.is_empty() {
            patch.insert(order_of(key), Value::Array(after.to_vec()));
            patch.insert(name, Value::Array(items));
        }
    }
}

/// Adds the deletions to the changes.
fn lay_over(patch: &mut Map<String, Value>, deletions: Map<String, Value>, work: &mut Work<'_>) {
    for (key, deletion) in deletions {
        work.path.push(key.clone());
        match (patch.get_mut(&key), deletion) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_over(below, above, work),
            (Some(Value::Array(below)), Value::Array(above)) if !key.starts_with('$') => {
                let merge_key = work.field().merge_key.unwrap_or_default();
                add_items(below, above, &merge_key, work);
            }
            // What the cluster lacks already, and what is set anew, is not deleted.
            (Some(_), _) => {}
            (None, deletion) => {
                patch.insert(key, deletion);
            }
        }
        work.path.pop();
    }
}

fn add_items(below: &mut Vec<Value>, above: Vec<Value>, merge_key: &str, work: &mut Work<'_>) {
    for item in above {
        let id = item.get(merge_key).cloned().unwrap_or_default();
        let known =
            below.iter_mut().find(|it| it.get(merge_key).is_some_and(|known| same(known, &id)));
        match (known, item) {
            (Some(Value::Object(known)), Value::Object(entries)) => {
                lay_over(known, entries, work);
            }
            (_, item) => below.push(item),
        }
    }
}
