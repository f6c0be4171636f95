//! Removing what a schema does not know.

use serde_json::Value;

use super::node::{Additional, Node};

/// The fields every object has, known without being named in a schema.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes unknown fields below `value` (the whole object); answers their sorted paths.
pub(crate) fn prune(value: &mut Value, root: &Node) -> Vec<String> {
    let mut pruner = Pruner { path: String::new(), unknown: Vec::new() };
    if root.preserve_unknown {
        pruner.keep(value, root, true);
    } else {
        pruner.prune(value, Some(root), true);
    }
    pruner.unknown.sort();
    pruner.unknown
}

/// Removes unknown fields of a value that is part of an object.
pub(crate) fn prune_part(value: &mut Value, node: &Node) -> Vec<String> {
    let mut pruner = Pruner { path: String::new(), unknown: Vec::new() };
    pruner.prune_child(value, Some(node));
    pruner.unknown
}

struct Pruner {
    path: String,
    unknown: Vec<String>,
}

impl Pruner {
    /// Prunes by the schema; without one every field goes.
    fn prune(&mut self, value: &mut Value, node: Option<&Node>, resource: bool) {
        if let Some(node) = node
            && node.preserve_unknown
        {
            return self.keep(value, node, resource || node.embedded);
        }
        match value {
            Value::Object(map) => {
                map.retain(|key, child| self.is_known(key, child, node, resource));
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let items = node.and_then(|n| n.items.as_deref());
                    self.at_index(index, |this| this.prune_child(item, items));
                }
            }
            _ => {}
        }
    }

    fn prune_child(&mut self, value: &mut Value, node: Option<&Node>) {
        self.prune(value, node, node.is_some_and(|n| n.embedded));
    }

    /// Whether the field stays; what is below it is pruned.
    fn is_known(
        &mut self,
        key: &str,
        child: &mut Value,
        node: Option<&Node>,
        resource: bool,
    ) -> bool {
        let Some(node) = node else {
            self.record(key);
            return false;
        };
        if resource && META.contains(&key) {
            return true;
        }
        match (node.properties.get(key), &node.additional) {
            (Some(known), _) => self.at_key(key, |this| this.prune_child(child, Some(known))),
            (None, Some(Additional::Of(of))) => {
                self.at_key(key, |this| this.prune_child(child, Some(of)));
            }
            (None, Some(Additional::Any(_))) => {
                self.at_key(key, |this| this.prune_child(child, None));
            }
            (None, None) => {
                self.record(key);
                return false;
            }
        }
        true
    }

    /// Keeps unknown fields, but prunes below the known ones.
    fn keep(&mut self, value: &mut Value, node: &Node, resource: bool) {
        match value {
            Value::Object(map) => {
                for (key, child) in map.iter_mut() {
                    if resource && META.contains(&key.as_str()) {
                        continue;
                    }
                    match (node.properties.get(key), &node.additional) {
                        (Some(known), _) => {
                            self.at_key(key, |this| this.prune_child(child, Some(known)));
                        }
                        (None, Some(Additional::Of(of))) => {
                            self.at_key(key, |this| this.prune_child(child, Some(of)));
                        }
                        (None, Some(Additional::Any(_))) => {
                            self.at_key(key, |this| this.prune_child(child, None));
                        }
                        (None, None) => {}
                    }
                }
            }
            Value::Array(items) => {
                let Some(of) = node.items.as_deref() else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    self.at_index(index, |this| this.keep(item, of, of.embedded));
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, key: &str) {
        let path =
            if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.unknown.push(path);
    }

    fn at_key(&mut self, key: &str, run: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        run(self);
        self.path.truncate(length);
    }

    fn at_index(&mut self, index: usize, run: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.extend(["[", index.to_string().as_str(), "]"]);
        run(self);
        self.path.truncate(length);
    }
}
