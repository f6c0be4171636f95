//! Sets of fields: who owns what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::shape::{Ref, Shape};
use super::step::Step;

/// A set of paths.
///
/// A path can be a member without the paths below it being members, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set {
    members: BTreeSet<Step>,
    /// Never holds an empty set.
    children: BTreeMap<Step, Set>,
}

impl Set {
    /// Reads `fieldsV1`.
    pub(crate) fn parse(fields: &Value) -> Result<Self, String> {
        let Some(map) = fields.as_object() else { return Err("not an object".to_owned()) };
        let mut set = Self::default();
        for (key, below) in map {
            if key == "." {
                continue;
            }
            let Some(step) = Step::parse(key)? else { continue };
            let children = Self::parse(below)?;
            if below.get(".").is_some() || children.is_empty() {
                set.members.insert(step.clone());
            }
            if !children.is_empty() {
                set.children.insert(step, children);
            }
        }
        Ok(set)
    }

    /// Writes `fieldsV1`.
    pub(crate) fn serialized(&self) -> Value {
        self.write(false)
    }

    fn write(&self, is_member: bool) -> Value {
        let mut map = Map::new();
        if is_member && !self.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        let steps: BTreeSet<&Step> = self.members.iter().chain(self.children.keys()).collect();
        for step in steps {
            let below = self.children.get(step).map_or_else(
                || Value::Object(Map::new()),
                |children| children.write(self.members.contains(step)),
            );
            map.insert(step.serialized(), below);
        }
        Value::Object(map)
    }

    /// Adds a path; the empty one is nobody's.
    pub(crate) fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Whether the path of one step is a member.
    pub(crate) fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// What is below a step, if anything.
    pub(crate) fn below(&self, step: &Step) -> Option<&Self> {
        self.children.get(step)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Step> {
        self.members.iter()
    }

    pub(crate) fn children(&self) -> impl Iterator<Item = (&Step, &Self)> {
        self.children.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    /// Paths in either set.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.members.extend(other.members.iter().cloned());
        for (step, below) in &other.children {
            let joined = union.children.get(step).map_or_else(|| below.clone(), |b| b.union(below));
            union.children.insert(step.clone(), joined);
        }
        union
    }

    /// Paths in both sets.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let members = self.members.intersection(&other.members).cloned().collect();
        let shared = self.children.iter().filter_map(|(step, below)| {
            let both = below.intersection(other.children.get(step)?);
            (!both.is_empty()).then(|| (step.clone(), both))
        });
        Self { members, children: shared.collect() }
    }

    /// Paths in this set but not in the other. Members above or below one another do not meet.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let members = self.members.difference(&other.members).cloned().collect();
        let left = self.children.iter().filter_map(|(step, below)| {
            let rest = match other.children.get(step) {
                Some(removed) => below.difference(removed),
                None => below.clone(),
            };
            (!rest.is_empty()).then(|| (step.clone(), rest))
        });
        Self { members, children: left.collect() }
    }

    /// Paths in this set that are neither in the other nor below one of its members.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let members = self.members.difference(&other.members).cloned().collect();
        let left = self.children.iter().filter_map(|(step, below)| {
            if other.has(step) {
                return None;
            }
            let rest = match other.children.get(step) {
                Some(removed) => below.without(removed),
                None => below.clone(),
            };
            (!rest.is_empty()).then(|| (step.clone(), rest))
        });
        Self { members, children: left.collect() }
    }

    /// The same set, with named fields that have members below them made members.
    pub(crate) fn with_named_parents(&self, shape: &Ref) -> Self {
        let shape = shape.resolve();
        let mut members = self.members.clone();
        let mut children = BTreeMap::new();
        for (step, below) in &self.children {
            if let (Step::Field(name), Some(map)) = (step, &shape.map)
                && map.fields.contains_key(name)
            {
                members.insert(step.clone());
            }
            let inner = below_shape(&shape, step);
            children.insert(step.clone(), below.with_named_parents(&inner));
        }
        Self { members, children }
    }

    /// Every member path, parents first.
    pub(crate) fn paths(&self) -> Vec<Vec<Step>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
        for member in &self.members {
            let mut path = prefix.clone();
            path.push(member.clone());
            paths.push(path);
        }
        for (step, below) in &self.children {
            prefix.push(step.clone());
            below.collect(prefix, paths);
            prefix.pop();
        }
    }
}

fn below_shape(shape: &Shape, step: &Step) -> Ref {
    match step {
        Step::Field(name) => shape.map.as_ref().and_then(|map| map.field(name)),
        Step::Key(_) => shape.list.as_ref().map(|list| &list.element),
        Step::Item(_) | Step::Index(_) => None,
    }
    .cloned()
    .unwrap_or(Ref::Nothing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_read_and_print() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:list": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:x": {}}},
                "f:set": {"v:\"a\"": {}}},
        });
        assert_eq!(Set::parse(&fields).unwrap().serialized(), fields);
        assert!(Set::parse(&json!([])).is_err());
        assert!(Set::parse(&json!({"spec": {}})).is_err());
        assert!(Set::parse(&json!({"x:unknown": {}})).unwrap().is_empty());
    }

    fn sets() -> impl Strategy<Value = Set> {
        let step = prop_oneof![
            "[a-c]".prop_map(Step::Field),
            "[a-b]".prop_map(|name| Step::key(vec![("name".to_owned(), Value::from(name))])),
            (0..2_i64).prop_map(Step::Index),
        ];
        let path = prop::collection::vec(step, 1..4);
        prop::collection::vec(path, 0..8).prop_map(|paths| {
            let mut set = Set::default();
            for path in &paths {
                set.insert(path);
            }
            set
        })
    }

    proptest! {
        #[test]
        fn printing_loses_nothing(set in sets()) {
            prop_assert_eq!(Set::parse(&set.serialized()).unwrap(), set);
        }

        #[test]
        fn difference_and_intersection_partition(a in sets(), b in sets()) {
            let (only, both) = (a.difference(&b), a.intersection(&b));
            prop_assert_eq!(only.union(&both), a.clone());
            prop_assert!(only.intersection(&b).is_empty());
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert!(a.difference(&a).is_empty());
        }
    }
}
