//! Objects inside of objects must look like objects.

use serde_json::Value;

use super::error::{FieldError, Path};
use super::node::{Additional, Node};

/// Complaints about objects under `x-kubernetes-embedded-resource`.
pub(crate) fn check(value: &Value, root: &Node) -> Vec<FieldError> {
    let mut errors = Vec::new();
    visit(value, root, &Path::ROOT, &mut errors);
    errors
}

fn visit(value: &Value, node: &Node, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            if node.embedded {
                for name in ["apiVersion", "kind"] {
                    if map.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                        errors.push(FieldError::required(path.child(name), "must not be empty"));
                    }
                }
            }
            for (key, child) in map {
                if let Some(property) = node.properties.get(key) {
                    visit(child, property, &path.child(key), errors);
                } else if let Some(Additional::Of(of)) = &node.additional {
                    visit(child, of, &path.key(key), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Some(of) = &node.items {
                for (index, item) in items.iter().enumerate() {
                    visit(item, of, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}
