//! Walking values by their shape: what fields they have, what differs, what remains.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::set::Set;
use super::shape::{ListShape, MapShape, Ref, Scalar, Shape};
use super::step::{Step, path as shown};
use crate::schema::go;
use crate::schema::node::ListKind;
use crate::schema::value::equal;

/// Which part of a shape applies to a value.
#[derive(Clone, Copy)]
pub(super) enum Form<'s> {
    Map(&'s MapShape),
    Scalar(Scalar),
    List(&'s ListShape),
    None,
}

/// The part that applies; for what fits none, the first there is.
pub(super) fn form<'s>(shape: &'s Shape, value: Option<&Value>) -> Form<'s> {
    let fitting = match value {
        Some(Value::Object(_)) => shape.map.as_ref().map(Form::Map),
        Some(Value::Array(_)) => shape.list.as_ref().map(Form::List),
        Some(Value::Null) | None => None,
        Some(_) => shape.scalar.map(Form::Scalar),
    };
    let first = || shape.map.as_ref().map(Form::Map);
    let second = || shape.scalar.map(Form::Scalar);
    let third = || shape.list.as_ref().map(Form::List);
    fitting.or_else(first).or_else(second).or_else(third).unwrap_or(Form::None)
}

/// The step to an item of an associative list.
pub(super) fn item_step(list: &ListShape, item: &Value) -> Result<Step, String> {
    match &list.kind {
        ListKind::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        ListKind::Set => match item {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            Value::Array(_) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            Value::Null => {
                Err("associative list without keys has an element that's an explicit null"
                    .to_owned())
            }
            scalar => Ok(Step::Item(scalar.clone())),
        },
        ListKind::Map(keys) => key_step(list, keys, item),
    }
}

fn key_step(list: &ListShape, keys: &[String], item: &Value) -> Result<Step, String> {
    let Value::Object(map) = item else {
        let what = if item.is_null() { "a null element" } else { "non-map elements" };
        return Err(format!("associative list with keys may not have {what}"));
    };
    let element = list.element.resolve();
    let default = |key: &String| element.map.as_ref()?.fields.get(key)?.default.clone();
    let fields: Vec<(String, Value)> = keys
        .iter()
        .filter_map(|key| Some((key.clone(), map.get(key).cloned().or_else(|| default(key))?)))
        .collect();
    if fields.is_empty() {
        let names: Vec<String> = keys.iter().map(|key| go::quote(key)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and \
             doesn't have default values for any key fields)",
            names.join(" ")
        ));
    }
    Ok(Step::key(fields))
}

/// The fields a value has.
pub(super) fn fields_of(value: &Value, shape: &Ref) -> Set {
    let mut set = Set::default();
    collect(value, shape, &mut Vec::new(), &mut set);
    set
}

fn collect(value: &Value, shape: &Ref, path: &mut Vec<Step>, set: &mut Set) {
    let resolved = shape.resolve();
    match form(&resolved, Some(value)) {
        Form::Scalar(_) => set.insert(path),
        Form::Map(map) if map.atomic => set.insert(path),
        Form::List(list) if list.is_atomic() => set.insert(path),
        Form::Map(map) => {
            let Value::Object(entries) = value else { return };
            for (name, child) in entries {
                path.push(Step::Field(name.clone()));
                if let Some(shape) = map.field(name) {
                    collect(child, shape, path, set);
                }
                let empty = child.is_null() || child.as_object().is_some_and(Map::is_empty);
                if empty || !map.fields.contains_key(name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        Form::List(list) => {
            collect_items(value, list, path, set);
        }
        Form::None => {}
    }
}

fn collect_items(items: &Value, list: &ListShape, path: &mut Vec<Step>, set: &mut Set) {
    for (step, items) in by_step(Some(items), list) {
        path.push(step);
        // Items that share a key are owned as one.
        if let [item] = items[..] {
            collect(item, &list.element, path, set);
        }
        set.insert(path);
        path.pop();
    }
}

/// Complaints about values that do not have their shape.
pub(super) fn misfits(value: &Value, shape: &Ref, allow_duplicates: bool) -> Vec<String> {
    let mut checker = Checker { allow_duplicates, path: Vec::new(), errors: Vec::new() };
    checker.check(value, shape);
    checker.errors
}

struct Checker {
    allow_duplicates: bool,
    path: Vec<Step>,
    errors: Vec<String>,
}

impl Checker {
    fn complain(&mut self, what: &str) {
        let place = shown(&self.path);
        let text = if place.is_empty() { what.to_owned() } else { format!("{place}: {what}") };
        self.errors.push(text);
    }

    fn check(&mut self, value: &Value, shape: &Ref) {
        let resolved = shape.resolve();
        match form(&resolved, Some(value)) {
            Form::Scalar(scalar) => self.check_scalar(value, scalar),
            Form::Map(map) => self.check_map(value, map),
            Form::List(list) => self.check_list(value, list),
            Form::None => self.complain("schema error: invalid atom: inlined"),
        }
    }

    fn check_scalar(&mut self, value: &Value, scalar: Scalar) {
        let wanted = match (scalar, value) {
            (_, Value::Null)
            | (Scalar::Numeric, Value::Number(_))
            | (Scalar::Text, Value::String(_))
            | (Scalar::Boolean, Value::Bool(_))
            | (Scalar::Any, Value::Number(_) | Value::String(_) | Value::Bool(_)) => return,
            (Scalar::Numeric, _) => "numeric (int or float)",
            (Scalar::Text, _) => "string",
            (Scalar::Boolean, _) => "boolean",
            (Scalar::Any, _) => "any scalar",
        };
        let got = match (scalar, value) {
            (Scalar::Numeric, Value::String(_)) => "string".to_owned(),
            (Scalar::Numeric, Value::Bool(_)) => "bool".to_owned(),
            (Scalar::Numeric, Value::Array(_)) => "[]interface {}".to_owned(),
            (Scalar::Numeric, Value::Object(_)) => "map[string]interface {}".to_owned(),
            (Scalar::Text, other) => {
                format!("&value.valueUnstructured{{Value:{}}}", go::bad_value(other))
            }
            (_, other) => format!("&{{{}}}", go::plain(other)),
        };
        self.complain(&format!("expected {wanted}, got {got}"));
    }

    fn check_map(&mut self, value: &Value, map: &MapShape) {
        let Value::Object(entries) = value else {
            if !value.is_null() {
                self.complain(&format!("expected map, got &{{{}}}", go::plain(value)));
            }
            return;
        };
        for (name, child) in entries {
            self.path.push(Step::Field(name.clone()));
            let known = map.field(name);
            match known {
                Some(shape) => self.check(child, shape),
                None => self.complain("field not declared in schema"),
            }
            self.path.pop();
            if known.is_none() {
                return;
            }
        }
    }

    fn check_list(&mut self, value: &Value, list: &ListShape) {
        let Value::Array(items) = value else {
            if !value.is_null() {
                self.complain(&format!("expected list, got &{{{}}}", go::plain(value)));
            }
            return;
        };
        let mut seen: BTreeSet<Step> = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let step = if list.is_atomic() {
                Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
            } else {
                match item_step(list, item) {
                    Ok(step) => step,
                    Err(why) => return self.complain(&format!("element {index}: {why}")),
                }
            };
            let repeated = !list.is_atomic() && !seen.insert(step.clone());
            if repeated && !self.allow_duplicates {
                self.complain(&format!("duplicate entries for key {}", step.shown()));
            }
            self.path.push(step);
            self.check(item, &list.element);
            self.path.pop();
        }
    }
}

/// The value without the paths of a set; what becomes empty by that becomes null.
pub(super) fn remove(value: &Value, gone: &Set, shape: &Ref) -> Value {
    let resolved = shape.resolve();
    match (form(&resolved, Some(value)), value) {
        (Form::Scalar(_), _) => value.clone(),
        (Form::List(list), Value::Array(items)) if !list.is_atomic() => {
            let kept: Vec<Value> =
                items.iter().filter_map(|item| remove_item(item, gone, list)).collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        (Form::Map(map), Value::Object(entries)) if !map.atomic => {
            let mut kept = Map::new();
            for (name, child) in entries {
                let step = Step::Field(name.clone());
                if gone.has(&step) {
                    continue;
                }
                let left = match (gone.below(&step), map.field(name)) {
                    (Some(below), Some(shape)) => remove(child, below, shape),
                    _ => child.clone(),
                };
                kept.insert(name.clone(), left);
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        _ => Value::Null,
    }
}

fn remove_item(item: &Value, gone: &Set, list: &ListShape) -> Option<Value> {
    let Ok(step) = item_step(list, item) else { return Some(item.clone()) };
    if gone.has(&step) {
        return None;
    }
    Some(match gone.below(&step) {
        Some(below) => remove(item, below, &list.element),
        None => item.clone(),
    })
}

/// What differs between two values.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) removed: Set,
    pub(super) modified: Set,
    pub(super) added: Set,
}

impl Comparison {
    /// Compares two objects.
    pub(super) fn between(old: &Value, new: &Value, shape: &Ref) -> Self {
        let mut comparison = Self::default();
        comparison.compare(Some(old), Some(new), shape, &mut Vec::new());
        comparison
    }

    /// Forgets the given fields and what is below them.
    pub(super) fn forget(&mut self, fields: &Set) {
        for set in [&mut self.removed, &mut self.modified, &mut self.added] {
            *set = set.without(fields);
        }
    }

    fn compare(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        shape: &Ref,
        path: &mut Vec<Step>,
    ) {
        if old == new {
            return;
        }
        let resolved = shape.resolve();
        let several = [resolved.scalar.is_some(), resolved.list.is_some(), resolved.map.is_some()];
        let differ = several.iter().filter(|x| **x).count() > 1
            && old.zip(new).is_some_and(|(old, new)| class(old) != class(new));
        let chosen = if new.is_none() { old } else { new };
        if differ {
            self.run(form(&resolved, old), old, new, path);
        }
        let leaf = self.run(form(&resolved, chosen), old, new, path);
        if !leaf && old.is_none() {
            self.added.insert(path);
        } else if !leaf && new.is_none() {
            self.removed.insert(path);
        }
    }

    /// Compares by one form; answers whether the values were compared as one.
    fn run(
        &mut self,
        form: Form<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Vec<Step>,
    ) -> bool {
        match form {
            Form::None => false,
            Form::Scalar(_) => self.leaf(old, new, path),
            Form::Map(map) => {
                let empty =
                    |v: Option<&Value>| v.and_then(Value::as_object).is_none_or(Map::is_empty);
                if map.atomic || (empty(old) && empty(new)) {
                    return self.leaf(old, new, path);
                }
                self.compare_maps(old, new, map, path);
                false
            }
            Form::List(list) => {
                let empty =
                    |v: Option<&Value>| v.and_then(Value::as_array).is_none_or(Vec::is_empty);
                if list.is_atomic() || (empty(old) && empty(new)) {
                    return self.leaf(old, new, path);
                }
                self.compare_lists(old, new, list, path);
                false
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: &[Step]) -> bool {
        match (old, new) {
            (None, _) => self.added.insert(path),
            (_, None) => self.removed.insert(path),
            (Some(old), Some(new)) if !equal(old, new) => self.modified.insert(path),
            _ => {}
        }
        true
    }

    fn compare_maps(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        map: &MapShape,
        path: &mut Vec<Step>,
    ) {
        let old = old.and_then(Value::as_object);
        let new = new.and_then(Value::as_object);
        let only_new = new
            .into_iter()
            .flatten()
            .filter(|(name, _)| !old.is_some_and(|o| o.contains_key(*name)));
        for (name, _) in old.into_iter().flatten().chain(only_new) {
            let Some(shape) = map.field(name) else { continue };
            path.push(Step::Field(name.clone()));
            let (old, new) = (old.and_then(|o| o.get(name)), new.and_then(|n| n.get(name)));
            self.compare(old, new, shape, path);
            path.pop();
        }
    }

    fn compare_lists(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        list: &ListShape,
        path: &mut Vec<Step>,
    ) {
        let (old, new) = (by_step(old, list), by_step(new, list));
        let steps: BTreeSet<&Step> = old.keys().chain(new.keys()).collect();
        for step in steps {
            path.push(step.clone());
            let items = |side: &BTreeMap<Step, Vec<_>>| side.get(step).cloned().unwrap_or_default();
            self.compare_items(&items(&old), &items(&new), list, path);
            path.pop();
        }
    }

    /// Compares the items of one key; several of them count as one value.
    fn compare_items(
        &mut self,
        old: &[&Value],
        new: &[&Value],
        list: &ListShape,
        path: &mut Vec<Step>,
    ) {
        match (old.len(), new.len()) {
            (0 | 1, 0 | 1) => {
                self.compare(old.first().copied(), new.first().copied(), &list.element, path);
            }
            (2.., 2..) => {
                let same = old.len() == new.len() && old.iter().zip(new).all(|(a, b)| equal(a, b));
                if !same {
                    self.modified.insert(path);
                }
            }
            (2.., _) => {
                if let Some(new) = new.first() {
                    self.compare(None, Some(new), &list.element, path);
                }
                self.removed.insert(path);
            }
            (_, _) => {
                if let Some(old) = old.first() {
                    self.compare(Some(old), None, &list.element, path);
                }
                self.added.insert(path);
            }
        }
    }
}

/// What form a value takes; null takes any.
fn class(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Object(_) => 1,
        Value::Array(_) => 2,
        _ => 3,
    }
}

/// The items of a list by their step.
fn by_step<'a>(items: Option<&'a Value>, list: &ListShape) -> BTreeMap<Step, Vec<&'a Value>> {
    let mut groups: BTreeMap<Step, Vec<&Value>> = BTreeMap::new();
    for item in items.and_then(Value::as_array).into_iter().flatten() {
        if let Ok(step) = item_step(list, item) {
            groups.entry(step).or_default().push(item);
        }
    }
    groups
}
