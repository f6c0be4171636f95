//! Merging and ordering the elements of lists in strategic merge patches.

use serde_json::Value;

use super::Error;
use super::strategic::{DIRECTIVE, Object, bad_directive, merge_map};
use crate::fields::shape::Ref;
use crate::schema::go;
use crate::schema::value::equal;

/// What the elements of a list are.
pub(super) struct Elements<'a> {
    pub(super) shape: Ref,
    /// The field by which maps belong together.
    pub(super) key: Option<&'a str>,
}

impl Elements<'_> {
    /// What tells an element from others: the value of its key, or the scalar itself.
    fn identity<'v>(&self, element: &'v Value) -> Result<&'v Value, Error> {
        let Some(key) = self.key else { return Ok(element) };
        let Value::Object(map) = element else {
            return Err(Error::Internal(format!(
                "expected a map[string]interface {{}}, but received a {}",
                go::type_name(element)
            )));
        };
        map.get(key).ok_or_else(|| no_key(map, key))
    }

    fn find(&self, list: &[Value], identity: &Value) -> Result<Option<usize>, Error> {
        for (index, element) in list.iter().enumerate() {
            let same = match (self.key, element) {
                (Some(key), Value::Object(map)) => map.get(key).is_some_and(|v| equal(v, identity)),
                (Some(_), _) => {
                    return Err(Error::Internal(format!("value for key {index} is not a map")));
                }
                (None, scalar) => equal(scalar, identity),
            };
            if same {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

fn no_key(map: &Object, key: &str) -> Error {
    let map = go::plain(&Value::Object(map.clone()));
    Error::Internal(format!("map: {map} does not contain declared merge key: {key}"))
}

/// Merges two lists; with `deletes`, takes the scalars of the patch away instead.
pub(super) fn merge(
    old: Vec<Value>,
    new: Vec<Value>,
    elements: &Elements<'_>,
    deletes: bool,
) -> Result<Vec<Value>, Error> {
    if old.is_empty() && new.is_empty() {
        return Ok(old);
    }
    if old.iter().chain(&new).any(Value::is_array) {
        return Err(Error::Unprocessable("lists of lists are not supported".to_owned()));
    }
    if !old.iter().chain(&new).any(Value::is_object) {
        return merge_scalars(old, &new, elements, deletes);
    }
    if elements.key.is_none() {
        return Err(Error::Internal("cannot merge lists without merge key for struct".to_owned()));
    }
    let (before, patch, _) = apply_directives(old, new, elements)?;
    let merged = merge_maps(before.clone(), &patch, elements)?;
    ordered(merged, &patch, &before, elements)
}

/// Merges two lists and puts what `order` names into that order.
pub(super) fn merge_in_order(
    old: Vec<Value>,
    new: Vec<Value>,
    elements: &Elements<'_>,
    order: &[Value],
) -> Result<Vec<Value>, Error> {
    if !old.iter().chain(&new).any(Value::is_object) {
        let before = old.clone();
        return ordered(merge(old, new, elements, false)?, order, &before, elements);
    }
    let length = old.len();
    let unchanged = old.clone();
    let (before, patch, replaces) = apply_directives(old, new, elements)?;
    let merged = merge_maps(before.clone(), &patch, elements)?;
    // Go reuses the memory of deleted elements for new ones, which thereby have a place among
    // those that were there.
    let places = if replaces { unchanged } else { merged.iter().take(length).cloned().collect() };
    let merged = ordered(merged, &patch, &before, elements)?;
    ordered(merged, order, &places, elements)
}

fn merge_maps(
    mut merged: Vec<Value>,
    patch: &[Value],
    elements: &Elements<'_>,
) -> Result<Vec<Value>, Error> {
    for element in patch {
        let identity = elements.identity(element)?;
        let (Some(index), Value::Object(map)) = (elements.find(&merged, identity)?, element) else {
            merged.push(element.clone());
            continue;
        };
        let Value::Object(old) = merged[index].take() else { continue };
        merged[index] = Value::Object(merge_map(old, map.clone(), &elements.shape)?);
    }
    Ok(merged)
}

fn merge_scalars(
    old: Vec<Value>,
    new: &[Value],
    elements: &Elements<'_>,
    deletes: bool,
) -> Result<Vec<Value>, Error> {
    if deletes {
        return Ok(old.into_iter().filter(|v| !new.iter().any(|gone| equal(v, gone))).collect());
    }
    let mut both: Vec<Value> = Vec::new();
    for value in old.iter().chain(new) {
        if !both.iter().any(|known| equal(known, value)) {
            both.push(value.clone());
        }
    }
    let scalars = Elements { shape: elements.shape.clone(), key: None };
    ordered(both, new, &old, &scalars)
}

/// Applies the elements that are directives; answers the rest of both lists, and whether the new
/// one replaces the old.
fn apply_directives(
    mut old: Vec<Value>,
    new: Vec<Value>,
    elements: &Elements<'_>,
) -> Result<(Vec<Value>, Vec<Value>, bool), Error> {
    let mut rest = Vec::new();
    let mut replaces = false;
    for element in new {
        let directive = element.get(DIRECTIVE).cloned();
        let (Some(directive), Value::Object(map)) = (directive, &element) else {
            rest.push(element);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let identity = elements.identity(&element)?;
                while let Some(index) = elements.find(&old, identity)? {
                    old.remove(index);
                }
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                let text = "merging lists cannot yet be specified in the patch";
                return Err(Error::Internal(text.to_owned()));
            }
            _ => return Err(bad_directive(&directive, map)),
        }
    }
    Ok(if replaces { (rest, Vec::new(), true) } else { (old, rest, false) })
}

/// Puts the elements `order` names into that order; those only the server has stay between their
/// neighbours of `before`.
pub(super) fn ordered(
    merged: Vec<Value>,
    order: &[Value],
    before: &[Value],
    elements: &Elements<'_>,
) -> Result<Vec<Value>, Error> {
    let mut named = Vec::new();
    let mut others = Vec::new();
    for element in merged {
        let identity = elements.identity(&element)?.clone();
        match elements.find(order, &identity)? {
            Some(rank) => named.push((rank, identity, element)),
            None => others.push((identity, element)),
        }
    }
    named.sort_by_key(|(rank, _, _)| *rank);
    let place = |identity: &Value| elements.find(before, identity).ok().flatten();
    sort_as_go(&mut others, |(identity, _)| place(identity));
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    let mut out = Vec::new();
    loop {
        let others_first = match (named.peek(), others.peek()) {
            // What is new comes before what the server alone has.
            (Some((_, named, _)), Some((other, _))) => {
                place(other).zip(place(named)).is_some_and(|(other, named)| other < named)
            }
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (None, None) => return Ok(out),
        };
        if others_first {
            out.extend(others.next().map(|(_, element)| element));
        } else {
            out.extend(named.next().map(|(_, _, element)| element));
        }
    }
}

/// Sorts by rank. What has none counts as less than whatever it is compared with, which makes the
/// result depend on the way of sorting: it is the insertion sort of Go's `sort.SliceStable`.
fn sort_as_go<T>(items: &mut [T], rank: impl Fn(&T) -> Option<usize>) {
    if items.iter().all(|item| rank(item).is_some()) {
        items.sort_by_key(rank);
        return;
    }
    for end in 1..items.len() {
        for at in (1..=end).rev() {
            let less = match (rank(&items[at]), rank(&items[at - 1])) {
                (Some(here), Some(before)) => here < before,
                _ => true,
            };
            if !less {
                break;
            }
            items.swap(at, at - 1);
        }
    }
}

/// The elements of a patch must come in the order its `$setElementOrder` says.
pub(super) fn check_order(
    patch: &[Value],
    order: &[Value],
    elements: &Elements<'_>,
) -> Result<(), Error> {
    if order.is_empty() {
        return Ok(());
    }
    let deletes = |element: &&Value| element.get(DIRECTIVE).is_some_and(|d| d == "delete");
    let mut left = patch.iter().filter(|element| !deletes(element)).peekable();
    let mut entries = order.iter();
    let mut entry = entries.next();
    while let (Some(element), Some(here)) = (left.peek(), entry) {
        if element.get(DIRECTIVE).is_some() {
            left.next();
            continue;
        }
        if equal(elements.identity(element)?, elements.identity(here)?) {
            left.next();
        }
        entry = entries.next();
    }
    if left.peek().is_none() {
        return Ok(());
    }
    Err(Error::Internal(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        go::plain(&Value::Array(patch.to_vec())),
        go::plain(&Value::Array(order.to_vec()))
    )))
}
