//! Merging an applied configuration into the live object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::shape::{ListShape, MapShape, Ref};
use super::step::Step;
use super::walk::{Form, form, item_step};

/// The live value with the configured one on top.
pub(super) fn merge(live: &Value, config: &Value, shape: &Ref) -> Value {
    merged(Some(live), Some(config), shape).unwrap_or(Value::Null)
}

fn merged(live: Option<&Value>, config: Option<&Value>, shape: &Ref) -> Option<Value> {
    let resolved = shape.resolve();
    let chosen = if config.is_none() { live } else { config };
    match form(&resolved, chosen) {
        Form::Map(map) => {
            let empty = |v: Option<&Value>| v.and_then(Value::as_object).is_none_or(Map::is_empty);
            if map.atomic || (empty(live) && empty(config)) {
                return leaf(live, config);
            }
            merged_maps(live, config, map)
        }
        Form::List(list) => {
            let empty = |v: Option<&Value>| v.and_then(Value::as_array).is_none_or(Vec::is_empty);
            if list.is_atomic() || (empty(live) && empty(config)) {
                return leaf(live, config);
            }
            merged_lists(live, config, list)
        }
        Form::Scalar(_) | Form::None => leaf(live, config),
    }
}

fn leaf(live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    config.or(live).cloned()
}

fn merged_maps(live: Option<&Value>, config: Option<&Value>, map: &MapShape) -> Option<Value> {
    let live = live.and_then(Value::as_object);
    let config = config.and_then(Value::as_object);
    let mut out = Map::new();
    let only_config = config
        .into_iter()
        .flatten()
        .filter(|(name, _)| !live.is_some_and(|live| live.contains_key(*name)));
    for (name, _) in live.into_iter().flatten().chain(only_config) {
        let (live, config) = (live.and_then(|m| m.get(name)), config.and_then(|m| m.get(name)));
        let value = match map.field(name) {
            Some(shape) => merged(live, config, shape),
            None => leaf(live, config),
        };
        if let Some(value) = value {
            out.insert(name.clone(), value);
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// One side of a list merge.
struct Side<'a> {
    items: Vec<(Step, &'a Value)>,
    by_step: BTreeMap<Step, &'a Value>,
}

impl<'a> Side<'a> {
    fn new(value: Option<&'a Value>, list: &ListShape) -> Self {
        let mut side = Self { items: Vec::new(), by_step: BTreeMap::new() };
        for item in value.and_then(Value::as_array).into_iter().flatten() {
            let Ok(step) = item_step(list, item) else { continue };
            // Items that share a key cannot be told apart, so nothing is merged into them.
            let repeated = side.by_step.contains_key(&step);
            side.by_step.insert(step.clone(), if repeated { &Value::Null } else { item });
            side.items.push((step, item));
        }
        side
    }

    fn get(&self, step: &Step) -> Option<&'a Value> {
        self.by_step.get(step).copied()
    }
}

/// Merges associative lists. The configuration's order wins among the items of both; items only
/// one side has stay beside their neighbours.
fn merged_lists(live: Option<&Value>, config: Option<&Value>, list: &ListShape) -> Option<Value> {
    let (left, right) = (Side::new(live, list), Side::new(config, list));
    let mut shared = right.items.iter().map(|(step, _)| step).filter(|s| left.get(s).is_some());
    let mut next_shared = shared.next();
    let mut done: BTreeSet<&Step> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    let mut push = |live: Option<&Value>, config: Option<&Value>| {
        out.extend(merged(live, config, &list.element));
    };
    while l < left.items.len() || r < right.items.len() {
        if let (Some((l_step, _)), Some((r_step, _))) = (left.items.get(l), right.items.get(r)) {
            if l_step == r_step {
                done.insert(l_step);
                push(left.get(l_step), right.get(l_step));
                l += 1;
                r += 1;
                next_shared = shared.next();
                continue;
            }
            if right.get(l_step).is_some() && next_shared.is_some_and(|next| next != l_step) {
                l += 1;
                continue;
            }
        }
        if let Some((step, item)) = left.items.get(l) {
            if right.get(step).is_none() {
                push(Some(item), None);
                l += 1;
                continue;
            }
            if done.contains(step) {
                l += 1;
            }
        }
        if let Some((step, _)) = right.items.get(r) {
            done.insert(step);
            push(left.get(step), right.get(step));
            r += 1;
            if next_shared == Some(step) {
                next_shared = shared.next();
            }
        }
    }
    (!out.is_empty()).then_some(Value::Array(out))
}
