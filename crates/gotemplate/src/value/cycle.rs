//! Freeing values that only hold each other.
//!
//! A template can put a dictionary into itself (`set $d "self" $d`), and reference counting alone
//! would keep such a value for ever.

use std::collections::BTreeMap;

use super::{Map, Value};

/// A list or map that can be reached from a changed map.
struct Node {
    value: Value,
    /// How many of the other nodes hold it.
    held: usize,
    live: bool,
}

/// Empties those of the maps, and of all that can be reached from them, that nothing outside holds.
pub(crate) fn free_cycles(changed: impl Iterator<Item = Map>) {
    let mut nodes: BTreeMap<usize, Node> = BTreeMap::new();
    let mut work: Vec<Value> = changed.map(Value::Map).collect();
    for value in &work {
        visit(&mut nodes, value);
    }
    while let Some(value) = work.pop() {
        for child in children(&value) {
            let is_new = visit(&mut nodes, &child);
            if let Some(node) = address(&child).and_then(|at| nodes.get_mut(&at)) {
                node.held += 1;
            }
            if is_new {
                work.push(child);
            }
        }
    }
    // A node's own value is one holder, too.
    let outside = |node: &Node| holders(&node.value) > node.held + 1;
    let mut live: Vec<Value> =
        nodes.values().filter(|node| outside(node)).map(|node| node.value.clone()).collect();
    while let Some(value) = live.pop() {
        let Some(node) = address(&value).and_then(|at| nodes.get_mut(&at)) else { continue };
        if !std::mem::replace(&mut node.live, true) {
            live.append(&mut children(&value));
        }
    }
    for node in nodes.into_values().filter(|node| !node.live) {
        if let Value::Map(map) = &node.value {
            map.clear();
        }
    }
}

/// Adds a list or map; whether it was not known.
fn visit(nodes: &mut BTreeMap<usize, Node>, value: &Value) -> bool {
    let Some(at) = address(value) else { return false };
    let known = nodes.contains_key(&at);
    if !known {
        nodes.insert(at, Node { value: value.clone(), held: 0, live: false });
    }
    !known
}

fn address(value: &Value) -> Option<usize> {
    match value {
        Value::List(list) => Some(list.address()),
        Value::Map(map) => Some(map.address()),
        _ => None,
    }
}

fn holders(value: &Value) -> usize {
    match value {
        Value::List(list) => list.holders(),
        Value::Map(map) => map.holders(),
        _ => 0,
    }
}

/// The lists and maps in a list or map.
fn children(value: &Value) -> Vec<Value> {
    let is_container = |value: &Value| address(value).is_some();
    match value {
        Value::List(list) => list.items().into_iter().filter(is_container).collect(),
        Value::Map(map) => {
            map.entries().into_iter().map(|(_, value)| value).filter(is_container).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreachable_cycles_are_freed() {
        let lost = Map::dict([("text".into(), "x".into())]);
        lost.set("self".into(), Value::list(vec![Value::Map(lost.clone())]));
        let kept = Map::dict([("text".into(), "x".into())]);
        kept.set("self".into(), Value::Map(kept.clone()));
        lost.set("kept".into(), Value::Map(kept.clone()));
        let Some(Value::List(holder)) = lost.get(&"self".into()) else { panic!("not a list") };
        free_cycles([kept.clone(), lost.clone()].into_iter());
        assert_eq!((kept.len(), lost.len()), (2, 3), "both are still held here");
        drop(lost);
        let Some(Value::Map(lost)) = holder.get(0) else { panic!("not a map") };
        drop(holder);
        free_cycles([lost].into_iter());
        assert_eq!(kept.len(), 2);
    }
}
