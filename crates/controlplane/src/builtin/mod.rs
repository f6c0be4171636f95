//! The built-in kinds: their types, defaults and rules.
//!
//! `types.txt` is made from the API description that Kubernetes 1.34 publishes of itself. Defaults
//! and rules are written by hand: Kubernetes has them in Go code, not in that description.

mod decode;
mod defaults;
#[cfg(test)]
mod generate;
pub(crate) mod name;
mod quantity;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod warning;

use std::sync::Arc;

use serde_json::Value;

use crate::fields::shape::{Ref, Shape};
use crate::protobuf;
use crate::schema::FieldError;

/// The type of a built-in kind, or `None` if there is no such kind.
pub(crate) fn type_of(group: &str, version: &str, kind: &str) -> Option<Ref> {
    table::get().kind(group, version, kind).map(Ref::Named)
}

/// The type of `metadata`.
pub(crate) fn metadata() -> Ref {
    Ref::Named(table::get().metadata())
}

/// The shape of a named type, owned as one value if `atomic`.
pub(crate) fn shape(index: usize, atomic: bool) -> Arc<Shape> {
    table::get().shape(index, atomic)
}

/// Removes fields the kind does not have; answers their paths, sorted.
pub(crate) fn prune(group: &str, version: &str, kind: &str, object: &mut Value) -> Vec<String> {
    match table::get().kind(group, version, kind) {
        Some(index) => decode::prune(object, index),
        None => Vec::new(),
    }
}

/// What of an object cannot be read as the kind, such as a text for a number, in the words of
/// Go's decoder. The whole request is then a bad one.
pub(crate) fn decoding_error(
    group: &str,
    version: &str,
    kind: &str,
    object: &Value,
) -> Option<String> {
    decode::error(object, table::get().kind(group, version, kind)?)
}

/// Brings an object into the form in which kube-apiserver keeps it: nulls, empty lists and empty
/// maps that mean nothing go, quantities become canonical, defaults are filled in.
///
/// The version is that of the object.
pub(crate) fn default(group: &str, kind: &str, object: &mut Value) {
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let version = api_version.rsplit('/').next().unwrap_or_default();
    if let Some(index) = table::get().kind(group, version, kind) {
        defaults::normalise(object, index);
        protobuf::forget_zero(object);
        protobuf::complete(object);
        defaults::fill(object, index);
        protobuf::complete(object);
    }
}

/// What a client is warned of that writes an object of the kind.
pub(crate) fn warnings(group: &str, kind: &str, object: &Value) -> Vec<String> {
    warning::warnings(group, kind, object)
}

/// Complaints about an object of the kind beyond those about its metadata, or about its status if
/// that is the subresource that is written.
pub(crate) fn validate(
    group: &str,
    kind: &str,
    object: &Value,
    old: Option<&Value>,
    subresource: &str,
) -> Vec<FieldError> {
    validate::validate(group, kind, object, old, subresource)
}
