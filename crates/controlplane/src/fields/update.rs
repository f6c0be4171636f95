//! Recording who changed which fields.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::manager::{Identity, Managers, Operation, Owned, conflicts, written};
use super::set::Set;
use super::step::Step;
use super::walk::Comparison;
use super::{Conflict, Type, Update};

/// Fields nobody owns: every request sends them.
const COMMON: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// Brings the managed fields of `new` up to date after a create (`old` is `None`), an update or a
/// patch other than apply.
///
/// Objects that were written before anybody tracked their fields stay untracked. What cannot be
/// read in the request's own managed fields is ignored in favour of those of `old`.
pub(crate) fn update(old: Option<&Value>, new: &mut Value, ty: &Type, how: &Update<'_>) {
    let mut managers = current(old, new, how.subresource);
    if let Some(fields) = new.pointer_mut("/metadata/managedFields") {
        // They are written anew; nobody owns them.
        fields.take();
    }
    let existed = old.and_then(|old| old.pointer("/metadata/uid")).is_some();
    if !(managers.is_empty() && existed) {
        track(old, new, &mut managers, ty, how);
    }
    managers.write(new);
}

/// The managers before the change: those the request sends, else those of the old object.
fn current(old: Option<&Value>, new: &Value, subresource: &str) -> Managers {
    let of_old = || old.and_then(|old| Managers::parse(old).ok()).unwrap_or_default();
    if !subresource.is_empty() {
        return of_old();
    }
    let sent = new.pointer("/metadata/managedFields");
    if sent.is_some_and(|sent| *sent == json!([]) || *sent == json!([{}])) {
        return Managers::default();
    }
    match Managers::parse(new) {
        Ok(sent) if !sent.is_empty() => sent,
        _ => of_old(),
    }
}

/// Records the difference between two states under one manager.
pub(super) fn track(
    old: Option<&Value>,
    new: &Value,
    managers: &mut Managers,
    ty: &Type,
    how: &Update<'_>,
) {
    let nothing = json!({});
    let fixed = how.reset.iter().copied().chain(["metadata.managedFields"]);
    let reset = paths(fixed.map(|path| path.split('.').collect()));
    managers.reconcile(ty);
    let mut comparison = Comparison::between(old.unwrap_or(&nothing), new, &ty.shape);
    comparison.forget(&reset);
    let changed = comparison.modified.union(&comparison.added);
    // Whoever owned a field before has lost it to this change, even the same manager.
    take(managers, None, &changed, &comparison.removed);
    let mine = changed.difference(common());
    if !mine.is_empty() {
        let identity =
            Identity::new(how.manager, Operation::Update, how.api_version, how.subresource);
        let set =
            managers.owned.get(&identity).map_or_else(|| mine.clone(), |o| o.set.union(&mine));
        // kube-apiserver does not tell when something was scaled.
        let time = (how.subresource != "scale").then(|| written(how.now));
        let owned = Owned { set, api_version: how.api_version.to_owned(), time };
        managers.owned.insert(identity, owned);
    }
    managers.cap();
}

/// Takes changed and removed fields from all managers but one.
pub(super) fn take(managers: &mut Managers, but: Option<&Identity>, changed: &Set, removed: &Set) {
    for (identity, owned) in &mut managers.owned {
        if Some(identity) != but {
            owned.set = owned.set.difference(changed).difference(removed);
        }
    }
    managers.owned.retain(|_, owned| !owned.set.is_empty());
}

/// The changed fields other managers own.
pub(super) fn contested(
    managers: &Managers,
    but: &Identity,
    changed: &Set,
) -> BTreeMap<Identity, Set> {
    let mut sets = BTreeMap::new();
    for (identity, owned) in managers.owned.iter().filter(|(identity, _)| *identity != but) {
        let both = owned.set.intersection(changed);
        if !both.is_empty() {
            sets.insert(identity.clone(), both);
        }
    }
    sets
}

/// All contested fields as conflicts.
pub(super) fn as_conflicts(sets: &BTreeMap<Identity, Set>) -> Vec<Conflict> {
    conflicts(sets)
}

/// Fields nobody owns.
pub(super) fn common() -> &'static Set {
    static SET: LazyLock<Set> = LazyLock::new(|| paths(COMMON.iter().map(|path| path.to_vec())));
    &SET
}

/// The set of these paths.
pub(super) fn paths<'a>(paths: impl Iterator<Item = Vec<&'a str>>) -> Set {
    let mut set = Set::default();
    for path in paths {
        let steps: Vec<Step> = path.into_iter().map(|name| Step::Field(name.to_owned())).collect();
        set.insert(&steps);
    }
    set
}
