//! How the schemas of deprecated versions are made of today's.

use serde_json::{Value, json};

/// The properties of `spec` in a version.
pub(super) fn spec(version: &mut Value) -> &mut Value {
    &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
}

/// The properties of `status` in a version.
pub(super) fn status(version: &mut Value) -> &mut Value {
    &mut version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
}

/// The CEL rules of `spec` in a version.
pub(super) fn rules(version: &mut Value) -> &mut Value {
    &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"]
}

/// Takes away what came later.
pub(super) fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// Takes away a version's CEL rules of `spec`.
pub(super) fn remove_rules(version: &mut Value) {
    remove(
        &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"],
        &["x-kubernetes-validations"],
    );
}

/// A text that has no meaning any more.
pub(super) fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// `accessFrom`, which was never put into practice.
pub(super) fn access_from() -> Value {
    json!({
        "type": "object",
        "description": "Without effect; it was never put into practice.",
        "required": ["namespaceSelectors"],
        "properties": {"namespaceSelectors": {
            "type": "array",
            "description": "Namespaces, chosen by their labels.",
            "items": {
                "type": "object",
                "description": "One choice.",
                "properties": {"matchLabels": {
                    "type": "object", "additionalProperties": {"type": "string"},
                    "description": "Labels the namespace must carry."
                }},
            },
        }},
    })
}

/// Adds the two older ways to write patches to properties that have `patches`.
pub(super) fn add_patches(properties: &mut Value) {
    let target = properties["patches"]["items"]["properties"]["target"].clone();
    properties["patchesStrategicMerge"] = json!({
        "type": "array",
        "description": "Strategic merge patches; see patches.",
        "items": {"x-kubernetes-preserve-unknown-fields": true},
    });
    properties["patchesJson6902"] = json!({
        "type": "array",
        "description": "JSON patches; see patches.",
        "items": {
            "type": "object",
            "description": "One patch.",
            "required": ["patch", "target"],
            "properties": {
                "patch": {
                    "type": "array",
                    "description": "Its operations.",
                    "items": operation(),
                },
                "target": target,
            },
        },
    });
}

/// An operation of RFC 6902.
fn operation() -> Value {
    json!({
        "type": "object",
        "description": "One operation.",
        "required": ["op", "path"],
        "properties": {
            "op": {
                "type": "string",
                "enum": ["test", "remove", "add", "replace", "move", "copy"],
                "description": "What is done.",
            },
            "path": {"type": "string", "description": "Where it is done, as a JSON pointer."},
            "from": {"type": "string", "description": "Where the value comes from."},
            "value": {
                "x-kubernetes-preserve-unknown-fields": true,
                "description": "The value.",
            },
        },
    })
}
