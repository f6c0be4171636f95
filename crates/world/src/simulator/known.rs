//! What is known of the objects of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::kind::Kind;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// An object as it was last seen.
pub(super) type Object = Arc<Value>;

/// All objects of the kinds that are watched.
#[derive(Debug, Default)]
pub(super) struct Known {
    objects: BTreeMap<Key, Object>,
    /// The uid of a controller, and what it controls.
    controlled: BTreeMap<String, BTreeSet<Key>>,
}

impl Key {
    /// The place of an object.
    pub(super) fn of(kind: Kind, object: &Value) -> Self {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        Self { kind, namespace: text("namespace"), name: text("name") }
    }

    /// Something in the same namespace.
    pub(super) fn beside(&self, kind: Kind, name: &str) -> Self {
        Self { kind, namespace: self.namespace.clone(), name: name.to_owned() }
    }
}

/// The reference of an object to what controls it.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// Whether an object is on its way out.
pub(super) fn is_leaving(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

impl Known {
    /// One object.
    pub(super) fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// All objects of a kind in a namespace; in all of them if it is empty.
    pub(super) fn all(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = &Object> {
        let from = Key { kind, namespace: namespace.to_owned(), name: String::new() };
        let namespace = from.namespace.clone();
        self.objects
            .range(from..)
            .take_while(move |(key, _)| {
                key.kind == kind && (namespace.is_empty() || key.namespace == namespace)
            })
            .map(|(_, object)| object)
    }

    /// What an object controls, of one kind, by name.
    pub(super) fn controlled(&self, owner: &Value, kind: Kind) -> Vec<Object> {
        let uid = owner["metadata"]["uid"].as_str().unwrap_or_default();
        let keys = self.controlled.get(uid).into_iter().flatten();
        keys.filter(|key| key.kind == kind).filter_map(|key| self.get(key).cloned()).collect()
    }

    /// The place of what controls an object, if that is known.
    pub(super) fn controller(&self, key: &Key, object: &Value) -> Option<Key> {
        let owner = controller(object)?;
        let kind = Kind::named(owner["kind"].as_str()?)?;
        let key = key.beside(kind, owner["name"].as_str()?);
        self.get(&key).is_some_and(|it| it["metadata"]["uid"] == owner["uid"]).then_some(key)
    }

    /// Notes how an object is, unless something newer is known; tells whether it was noted. What a turn
    /// wrote itself is noted again when the watch tells of it: it may ask for another turn.
    pub(super) fn note(&mut self, key: Key, object: Object) -> bool {
        if self.get(&key).is_some_and(|known| revision(known) > revision(&object)) {
            return false;
        }
        self.forget(&key);
        if let Some(uid) = controller(&object).and_then(|owner| owner["uid"].as_str()) {
            self.controlled.entry(uid.to_owned()).or_default().insert(key.clone());
        }
        self.objects.insert(key, object);
        true
    }

    /// Notes that an object is gone.
    pub(super) fn forget(&mut self, key: &Key) -> Option<Object> {
        let object = self.objects.remove(key)?;
        if let Some(uid) = controller(&object).and_then(|owner| owner["uid"].as_str())
            && let Some(keys) = self.controlled.get_mut(uid)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.controlled.remove(uid);
            }
        }
        Some(object)
    }

    /// Where all objects of a kind are.
    pub(super) fn keys(&self, kind: Kind) -> Vec<Key> {
        self.objects.keys().filter(|key| key.kind == kind).cloned().collect()
    }
}

/// Revisions of one server are ordered numbers.
fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok()).unwrap_or(0)
}
