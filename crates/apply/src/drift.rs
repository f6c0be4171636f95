//! Whether an object differs from what it would become.

use serde_json::{Map, Value};

use crate::metadata::texts;

/// Whether writing would change labels, annotations or anything outside metadata and status.
///
/// Owner references and finalizers do not count, nor do fields that others own: the API server
/// keeps those in its answer.
pub(crate) fn differs(live: &Value, would_be: &Value) -> bool {
    ["labels", "annotations"].iter().any(|field| texts(live, field) != texts(would_be, field))
        || body(live) != body(would_be)
}

fn body(object: &Value) -> Option<Map<String, Value>> {
    let mut object = object.as_object()?.clone();
    object.retain(|key, _| key != "metadata" && key != "status");
    Some(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn status_and_bookkeeping_are_no_drift() {
        let live = json!({"metadata": {"resourceVersion": "1", "finalizers": ["x"]},
                          "spec": {"a": 1, "b": 2}, "status": {"ready": true}});
        let same = json!({"metadata": {"resourceVersion": "2", "labels": {}},
                          "spec": {"b": 2, "a": 1}});
        assert!(!differs(&live, &same));
        assert!(differs(&live, &json!({"metadata": {}, "spec": {"a": 1}})));
        assert!(differs(
            &live,
            &json!({"metadata": {"labels": {"x": "y"}}, "spec": {"a": 1, "b": 2}})
        ));
    }
}
