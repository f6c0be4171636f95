//! Lists of type set and map hold no element twice.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::{FieldError, Path};
use super::go;
use super::node::{Additional, ListKind, Node};

/// The elements that are there twice, each told once.
pub(crate) fn duplicates(value: &Value, root: &Node) -> Vec<FieldError> {
    let mut errors = Vec::new();
    visit(value, root, &Path::ROOT, &mut errors);
    errors
}

fn visit(value: &Value, node: &Node, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                if let Some(Additional::Of(of)) = &node.additional {
                    visit(child, of, &path.key(key), errors);
                } else if let Some(property) = node.properties.get(key) {
                    visit(child, property, &path.child(key), errors);
                }
            }
        }
        Value::Array(items) => {
            match &node.list {
                Some(ListKind::Set) => check_set(items, path, errors),
                Some(ListKind::Map(keys)) => check_map(items, keys, path, errors),
                _ => {}
            }
            if let Some(of) = &node.items {
                for (index, item) in items.iter().enumerate() {
                    visit(item, of, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_set(items: &[Value], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    for index in repeated(items) {
        errors.push(FieldError::duplicate(path.index(index), &items[index]));
    }
}

fn check_map(items: &[Value], keys: &[String], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(index) = items.iter().position(|item| !item.is_null() && !item.is_object()) {
        let detail = "must be an object for an array of list-type map";
        errors.push(FieldError::invalid(path.index(index), &items[index], detail));
        return;
    }
    let key_of = |item: &Value| {
        let fields = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let found: Vec<Value> = items.iter().map(key_of).collect();
    for index in repeated(&found) {
        errors.push(FieldError::duplicate(path.index(index), &found[index]));
    }
}

/// The indices at which a value appears for the second time.
fn repeated(values: &[Value]) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut indices = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let times = seen.entry(go::json(value)).or_default();
        *times += 1;
        if *times == 2 {
            indices.push(index);
        }
    }
    indices
}
