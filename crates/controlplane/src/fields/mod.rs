//! Who manages which fields of an object, and server-side apply.
//!
//! ```text
//!  live object ─┐                              ┌─> object with metadata.managedFields
//!  new object  ─┼─ compare by shape ─> sets ───┤
//!  config      ─┘                              └─> conflicts
//! ```
//!
//! The rules are those of structured-merge-diff v6 and of the field managers around it in
//! k8s.io/apimachinery 0.34; differing versions of custom resources share their fields, since
//! conversion is always `None`.

mod apply;
mod manager;
mod merge;
mod reconcile;
mod set;
pub(crate) mod shape;
mod step;
mod update;
mod walk;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use apply::apply;
pub(crate) use manager::same_but_times;
pub(crate) use update::update;

use crate::builtin;
use crate::schema::Schema;
use shape::Ref;

/// The type of a kind of objects, as far as managing fields is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Type {
    pub(crate) shape: Ref,
    /// Whether nulls mean the same as absence, as they do for types written in Go.
    pub(crate) drops_nulls: bool,
}

impl Type {
    /// The type of custom resources with a schema.
    pub(crate) fn of_schema(schema: &Schema) -> Self {
        Self { shape: shape::of_schema(schema.root()), drops_nulls: false }
    }

    /// The type of a built-in kind.
    pub(crate) fn builtin(group: &str, version: &str, kind: &str) -> Option<Self> {
        let shape = builtin::type_of(group, version, kind)?;
        Some(Self { shape, drops_nulls: true })
    }

    /// The type of objects nobody described: maps are granular, lists atomic.
    pub(crate) fn deduced() -> Self {
        Self { shape: Ref::Deduced, drops_nulls: false }
    }
}

/// How a configuration is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Apply<'a> {
    /// The name of the applying manager.
    pub(crate) manager: &'a str,
    /// Whether to take fields from other managers.
    pub(crate) force: bool,
    /// The subresource the request is for, or empty.
    pub(crate) subresource: &'a str,
    /// Dotted paths the request cannot change, such as `status` where that is a subresource.
    pub(crate) reset: &'a [&'a str],
    /// The time to record.
    pub(crate) now: Timestamp,
}

/// How an object is created, updated or patched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update<'a> {
    /// The name of the manager.
    pub(crate) manager: &'a str,
    /// The version the request speaks.
    pub(crate) api_version: &'a str,
    /// The subresource the request is for, or empty.
    pub(crate) subresource: &'a str,
    /// Dotted paths the request cannot change.
    pub(crate) reset: &'a [&'a str],
    /// The time to record.
    pub(crate) now: Timestamp,
}

/// Why a configuration cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Other managers own fields the configuration would change (409, reason `Conflict`).
    #[error("{}", manager::conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration is no good (400, reason `BadRequest`).
    #[error("{0}")]
    BadRequest(String),
    /// The configuration or the live object does not have the shape of its type (500).
    #[error("{0}")]
    Untyped(String),
}

/// A field that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The manager, in the words of the message: `"kubectl" using v1`.
    pub(crate) manager: String,
    /// The field, such as `.spec.replicas`.
    pub(crate) field: String,
}

impl Conflict {
    /// The message of the cause in the Status; its reason is `FieldManagerConflict`.
    pub(crate) fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// The object without what only the server writes about it.
fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    object
}
