//! Volumes, claims and their classes.

use serde_json::{Map, Value};

use super::super::{name, quantity};
use super::container::amount;
use super::spot::{Errors, Spot};
use crate::schema::FieldError;
use crate::schema::value::equal;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// What of a `PersistentVolume` says no more than how it is used.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

fn modes(spec: &Spot<'_>, why: &str, errors: &mut Errors) {
    let modes = spec.at("accessModes");
    modes.require(why, errors);
    for mode in modes.items() {
        if !MODES.contains(&mode.text()) {
            errors.push(FieldError::not_supported(&modes.path, mode.value, &MODES));
        }
    }
    let alone = |mode: &Spot<'_>| mode.text() == "ReadWriteOncePod";
    if modes.items().any(|it| alone(&it)) && modes.items().any(|it| !alone(&it)) {
        modes.forbid("may not use ReadWriteOncePod with other access modes", errors);
    }
}

fn positive(amount: &Spot<'_>, errors: &mut Errors) {
    if quantity::amount(amount.text()).is_some_and(|it| it <= 0) {
        amount.wrong("must be greater than zero", errors);
    }
}

/// A `PersistentVolumeClaim`.
pub(super) fn claim(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    modes(&spec, "at least 1 access mode is required", errors);
    spec.at("selector").selector(errors);
    let wanted = spec.along(&["resources", "requests", "storage"]);
    let wanted = Spot { path: spec.at("resources").key("storage").path, ..wanted };
    if wanted.is_set() {
        positive(&wanted, errors);
    } else {
        errors.push(FieldError::required(&wanted.path, ""));
    }
    if !spec.at("storageClassName").is_empty() {
        spec.at("storageClassName").judge(name::subdomain, errors);
    }
    spec.at("volumeMode").perhaps_one_of(&["Block", "Filesystem"], errors);
    let Some(old) = old else { return };
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(members) = spec.as_object_mut() {
            for free in ["resources", "volumeName", "volumeAttributesClassName"] {
                members.shift_remove(free);
            }
        }
        spec
    };
    if !equal(&fixed(object), &fixed(old)) {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden("spec", why));
    }
}

/// A `PersistentVolume`.
pub(super) fn volume(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    modes(&spec, "", errors);
    let capacity = spec.at("capacity");
    capacity.require("", errors);
    let count = capacity.value.as_object().map_or(0, Map::len);
    if capacity.value.get("storage").is_none() || count > 1 {
        errors.push(FieldError::not_supported(&capacity.path, capacity.value, &["storage"]));
    }
    for (_, one) in capacity.entries() {
        amount(&one, errors);
        positive(&one, errors);
    }
    let policy = spec.at("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        policy.one_of(&["Delete", "Recycle", "Retain"], errors);
    }
    let mut sources = spec
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !NO_SOURCE.contains(&key.as_str()) && !value.is_null());
    let first = sources.next();
    for (second, _) in sources {
        spec.at(second).forbid("may not specify more than 1 volume type", errors);
    }
    match first.map(|(key, _)| key.as_str()) {
        None => errors.push(FieldError::required(&spec.path, "must specify a volume type")),
        Some("hostPath") => spec.along(&["hostPath", "path"]).require("", errors),
        Some("local") if !spec.at("nodeAffinity").is_set() => {
            let path = spec.at("nodeAffinity").path;
            errors.push(FieldError::required(path, "Local volume requires node affinity"));
        }
        Some(_) => {}
    }
    if !spec.at("storageClassName").is_empty() {
        spec.at("storageClassName").judge(name::subdomain, errors);
    }
    spec.at("volumeMode").perhaps_one_of(&["Block", "Filesystem"], errors);
}

/// A `StorageClass`.
pub(super) fn class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let provisioner = Spot::of(object, "provisioner");
    provisioner.require_name(|it| name::qualified(&it.to_lowercase()), errors);
    let policy = Spot::of(object, "reclaimPolicy");
    if !policy.is_empty() {
        policy.one_of(&["Delete", "Retain"], errors);
    }
    let mode = Spot::of(object, "volumeBindingMode");
    if mode.is_empty() {
        errors.push(FieldError::required(mode.path, ""));
    } else {
        mode.one_of(&["Immediate", "WaitForFirstConsumer"], errors);
    }
    let Some(old) = old else { return };
    if old["parameters"] != object["parameters"] {
        let why = "updates to parameters are forbidden.";
        errors.push(FieldError::forbidden("parameters", why));
    }
    if old["provisioner"] != object["provisioner"] {
        let why = "updates to provisioner are forbidden.";
        errors.push(FieldError::forbidden("provisioner", why));
    }
    for field in ["reclaimPolicy", "volumeBindingMode"] {
        if old[field] != object[field] {
            let spot = Spot::of(object, field);
            spot.wrong("field is immutable", errors);
        }
    }
}

/// A `CSIStorageCapacity`.
pub(super) fn capacity(object: &Value, errors: &mut Errors) {
    Spot::of(object, "storageClassName").judge(name::subdomain, errors);
    amount(&Spot::of(object, "capacity"), errors);
}
