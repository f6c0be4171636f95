//! Labels and annotations with which people control what happens to an object.

use serde_json::Value;

use crate::metadata::texts;

/// Whether an object is left alone by apply and prune: `<group>/reconcile: disabled` or
/// `<group>/ssa: Ignore`.
pub(crate) fn is_excluded(object: &Value, group: &str) -> bool {
    says(object, group, "reconcile", "disabled") || says(object, group, "ssa", "Ignore")
}

/// Whether an object is only created, never changed.
pub(crate) fn if_not_present(object: &Value, group: &str) -> bool {
    says(object, group, "ssa", "IfNotPresent")
}

/// Whether fields of other managers stay.
pub(crate) fn merges(object: &Value, group: &str) -> bool {
    says(object, group, "ssa", "Merge")
}

/// Whether an object may be created anew.
pub(crate) fn is_forced(object: &Value, group: &str) -> bool {
    says(object, group, "force", "enabled")
}

/// Whether an object must not be pruned.
pub(crate) fn is_kept(object: &Value, group: &str) -> bool {
    says(object, group, "prune", "disabled") || says(object, group, "reconcile", "disabled")
}

/// Whether a label or annotation `<group>/<key>` has this value, whatever its case.
fn says(object: &Value, group: &str, key: &str, value: &str) -> bool {
    let key = format!("{group}/{key}");
    ["labels", "annotations"].iter().any(|field| {
        texts(object, field).get(&key).is_some_and(|found| found.eq_ignore_ascii_case(value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_annotations_count_in_any_case() {
        let group = "kustomize.toolkit.fluxcd.io";
        let object = json!({"metadata": {
            "labels": {"kustomize.toolkit.fluxcd.io/ssa": "ignore"},
            "annotations": {"kustomize.toolkit.fluxcd.io/force": "Enabled"},
        }});
        assert!(is_excluded(&object, group) && is_forced(&object, group));
        assert!(!is_kept(&object, group) && !merges(&object, group));
    }
}
