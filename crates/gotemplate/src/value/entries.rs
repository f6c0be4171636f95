//! What a map holds, in order.

use std::collections::BTreeMap;

use super::{Key, Value};

/// Up to how many entries stand in a row. Most maps are small, and a tree has room for eleven
/// entries in its first node.
const ROW: usize = 16;

/// The entries of a map, by key.
#[derive(Debug)]
pub(super) enum Entries {
    /// Sorted.
    Row(Vec<(Key, Value)>),
    Tree(BTreeMap<Key, Value>),
}

impl Default for Entries {
    fn default() -> Self {
        Self::Row(Vec::new())
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Row(row) => row.len(),
            Self::Tree(tree) => tree.len(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        match self {
            Self::Row(row) => place(row, key).ok().map(|at| &row[at].1),
            Self::Tree(tree) => tree.get(key),
        }
    }

    /// Sets a value and returns the one before.
    pub(super) fn insert(&mut self, key: Key, value: Value) -> Option<Value> {
        match self {
            Self::Tree(tree) => tree.insert(key, value),
            Self::Row(row) => match place(row, &key) {
                Ok(at) => Some(std::mem::replace(&mut row[at].1, value)),
                Err(at) if row.len() < ROW => {
                    row.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    row.push((key, value));
                    *self = Self::Tree(std::mem::take(row).into_iter().collect());
                    None
                }
            },
        }
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        match self {
            Self::Row(row) => place(row, key).ok().map(|at| row.remove(at).1),
            Self::Tree(tree) => tree.remove(key),
        }
    }

    /// A copy of all entries.
    pub(super) fn pairs(&self) -> Vec<(Key, Value)> {
        match self {
            Self::Row(row) => row.clone(),
            Self::Tree(tree) => {
                tree.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        match self {
            Self::Row(row) => row.into_iter().map(|(_, value)| value).collect(),
            Self::Tree(tree) => tree.into_values().collect(),
        }
    }
}

fn place(row: &[(Key, Value)], key: &Key) -> Result<usize, usize> {
    row.binary_search_by(|(known, _)| known.cmp(key))
}

impl FromIterator<(Key, Value)> for Entries {
    /// Of equal keys, the last one counts.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Self {
        let mut row: Vec<_> = entries.into_iter().collect();
        if row.len() > ROW {
            return Self::Tree(row.into_iter().collect());
        }
        row.sort_by(|(a, _), (b, _)| a.cmp(b));
        row.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        row.shrink_to_fit();
        Self::Row(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_a_tree_and_is_in_order() {
        let key = |n: usize| Key::from(&*format!("{n:03}"));
        let all = [(key(1), Value::int(0)), (key(0), Value::Nil), (key(1), Value::int(1))];
        let mut entries: Entries = all.into_iter().collect();
        assert_eq!(entries.len(), 2);
        assert!(matches!(entries.get(&key(1)), Some(Value::Int(1, _))));
        for n in (0..2 * ROW).rev() {
            entries.insert(key(n), Value::Nil);
        }
        assert!(entries.remove(&key(3)).is_some() && entries.remove(&key(3)).is_none());
        let keys: Vec<Key> = entries.pairs().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 2 * ROW - 1);
        assert!(keys.is_sorted() && entries.get(&key(3)).is_none());
        assert_eq!(entries.into_values().len(), keys.len());
    }
}
