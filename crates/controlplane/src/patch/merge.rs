//! RFC 7386.

use serde_json::{Map, Value};

use super::Error;

/// The document with the patch merged into it.
pub(crate) fn merge(document: &Value, patch: &Value) -> Result<Value, Error> {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => {
            let mut merged = document.clone();
            merge_maps(&mut merged, patch);
            Ok(Value::Object(merged))
        }
        (_, Value::Object(_) | Value::Array(_)) => {
            let mut replaced = patch.clone();
            drop_nulls(&mut replaced);
            Ok(replaced)
        }
        _ => Err(Error::BadRequest("Invalid JSON Patch".to_owned())),
    }
}

fn merge_maps(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (document.get_mut(name), value) {
            (_, Value::Null) => {
                document.shift_remove(name);
            }
            (Some(Value::Object(below)), Value::Object(patch)) => merge_maps(below, patch),
            (Some(Value::Object(_)), other) => {
                document.insert(name.clone(), other.clone());
            }
            _ => {
                let mut value = value.clone();
                drop_nulls(&mut value);
                document.insert(name.clone(), value);
            }
        }
    }
}

/// Removes members that are null, in lists too.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_rfc_7386() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (document, patch, want) in cases {
            assert_eq!(merge(&document, &patch).unwrap(), want, "{document} {patch}");
        }
        assert!(matches!(merge(&json!({}), &json!("c")), Err(Error::BadRequest(_))));
        assert!(matches!(merge(&json!({}), &json!(null)), Err(Error::BadRequest(_))));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|map| json!(map))
        })
        .prop_filter("an object", Value::is_object)
    }

    proptest! {
        #[test]
        fn merging_twice_changes_nothing(document in documents(), patch in documents()) {
            let once = merge(&document, &patch).unwrap();
            prop_assert_eq!(merge(&once, &patch).unwrap(), once);
        }
    }
}
