//! Server-side apply.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::manager::{Identity, Managers, Operation, Owned, written};
use super::merge::merge;
use super::set::Set;
use super::shape::Ref;
use super::update::{as_conflicts, common, contested, paths, take, track};
use super::walk::{Comparison, Form, fields_of, form, misfits, remove};
use super::{Apply, Error, Type, Update, without_managed_fields};
use crate::protobuf;
use crate::schema::go;
use crate::schema::value::equal;

/// Who owns the fields of an object nobody tracked before it was first applied to.
const BEFORE: &str = "before-first-apply";
/// The manager for which applying on the client turns into applying on the server.
const KUBECTL: &str = "kubectl";
/// Where `kubectl apply` keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Applies a configuration to the live object, or makes a new object of it.
///
/// The answer is the object to store, with its managed fields. Fields that the manager applied
/// before and does not any more are removed unless somebody else owns them.
pub(crate) fn apply(
    live: Option<&Value>,
    config: &Value,
    ty: &Type,
    how: &Apply<'_>,
) -> Result<Value, Error> {
    if config.pointer("/metadata/managedFields").is_some_and(|sent| !sent.is_null()) {
        return Err(Error::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    let api_version = text(config, "apiVersion");
    let bare = json!({"apiVersion": api_version, "kind": text(config, "kind")});
    let mut managers = match live {
        Some(live) => Managers::parse(live)
            .map_err(|why| Error::Untyped(format!("failed to decode managed fields: {why}")))?,
        None => Managers::default(),
    };
    let live = live.map_or(bare, without_managed_fields);
    if managers.is_empty() {
        let update = Update {
            manager: BEFORE,
            api_version,
            subresource: how.subresource,
            reset: how.reset,
            now: how.now,
        };
        let kind = text(config, "kind");
        let empty =
            Some(ty.drops_nulls).filter(|it| *it).and_then(|_| protobuf::empty(api_version, kind));
        let empty = empty.unwrap_or_else(|| json!({"apiVersion": api_version, "kind": kind}));
        track(Some(&empty), &live, &mut managers, ty, &update);
    }
    let request = Request { live: &live, config, ty, how, api_version };
    request.check()?;
    let (mut object, managers) = request.run_for_kubectl(managers)?;
    drop_nulls(&mut object, ty);
    if how.manager == KUBECTL {
        refresh_last_applied(&mut object, config);
    }
    managers.write(&mut object);
    Ok(object)
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

struct Request<'a> {
    live: &'a Value,
    config: &'a Value,
    ty: &'a Type,
    how: &'a Apply<'a>,
    api_version: &'a str,
}

/// Why one run of apply failed: the contested fields by their owner.
type Contested = BTreeMap<Identity, Set>;

impl Request<'_> {
    /// Refuses what does not have the shape of the type.
    fn check(&self) -> Result<(), Error> {
        for (object, what, duplicates) in [(self.config, "patch", false), (self.live, "live", true)]
        {
            let errors = misfits(object, &self.ty.shape, duplicates);
            if !errors.is_empty() {
                let name = self.named(object);
                let listed = match &errors[..] {
                    [only] => only.clone(),
                    many => format!("errors:\n  {}", many.join("\n  ")),
                };
                return Err(Error::Untyped(format!(
                    "failed to create typed {what} object ({name}): {listed}"
                )));
            }
        }
        Ok(())
    }

    /// `namespace/name; group/version, Kind=kind`, as Go prints it.
    fn named(&self, object: &Value) -> String {
        let of = |name: &str| {
            object.pointer(&format!("/metadata/{name}")).and_then(Value::as_str).unwrap_or_default()
        };
        let version = if self.api_version.contains('/') {
            self.api_version.to_owned()
        } else {
            format!("/{}", self.api_version)
        };
        format!("{}/{}; {version}, Kind={}", of("namespace"), of("name"), text(object, "kind"))
    }

    /// Applies; conflicts with what `kubectl apply` did before on the client are no conflicts.
    fn run_for_kubectl(&self, managers: Managers) -> Result<(Value, Managers), Error> {
        let contested = match self.run(managers.clone(), self.how.force) {
            Ok(done) => return Ok(done),
            Err(contested) => contested,
        };
        let allowed = (self.how.manager == KUBECTL).then(|| self.applied_on_client()).flatten();
        let Some(allowed) = allowed else {
            return Err(Error::Conflicts(as_conflicts(&contested)));
        };
        let left: Contested = contested
            .into_iter()
            .map(|(identity, set)| (identity, set.difference(&allowed)))
            .filter(|(_, set)| !set.is_empty())
            .collect();
        if !left.is_empty() {
            return Err(Error::Conflicts(as_conflicts(&left)));
        }
        self.run(managers, true).map_err(|contested| Error::Conflicts(as_conflicts(&contested)))
    }

    fn run(&self, mut managers: Managers, force: bool) -> Result<(Value, Managers), Contested> {
        let shape = &self.ty.shape;
        managers.reconcile(self.ty);
        let identity = Identity::new(
            self.how.manager,
            Operation::Apply,
            self.api_version,
            self.how.subresource,
        );
        let reset = paths(self.how.reset.iter().map(|path| path.split('.').collect()));
        let merged = merge(self.live, self.config, shape);
        let applied = fields_of(self.config, shape).without(&reset);
        let last = managers.owned.remove(&identity);
        let time = last.as_ref().and_then(|last| last.time.clone());
        let mine = Owned { set: applied, api_version: self.api_version.to_owned(), time };
        managers.owned.insert(identity.clone(), mine);
        let object = match last {
            Some(last) if !last.set.is_empty() => prune(&merged, &last.set, &managers, shape),
            _ => merged,
        };
        let mut comparison = Comparison::between(self.live, &object, shape);
        comparison.forget(&reset);
        let changed = comparison.modified.union(&comparison.added);
        let contested = contested(&managers, &identity, &changed);
        if !force && !contested.is_empty() {
            return Err(contested);
        }
        take(&mut managers, Some(&identity), &changed, &comparison.removed);
        let same = equal(self.live, &object);
        if let Some(mine) = managers.owned.get_mut(&identity) {
            mine.set = mine.set.difference(common());
            if !same {
                mine.time = Some(written(self.how.now));
            }
        }
        managers.owned.retain(|_, owned| !owned.set.is_empty());
        Ok((object, managers))
    }

    /// What `kubectl apply` applied before on the client and is still so.
    fn applied_on_client(&self) -> Option<Set> {
        let annotations = self.live.pointer("/metadata/annotations")?;
        let applied: Value = serde_json::from_str(annotations.get(LAST_APPLIED)?.as_str()?).ok()?;
        if text(&applied, "apiVersion") != self.api_version {
            return None;
        }
        let shape = &self.ty.shape;
        if !misfits(&applied, shape, false).is_empty() {
            return None;
        }
        let comparison = Comparison::between(&applied, self.live, shape);
        let fields = fields_of(&applied, shape).difference(&comparison.modified);
        Some(fields.difference(&comparison.added).difference(&comparison.removed))
    }
}

/// Removes what the manager applied last time, unless it is applied again or somebody owns it.
fn prune(merged: &Value, last: &Set, managers: &Managers, shape: &Ref) -> Value {
    let last = last.with_named_parents(shape);
    let pruned = remove(merged, &last, shape);
    let owned = managers.owned.values().fold(Set::default(), |all, o| all.union(&o.set));
    let merged_set = fields_of(merged, shape).with_named_parents(shape);
    let pruned_set = fields_of(&pruned, shape).with_named_parents(shape);
    let kept = pruned_set.union(&owned.with_named_parents(shape));
    let pruned = remove(merged, &merged_set.difference(&kept), shape);
    // What was removed but never owned by the manager stays.
    let pruned_set = fields_of(&pruned, shape).with_named_parents(shape);
    remove(merged, &merged_set.difference(&pruned_set).intersection(&last), shape)
}

/// Removing the last entry of a map leaves a null behind; typed objects forget it.
fn drop_nulls(object: &mut Value, ty: &Type) {
    if ty.drops_nulls {
        drop_by_shape(object, &ty.shape);
    } else if let Some(metadata) = object.get_mut("metadata") {
        drop_by_shape(metadata, &crate::builtin::metadata());
    }
}

fn drop_by_shape(value: &mut Value, shape: &Ref) {
    let resolved = shape.resolve();
    match (form(&resolved, Some(value)), &mut *value) {
        (Form::Map(map), Value::Object(entries)) => {
            entries.retain(|name, child| !(child.is_null() && map.fields.contains_key(name)));
            for (name, child) in entries.iter_mut() {
                if let Some(shape) = map.field(name) {
                    drop_by_shape(child, shape);
                }
            }
        }
        (Form::List(list), Value::Array(items)) => {
            for item in items {
                drop_by_shape(item, &list.element);
            }
        }
        _ => {}
    }
}

/// Keeps the record of `kubectl apply` on the client up to date, so that it can be used again.
fn refresh_last_applied(object: &mut Value, config: &Value) {
    let Some(annotations) =
        object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    else {
        return;
    };
    if annotations.get(LAST_APPLIED).and_then(Value::as_str).is_none_or(str::is_empty) {
        return;
    }
    let mut config = config.clone();
    if let Some(map) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        map.shift_remove(LAST_APPLIED);
    }
    let record = go::json(&config) + "\n";
    annotations.insert(LAST_APPLIED.to_owned(), Value::from(record));
}
