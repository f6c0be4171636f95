//! Strategic merge patches: merge patches that know which lists are maps by a key.

use serde_json::{Map, Value};

use super::Error;
use super::element::{self, Elements};
use crate::fields::Type;
use crate::fields::shape::{Ref, Strategy};
use crate::schema::go;

/// `$patch`: what to do with the map it stands in.
pub(super) const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";

pub(super) type Object = Map<String, Value>;

/// The document with the patch merged into it by the type's merge keys and strategies.
pub(crate) fn strategic(document: &Value, patch: &Value, ty: &Type) -> Result<Value, Error> {
    let (Value::Object(document), Value::Object(patch)) = (document, patch) else {
        return Err(Error::BadRequest("invalid JSON document".to_owned()));
    };
    merge_map(document.clone(), patch.clone(), &ty.shape).map(Value::Object)
}

/// Merges a patch into a map.
pub(super) fn merge_map(
    mut original: Object,
    mut patch: Object,
    shape: &Ref,
) -> Result<Object, Error> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.shift_remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(bad_directive(directive, &patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    reorder(&mut original, &mut patch, shape)?;
    for (key, value) in patch {
        merge_field(&mut original, key, value, shape)?;
    }
    Ok(original)
}

pub(super) fn bad_directive(directive: &Value, patch: &Object) -> Error {
    let patch = go::plain(&Value::Object(patch.clone()));
    Error::Internal(format!("unknown patch type: {} in map: {patch}", go::plain(directive)))
}

fn merge_field(original: &mut Object, key: String, value: Value, shape: &Ref) -> Result<(), Error> {
    let (key, deletes) = match key.strip_prefix(DELETE_FROM) {
        Some(rest) => match rest.strip_prefix('/') {
            Some(name) => (name.to_owned(), true),
            None => return Err(bad_request("invalid patch format of primitive list")),
        },
        None => (key, false),
    };
    if value.is_null() {
        original.shift_remove(&key);
        return Ok(());
    }
    let merged = match (original.get_mut(&key).map(Value::take), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let (below, _) = field(shape, &key);
            Value::Object(merge_map(old, new, &below)?)
        }
        (Some(Value::Array(old)), Value::Array(new)) => {
            let (list, strategy) = field(shape, &key);
            if strategy.merge || deletes {
                let elements = Elements { shape: element_of(&list), key: strategy.key.as_deref() };
                Value::Array(element::merge(old, new, &elements, deletes)?)
            } else {
                Value::Array(new)
            }
        }
        (Some(old), _) if deletes => old,
        (None, _) if deletes => return Ok(()),
        (_, new) => {
            let Some(new) = without_directives(new) else {
                original.shift_remove(&key);
                return Ok(());
            };
            new
        }
    };
    original.insert(key, merged);
    Ok(())
}

/// A new value without nulls, directives and what they delete.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            let kept = kept.filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => {
            Some(Value::Array(items.into_iter().filter_map(without_directives).collect()))
        }
        scalar => Some(scalar),
    }
}

/// Clears what `$retainKeys` does not name.
fn retain_keys(original: &mut Object, patch: &mut Object) -> Result<(), Error> {
    let Some(directive) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let bad = || bad_request("invalid patch format of retainKeys");
    let Value::Array(kept) = directive else { return Err(bad()) };
    let is_kept = |key: &String| kept.iter().any(|name| name == key);
    for (key, value) in patch.iter() {
        let is_directive = key.starts_with(DELETE_FROM) || key.starts_with(ORDER);
        if !value.is_null() && !is_directive && !is_kept(key) {
            return Err(bad());
        }
    }
    original.retain(|key, _| is_kept(key));
    Ok(())
}

/// Merges the lists that `$setElementOrder` speaks of, in that order.
fn reorder(original: &mut Object, patch: &mut Object, shape: &Ref) -> Result<(), Error> {
    let keys: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
    for directive in keys {
        let order = match patch.shift_remove(&directive) {
            Some(Value::Array(order)) => order,
            other => return Err(bad_type(&other.unwrap_or(Value::Null))),
        };
        let bad = || bad_request("invalid patch format of setElementOrder list");
        let key =
            directive.strip_prefix(ORDER).and_then(|k| k.strip_prefix('/')).ok_or_else(bad)?;
        let (list, strategy) = field(shape, key);
        let elements = Elements { shape: element_of(&list), key: strategy.key.as_deref() };
        let (old, new) = (list_of(original.get(key).cloned())?, list_of(patch.shift_remove(key))?);
        element::check_order(new.as_deref().unwrap_or_default(), &order, &elements)?;
        if (old.is_some() || new.is_some()) && [&old, &new].into_iter().flatten().all(Vec::is_empty)
        {
            let text = "no elements in any of the given slices";
            return Err(Error::Internal(text.to_owned()));
        }
        let ordered = match (old, new) {
            (None, None) => continue,
            (Some(old), Some(new)) if strategy.merge => {
                element::merge_in_order(old, new, &elements, &order)?
            }
            (Some(old), new) => {
                let merged = new.unwrap_or_else(|| old.clone());
                element::ordered(merged, &order, &old, &elements)?
            }
            (None, Some(new)) => {
                let merged = new.into_iter().filter_map(without_directives).collect();
                element::ordered(merged, &order, &[], &elements)?
            }
        };
        original.insert(key.to_owned(), Value::Array(ordered));
    }
    Ok(())
}

fn list_of(value: Option<Value>) -> Result<Option<Vec<Value>>, Error> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(bad_type(&other)),
    }
}

fn bad_type(value: &Value) -> Error {
    let received = go::type_name(value);
    Error::Internal(format!("expected a []interface {{}}, but received a {received}"))
}

fn bad_request(text: &str) -> Error {
    Error::BadRequest(text.to_owned())
}

/// The shape and strategy of a field.
fn field(shape: &Ref, key: &str) -> (Ref, Strategy) {
    let resolved = shape.resolve();
    let Some(map) = &resolved.map else { return (Ref::Nothing, Strategy::default()) };
    match map.fields.get(key) {
        Some(field) => (field.shape.clone(), field.strategy.clone()),
        None => (map.others.clone().unwrap_or(Ref::Nothing), Strategy::default()),
    }
}

fn element_of(list: &Ref) -> Ref {
    list.resolve().list.as_ref().map_or(Ref::Nothing, |list| list.element.clone())
}
