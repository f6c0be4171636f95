//! Lists whose items have keys, or are texts.

use super::directive::{Directive, take_list_directive};
use super::{Merger, missing};
use crate::Error;
use crate::node::{Node, Scalar, Tag};
use crate::schema::Place;

/// The values of the keys of one item; empty for a key it lacks.
type Values = Vec<String>;

impl<'s> Merger<'s> {
    pub(super) fn lists(
        &self,
        dest: Option<Node>,
        patch: Option<Node>,
        keys: &[&str],
        (place, depth): (Option<Place<'s>>, usize),
    ) -> Result<Option<Node>, Error> {
        if patch.as_ref().is_some_and(Node::is_null) {
            return Ok(None);
        }
        let alone = missing(dest.as_ref());
        let mut patch = patch.map(into_items);
        let mut dest = match dest.filter(|dest| !dest.is_null()) {
            Some(dest) => into_items(dest),
            None => patch.clone().unwrap_or_default(),
        };
        if let Some(patch) = &mut patch {
            match take_list_directive(patch)? {
                Directive::Delete if !alone => return Ok(None),
                Directive::Delete | Directive::Replace => dest.clone_from(patch),
                Directive::Merge => {}
            }
            take_list_directive(&mut dest)?;
        }
        let keys = if keys.is_empty() { &[""] } else { keys };
        let mut list = Lists { dest, patch: patch.unwrap_or_default(), keys };
        let merged = self.items(&mut list, place.and_then(Place::item), depth)?;
        Ok(Some(Node::List(merged)))
    }

    fn items(
        &self,
        list: &mut Lists<'_>,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<Vec<Node>, Error> {
        let all = list.all_values();
        let used = used_keys(&all, list.keys);
        let mut added = Vec::new();
        for values in &all {
            let values: Vec<String> = used.iter().map(|at| values[*at].clone()).collect();
            let keys: Vec<&str> = used.iter().map(|at| list.keys[*at]).collect();
            let wanted = Wanted { keys: &keys, values: &values };
            let at = wanted.find(&list.dest);
            let new = wanted.find(&list.patch).map(|at| list.patch[at].clone());
            let old = at.map(|at| list.dest[at].clone());
            let merged = self.nodes(old, new, place, depth + 1)?;
            match merged.filter(|node| {
                !node.is_null() && node.as_map().is_none_or(|map| !map.pairs.is_empty())
            }) {
                None => put(&mut list.dest, None, &wanted),
                Some(mut node) => {
                    complete(&mut node, &wanted);
                    if let Some(at) = at {
                        list.dest[at].clone_from(&node);
                    }
                    put(&mut added, Some(node), &wanted);
                }
            }
        }
        if all.is_empty() {
            return Ok(std::mem::take(&mut list.dest));
        }
        let keys: Vec<&str> = used.iter().map(|at| list.keys[*at]).collect();
        append(&mut added, std::mem::take(&mut list.dest), &keys);
        Ok(added)
    }
}

struct Lists<'k> {
    dest: Vec<Node>,
    patch: Vec<Node>,
    keys: &'k [&'k str],
}

impl Lists<'_> {
    /// The values of all items, the patch's first, each once; partial ones completed by others.
    fn all_values(&self) -> Vec<Values> {
        let mut seen = std::collections::HashSet::new();
        let mut all: Vec<Values> = Vec::new();
        for item in self.patch.iter().chain(&self.dest) {
            let values: Values = self.keys.iter().map(|key| key_of(item, key).to_owned()).collect();
            if seen.insert(values.clone()) {
                all.push(values);
            }
        }
        if self.keys.len() > 1 {
            complete_values(&mut all, self.keys);
            all.dedup();
        }
        all
    }
}

fn into_items(node: Node) -> Vec<Node> {
    match node {
        Node::List(items) => items,
        _ => Vec::new(),
    }
}

/// The value of a key of an item; the item itself for the key of texts.
fn key_of<'n>(item: &'n Node, key: &str) -> &'n str {
    match item {
        Node::Map(map) => map.get(key).filter(|node| !node.is_empty()).map_or("", Node::value),
        item if key.is_empty() => item.value(),
        _ => "",
    }
}

/// The value that a missing key stands for, if one is known.
fn default_of(key: &str) -> &'static str {
    if key == "protocol" { "TCP" } else { "" }
}

/// Whether two values of a key mean the same.
fn same_value(key: &str, one: &str, other: &str) -> bool {
    let default = default_of(key);
    let or_default =
        |value: &str| if value.is_empty() { default.to_owned() } else { value.to_owned() };
    one == other || or_default(one) == or_default(other)
}

/// Items that mean the same count as one, by the values of the one that says more.
fn complete_values(all: &mut [Values], keys: &[&str]) {
    for one in 0..all.len() {
        for other in 0..all.len() {
            let same = keys
                .iter()
                .enumerate()
                .all(|(at, key)| same_value(key, &all[one][at], &all[other][at]));
            if same && all[one] != all[other] {
                let pairs = all[one].iter().zip(&all[other]);
                let longer =
                    |(a, b): (&String, &String)| if a.is_empty() { b.clone() } else { a.clone() };
                let joined: Values = pairs.map(longer).collect();
                all[one].clone_from(&joined);
                all[other] = joined;
            }
        }
    }
}

/// Which keys any item has; all of them if none has any.
fn used_keys(all: &[Values], keys: &[&str]) -> Vec<usize> {
    let has = |at: &usize| all.iter().any(|values| !values[*at].is_empty());
    let used: Vec<usize> = (0..keys.len()).filter(has).collect();
    if used.is_empty() { (0..keys.len()).collect() } else { used }
}

struct Wanted<'w> {
    keys: &'w [&'w str],
    values: &'w [String],
}

impl Wanted<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys.iter().copied().zip(self.values.iter().map(String::as_str))
    }

    /// Where the item with these values is, or one whose missing keys mean them.
    fn find(&self, items: &[Node]) -> Option<usize> {
        let exact = |item: &Node| self.is_met_by(item);
        let meant = |item: &Node| {
            self.pairs().all(|(key, value)| same_value(key, key_of(item, key), value))
        };
        items.iter().position(exact).or_else(|| items.iter().position(meant))
    }

    fn is_met_by(&self, item: &Node) -> bool {
        self.pairs().all(|(key, value)| key_of(item, key) == value)
    }
}

/// Puts an item in the place of those with the same values, or at the end; without an item, takes
/// them out.
fn put(items: &mut Vec<Node>, item: Option<Node>, wanted: &Wanted<'_>) {
    let mut found = false;
    items.retain_mut(|old| {
        if old.is_null() || old.as_map().is_some_and(|map| map.pairs.is_empty()) {
            return false;
        }
        if !wanted.is_met_by(old) {
            return true;
        }
        found = true;
        match &item {
            Some(item) => {
                old.clone_from(item);
                true
            }
            None => false,
        }
    });
    if !found {
        items.extend(item);
    }
}

/// Gives an item the keys it was found by.
fn complete(item: &mut Node, wanted: &Wanted<'_>) {
    let Node::Map(map) = item else { return };
    for (key, value) in wanted.pairs() {
        if map.get(key).is_none() && !value.is_empty() {
            map.set(key, Node::Scalar(Scalar::tagged(value, Tag::None)));
        }
    }
}

/// The items that the patch does not name follow those it does.
fn append(items: &mut Vec<Node>, rest: Vec<Node>, keys: &[&str]) {
    for item in rest {
        let values: Values = keys.iter().map(|key| key_of(&item, key).to_owned()).collect();
        // An item without any key is beyond merging: as in kustomize, it is all that is left.
        if !keys[0].is_empty() && values.iter().all(String::is_empty) {
            items.clear();
            items.push(item);
            continue;
        }
        let wanted = Wanted { keys, values: &values };
        // Of several keys, the item that is moved keeps its place at the end.
        if keys.len() > 1 {
            put(items, None, &wanted);
        }
        put(items, Some(item), &wanted);
    }
}
