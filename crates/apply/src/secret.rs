//! Keeping the contents of Secrets out of what people are shown.

use serde_json::Value;

const SAME: &str = "***";
const BEFORE: &str = "*** (before)";
const AFTER: &str = "*** (after)";

/// Replaces the values of `data` and `stringData` of a Secret before and after a change, so that
/// one sees which of them change. Other kinds stay as they are.
pub fn mask(before: Option<&mut Value>, after: &mut Value) {
    if after["kind"] != "Secret" || after["apiVersion"] != "v1" {
        return;
    }
    let mut nothing = Value::Null;
    let before = before.unwrap_or(&mut nothing);
    for field in ["data", "stringData"] {
        mask_field(before.get_mut(field), after.get_mut(field));
    }
}

fn mask_field(before: Option<&mut Value>, after: Option<&mut Value>) {
    let (mut empty, mut none) = (serde_json::Map::new(), serde_json::Map::new());
    let before = before.and_then(Value::as_object_mut).unwrap_or(&mut empty);
    let after = after.and_then(Value::as_object_mut).unwrap_or(&mut none);
    for (key, old) in before.iter_mut() {
        let new = after.get_mut(key);
        let differs = new.as_ref().is_some_and(|new| **new != *old);
        if let Some(new) = new {
            *new = if differs { AFTER } else { SAME }.into();
        }
        *old = if differs { BEFORE } else { SAME }.into();
    }
    for (_, new) in after.iter_mut().filter(|(key, _)| !before.contains_key(*key)) {
        *new = SAME.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_sees_which_values_change_and_no_value() {
        let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "data": data});
        let mut before = secret(json!({"a": "MQ==", "b": "Mg==", "gone": "Mw=="}));
        let mut after = secret(json!({"a": "MQ==", "b": "NA==", "new": "NQ=="}));
        mask(Some(&mut before), &mut after);
        assert_eq!(before["data"], json!({"a": SAME, "b": BEFORE, "gone": SAME}));
        assert_eq!(after["data"], json!({"a": SAME, "b": AFTER, "new": SAME}));
    }
}
