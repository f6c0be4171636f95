//! Filling in defaults.

use serde_json::Value;

use super::node::{Additional, Node};

/// Drops nulls a schema neither allows nor has a default for, then fills in defaults.
pub(crate) fn default(value: &mut Value, root: &Node) {
    drop_nulls(value, Some(root));
    fill(value, root);
}

fn is_bad_null(value: &Value, node: &Node) -> bool {
    value.is_null() && !node.nullable
}

fn drop_nulls(value: &mut Value, node: Option<&Node>) {
    match value {
        Value::Object(map) => map.retain(|key, child| {
            let schema = node.and_then(|n| n.field(key));
            if schema.is_some_and(|s| is_bad_null(child, s) && s.default.is_none()) {
                return false;
            }
            drop_nulls(child, schema);
            true
        }),
        Value::Array(items) => {
            let schema = node.and_then(|n| n.items.as_deref());
            for item in items {
                drop_nulls(item, schema);
            }
        }
        _ => {}
    }
}

fn fill(value: &mut Value, node: &Node) {
    match value {
        Value::Object(map) => {
            for (name, property) in &node.properties {
                let Some(default) = &property.default else { continue };
                if map.get(name).is_none_or(|v| is_bad_null(v, property)) {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (key, child) in map.iter_mut() {
                if let Some(property) = node.properties.get(key) {
                    fill(child, property);
                } else if let Some(Additional::Of(of)) = &node.additional {
                    fill_entry(child, of);
                }
            }
        }
        Value::Array(items) => {
            let Some(of) = &node.items else { return };
            for item in items {
                fill_entry(item, of);
            }
        }
        _ => {}
    }
}

fn fill_entry(value: &mut Value, node: &Node) {
    if is_bad_null(value, node) {
        *value = node.default.clone().unwrap_or(Value::Null);
    }
    fill(value, node);
}
