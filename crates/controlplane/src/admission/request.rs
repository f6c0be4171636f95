//! A write as admission sees it.

use serde_json::{Value, json};

use crate::api::Api;
use crate::catalog::NAMESPACES;
use crate::object::Target;
use crate::status::About;
use crate::user::User;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    /// The name in rules and requests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A write that is about to be made.
pub(crate) struct Attempt<'a> {
    pub(crate) target: &'a Target,
    pub(crate) operation: Operation,
    /// The new state; null for a deletion.
    pub(crate) object: &'a Value,
    /// The state before; null for a creation.
    pub(crate) old: &'a Value,
    pub(crate) user: &'a User,
    pub(crate) dry_run: bool,
}

impl Attempt<'_> {
    /// The same attempt.
    pub(super) fn same(&self) -> Attempt<'_> {
        Attempt {
            target: self.target,
            operation: self.operation,
            object: self.object,
            old: self.old,
            user: self.user,
            dry_run: self.dry_run,
        }
    }

    /// Whether no policy applies: policies cannot lock their own kind away.
    pub(super) fn is_exempt(&self) -> bool {
        let resource = &self.target.resource;
        resource.group == "admissionregistration.k8s.io" || resource.is_virtual
    }

    /// The namespace of the object; a Namespace lives in itself.
    pub(super) fn namespace(&self) -> &str {
        if self.target.resource.is(NAMESPACES) { &self.target.name } else { &self.target.namespace }
    }

    /// The Namespace that the object is in, or is.
    pub(super) fn namespace_object(&self, api: &Api) -> Option<Value> {
        if self.target.resource.is(NAMESPACES) {
            return Some(if self.object.is_null() { self.old } else { self.object }.clone());
        }
        api.store.get(NAMESPACES, &self.target.namespace).map(|object| object.value())
    }

    /// What refusals say it is about.
    pub(super) fn about(&self) -> About<'_> {
        self.target.about()
    }

    /// The `request` of expressions.
    pub(super) fn request(&self) -> Value {
        let resource = &self.target.resource;
        let kind =
            json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
        let plural = json!({"group": resource.group, "version": resource.version, "resource": resource.plural});
        let mut user = self.user.shown();
        for key in ["groups", "extra"] {
            if user[key].is_null() {
                user[key] = if key == "groups" { json!([]) } else { json!({}) };
            }
        }
        let mut request = json!({
            "kind": kind, "resource": plural, "requestKind": kind, "requestResource": plural,
            "name": self.target.name,
            "operation": self.operation.name(),
            "userInfo": user,
            "dryRun": self.dry_run,
        });
        if !self.namespace().is_empty() {
            request["namespace"] = json!(self.namespace());
        }
        if !self.target.subresource.is_empty() {
            request["subResource"] = json!(self.target.subresource);
            request["requestSubResource"] = json!(self.target.subresource);
        }
        request
    }
}
