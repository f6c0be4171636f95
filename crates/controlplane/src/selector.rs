//! Label selectors as objects hold them: `matchLabels` and `matchExpressions`.

use serde_json::Value;

/// Whether `selector` chooses what has `labels`. An empty selector chooses everything.
pub(crate) fn chooses(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    wanted.into_iter().all(|(key, value)| label(key) == value.as_str())
        && expressions.into_iter().all(|expression| {
            let found = expression["key"].as_str().and_then(label);
            let listed = || {
                let values = expression["values"].as_array();
                values.is_some_and(|all| all.iter().any(|v| found.is_some() && v.as_str() == found))
            };
            match expression["operator"].as_str() {
                Some("In") => listed(),
                Some("NotIn") => !listed(),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_choose_by_labels() {
        let labels = json!({"a": "1", "b": "2"});
        for (selector, want) in [
            (json!({}), true),
            (json!({"matchLabels": {"a": "1"}}), true),
            (json!({"matchLabels": {"a": "2"}}), false),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "3"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["1"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "c", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}), true),
        ] {
            assert_eq!(chooses(&selector, &labels), want, "{selector}");
        }
    }
}
