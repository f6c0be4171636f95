//! Labels and annotations of objects: owners and common metadata.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Owner;

/// Puts the owner's labels `<group>/name` and `<group>/namespace` on an object.
///
/// Labels that are not all text are replaced, as upstream does: the API server would not take them.
pub fn set_owner(object: &mut Value, owner: &Owner) {
    merge(object, "labels", &owner.labels());
}

/// Puts labels and annotations on an object; present ones are overwritten.
pub fn set_common(
    object: &mut Value,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) {
    merge(object, "labels", labels);
    merge(object, "annotations", annotations);
}

/// The values of `metadata.labels` or `metadata.annotations`; none if one of them is no text.
pub(crate) fn texts(object: &Value, field: &str) -> BTreeMap<String, String> {
    let Some(map) = object["metadata"][field].as_object() else { return BTreeMap::new() };
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    map.iter().map(text).collect::<Option<_>>().unwrap_or_default()
}

fn merge(object: &mut Value, field: &str, more: &BTreeMap<String, String>) {
    if more.is_empty() || !object.is_object() {
        return;
    }
    let mut all = texts(object, field);
    all.extend(more.clone());
    let all: Map<String, Value> = all.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    metadata[field] = Value::Object(all);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn common_metadata_overwrites_and_keeps_the_rest() {
        let mut object = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
        set_common(&mut object, &of(&[("b", "3")]), &of(&[("x", "y")]));
        let want = json!({"metadata": {"labels": {"a": "1", "b": "3"}, "annotations": {"x": "y"}}});
        assert_eq!(object, want);
    }

    #[test]
    fn labels_that_are_no_text_do_not_survive() {
        let mut object = json!({"metadata": {"labels": {"a": 1, "b": "2"}}});
        set_common(&mut object, &of(&[("c", "3")]), &BTreeMap::new());
        assert_eq!(object["metadata"]["labels"], json!({"c": "3"}));
    }
}
