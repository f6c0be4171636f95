//! JSON merge patches (RFC 7386).

use serde_json::{Map, Value};

/// The patch that makes `new` of `old`; an empty object if nothing differs.
///
/// ```
/// use serde_json::json;
/// let patch = helm::patch::merge(&json!({"a": 1, "b": {"c": [1]}}), &json!({"b": {"c": [2], "d": 3}}));
/// assert_eq!(patch, json!({"a": null, "b": {"c": [2], "d": 3}}));
/// ```
pub fn merge(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => Value::Object(difference(old, new)),
        _ => new.clone(),
    }
}

/// The depth of objects is bounded by their reader.
fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, after) in new {
        match (old.get(key), after) {
            (Some(before), after) if same(before, after) => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(key.clone(), Value::Object(difference(before, after)));
            }
            (_, after) => {
                patch.insert(key.clone(), after.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// The patch that brings `live` to `new`, and takes away what `old` had and `new` has not. What others
/// added to `live` stays.
pub fn three_way_merge(old: &Value, new: &Value, live: &Value) -> Value {
    let changes = only(&merge(live, new), false);
    let deletions = only(&merge(old, new), true);
    let mut patch = changes.unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(deletions) = deletions {
        lay_over(&mut patch, deletions);
    }
    patch
}

/// The nulls of a patch, or what is none.
fn only(patch: &Value, nulls: bool) -> Option<Value> {
    match patch {
        Value::Null => nulls.then_some(Value::Null),
        Value::Object(entries) => {
            let kept = |(key, value): (&String, &Value)| Some((key.clone(), only(value, nulls)?));
            let entries: Map<String, Value> = entries.iter().filter_map(kept).collect();
            (!entries.is_empty()).then_some(Value::Object(entries))
        }
        other => (!nulls).then(|| other.clone()),
    }
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(place) => lay_over(place, value),
                    None => {
                        below.insert(key, value);
                    }
                }
            }
        }
        (below, above) => *below = above,
    }
}

/// Whether two values are the same; 1 and 1.0 are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
