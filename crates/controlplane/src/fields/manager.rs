//! The managers of an object: reading, writing and naming them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::set::Set;
use super::step::path as shown;
use super::{Conflict, Type};

/// How many managers by update are kept apart.
const MAX_UPDATERS: usize = 10;
/// Who owns what the oldest of them owned.
const ANCIENT: &str = "ancient-changes";

/// Who a manager is. Managers that update differ by version too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for appliers.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What a manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) set: Set,
    pub(super) api_version: String,
    /// As written.
    pub(super) time: Option<String>,
}

/// All managers of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Managers {
    pub(super) owned: BTreeMap<Identity, Owned>,
}

impl Identity {
    pub(super) fn new(
        manager: &str,
        operation: Operation,
        api_version: &str,
        subresource: &str,
    ) -> Self {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        Self {
            manager: if manager.is_empty() { "unknown" } else { manager }.to_owned(),
            operation,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }

    /// The manager in the words of conflicts.
    fn shown(&self) -> String {
        let mut text = crate::schema::go::quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(" with subresource ");
            text.push_str(&crate::schema::go::quote(&self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(" using ");
            text.push_str(&self.api_version);
        }
        text
    }
}

impl Managers {
    /// Reads `metadata.managedFields`.
    pub(super) fn parse(object: &Value) -> Result<Self, String> {
        let mut managers = Self::default();
        let list = object.pointer("/metadata/managedFields").unwrap_or(&Value::Null);
        let entries = match list {
            Value::Null => return Ok(managers),
            Value::Array(entries) => entries,
            _ => return Err("managedFields must be a list".to_owned()),
        };
        for (index, entry) in entries.iter().enumerate() {
            let (identity, owned) = parse_entry(index, entry)?;
            managers.owned.insert(identity, owned);
        }
        Ok(managers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// Writes `metadata.managedFields`; without managers there is none.
    pub(super) fn write(&self, object: &mut Value) {
        let Some(object) = object.as_object_mut() else { return };
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        let Some(metadata) = metadata.as_object_mut() else { return };
        if self.owned.is_empty() {
            metadata.shift_remove("managedFields");
            return;
        }
        let mut entries: Vec<(&Identity, &Owned)> = self.owned.iter().collect();
        entries.sort_by_key(|(identity, owned)| {
            let Identity { manager, operation, subresource, .. } = identity;
            (*operation, seconds(owned.time.as_deref()), manager, &owned.api_version, subresource)
        });
        let entries = entries.into_iter().map(|(identity, owned)| entry(identity, owned));
        metadata.insert("managedFields".to_owned(), Value::Array(entries.collect()));
    }

    /// Joins the oldest managers by update until there are few enough.
    pub(super) fn cap(&mut self) {
        let mut updaters: Vec<(i64, Identity)> = self
            .owned
            .iter()
            .filter(|(identity, _)| identity.operation == Operation::Update)
            .map(|(identity, owned)| (seconds(owned.time.as_deref()), identity.clone()))
            .collect();
        updaters.sort();
        let mut count = updaters.len();
        let mut first_of: BTreeMap<String, Identity> = BTreeMap::new();
        for (_, identity) in updaters {
            if count <= MAX_UPDATERS {
                return;
            }
            let Some(owned) = self.owned.get(&identity).cloned() else { continue };
            let version = owned.api_version.clone();
            let Some(first) = first_of.get(&version) else {
                first_of.insert(version, identity);
                continue;
            };
            let bucket = Identity::new(ANCIENT, Operation::Update, &version, "");
            let earlier = self.owned.remove(first).or_else(|| self.owned.remove(&bucket));
            let set = earlier.map(|e| e.set).unwrap_or_default().union(&owned.set);
            self.owned.remove(&identity);
            self.owned.insert(bucket.clone(), Owned { set, ..owned });
            first_of.insert(version, bucket);
            count -= 1;
        }
    }

    /// Brings the sets in line with types that have become atomic.
    pub(super) fn reconcile(&mut self, ty: &Type) {
        for owned in self.owned.values_mut() {
            if let Some(set) = super::reconcile::reconcile(&owned.set, &ty.shape) {
                owned.set = set;
            }
        }
    }
}

fn parse_entry(index: usize, entry: &Value) -> Result<(Identity, Owned), String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
        other => {
            let other = crate::schema::go::quote(other);
            return Err(format!("invalid fieldsType {other} in managed fields entry {index}"));
        }
    }
    let set = match entry.get("fieldsV1") {
        None | Some(Value::Null) => Set::default(),
        Some(fields) => Set::parse(fields).map_err(|e| format!("error decoding set: {e}"))?,
    };
    let mut identity = Identity::new("x", operation, api_version, text("subresource"));
    text("manager").clone_into(&mut identity.manager);
    let time = entry.get("time").and_then(Value::as_str).map(ToOwned::to_owned);
    Ok((identity, Owned { set, api_version: api_version.to_owned(), time }))
}

fn entry(identity: &Identity, owned: &Owned) -> Value {
    let mut entry = Map::new();
    entry.insert("manager".to_owned(), json!(identity.manager));
    entry.insert("operation".to_owned(), json!(identity.operation.name()));
    entry.insert("apiVersion".to_owned(), json!(owned.api_version));
    if let Some(time) = &owned.time {
        entry.insert("time".to_owned(), json!(time));
    }
    entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
    entry.insert("fieldsV1".to_owned(), owned.set.serialized());
    if !identity.subresource.is_empty() {
        entry.insert("subresource".to_owned(), json!(identity.subresource));
    }
    Value::Object(entry)
}

fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|text| text.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_second)
}

/// A time as managed fields hold it: whole seconds.
pub(super) fn written(now: Timestamp) -> String {
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    whole.to_string()
}

/// Conflicts with what each manager owns; `times` are shown where they are known.
pub(super) fn conflicts(sets: &BTreeMap<Identity, Set>) -> Vec<Conflict> {
    let of = |(identity, set): (&Identity, &Set)| {
        let manager = identity.shown();
        let conflict = |path: Vec<_>| Conflict { manager: manager.clone(), field: shown(&path) };
        set.paths().into_iter().map(conflict).collect::<Vec<_>>()
    };
    sets.iter().flat_map(of).collect()
}

/// All conflicts in one message.
pub(super) fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            only.manager, only.field
        );
    }
    let mut lines = Vec::new();
    let mut last = None;
    for conflict in conflicts {
        if last != Some(&conflict.manager) {
            lines.push(format!("conflicts with {}:", conflict.manager));
            last = Some(&conflict.manager);
        }
        lines.push(format!("- {}", conflict.field));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

/// Whether two objects differ in nothing but the times of their managed fields; such an update
/// need not be written.
pub(crate) fn same_but_times(a: &Value, b: &Value) -> bool {
    same_but(a, b, "metadata", |a, b| {
        same_but(a, b, "managedFields", |a, b| match (a.as_array(), b.as_array()) {
            (Some(a), Some(b)) => {
                let untimed = |(a, b)| same_but(a, b, "time", |_, _| true);
                a.len() == b.len() && a.iter().zip(b).all(untimed)
            }
            _ => a == b,
        })
    })
}

/// Whether two maps are equal where `equal` compares the member `name`, present or not.
fn same_but(a: &Value, b: &Value, name: &str, equal: impl Fn(&Value, &Value) -> bool) -> bool {
    let (Some(left), Some(right)) = (a.as_object(), b.as_object()) else { return a == b };
    let others = |map: &Map<String, Value>| map.len() - usize::from(map.contains_key(name));
    others(left) == others(right)
        && left.iter().filter(|(key, _)| *key != name).all(|(key, a)| right.get(key) == Some(a))
        && equal(&a[name], &b[name])
}
