//! Finding the old value of what is being checked.

use serde_json::Value;

use super::node::{ListKind, Node};
use super::value::equal;

/// The old value that belongs to a new one, with the schema of both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Correlated<'a> {
    old: &'a Value,
    node: &'a Node,
}

impl<'a> Correlated<'a> {
    pub(crate) fn new(old: &'a Value, node: &'a Node) -> Self {
        Self { old, node }
    }

    /// The old value of the named field.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        let old = self.old.as_object()?.get(name)?;
        Some(Self { old, node: self.node.field(name)? })
    }

    /// The old value of a list item; only lists of type map can tell.
    pub(crate) fn item(self, new: &Value) -> Option<Self> {
        let old = find_item(self.node, self.old, new)?;
        Some(Self { old, node: self.node.items.as_deref()? })
    }

    /// Whether the new value is the old one, as far as kube-apiserver can see it: objects with
    /// fields that no schema knows never are.
    pub(crate) fn is_unchanged(self, new: &Value) -> bool {
        match (self.old, new) {
            (Value::Null, Value::Null) => true,
            (Value::Array(old), Value::Array(items)) => {
                let same = |item: &Value| self.item(item).is_some_and(|old| old.is_unchanged(item));
                old.len() == items.len()
                    && match self.node.list {
                        Some(ListKind::Map(_)) => items.iter().all(same),
                        _ => old.iter().zip(items).all(|(a, b)| equal(a, b)),
                    }
            }
            (Value::Object(old), Value::Object(fields)) => {
                let same = |(name, value): (&String, &Value)| {
                    self.field(name).is_some_and(|old| old.is_unchanged(value))
                };
                old.len() == fields.len() && fields.iter().all(same)
            }
            (old, new) => old == new,
        }
    }
}

/// The item of an old list of type map that has the key of `new`; without a whole key there is
/// none.
pub(crate) fn find_item<'a>(node: &Node, old: &'a Value, new: &Value) -> Option<&'a Value> {
    let keys = node.list_keys()?;
    let new = new.as_object()?;
    let same = |item: &&Value| {
        item.as_object().is_some_and(|old| {
            keys.iter().all(|key| match (old.get(key), new.get(key)) {
                (Some(a), Some(b)) => equal(a, b),
                _ => false,
            })
        })
    };
    old.as_array()?.iter().find(same)
}
