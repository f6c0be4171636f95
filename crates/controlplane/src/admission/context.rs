//! What expressions see.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, Value as Cel};
use serde_json::{Value, json};

use super::policy::{Expression, words};
use super::{Attempt, authorizer};
use crate::api::Api;
use crate::schema;

/// A JSON value.
pub(super) fn value(value: &Value) -> Cel {
    schema::untyped(value)
}

/// The context that all policies share: everything but parameters and variables.
pub(super) fn base(
    api: &Api,
    attempt: &Attempt<'_>,
    namespace: Option<&Value>,
) -> Context<'static> {
    let mut context = schema::standard_context();
    context.add_variable_from_value("object", value(attempt.object));
    context.add_variable_from_value("oldObject", value(attempt.old));
    context.add_variable_from_value("request", value(&attempt.request()));
    let home = namespace.filter(|_| attempt.target.resource.namespaced);
    context
        .add_variable_from_value("namespaceObject", home.map_or(Cel::Null, |n| value(&shown(n))));
    authorizer::add(&mut context, api, attempt);
    context
}

/// What is shown of the Namespace.
fn shown(namespace: &Value) -> Value {
    let mut metadata = json!({});
    for key in [
        "name",
        "generateName",
        "namespace",
        "labels",
        "annotations",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "finalizers",
    ] {
        if let Some(member) = namespace["metadata"].get(key) {
            metadata[key] = member.clone();
        }
    }
    json!({"metadata": metadata, "spec": namespace["spec"], "status": namespace["status"]})
}

/// The variables of a policy, and what its expressions may still cost.
pub(super) struct Variables {
    values: BTreeMap<String, Cel>,
    errors: BTreeMap<String, String>,
    budget: Cell<u64>,
}

impl Variables {
    /// None, for expressions that may cost as much.
    pub(super) fn none(budget: u64) -> Self {
        let (values, errors) = (BTreeMap::new(), BTreeMap::new());
        Self { values, errors, budget: Cell::new(budget) }
    }

    /// Takes from the budget, if there is as much in it.
    pub(super) fn pay(&self, cost: u64) -> bool {
        let left = self.budget.get().checked_sub(cost);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Evaluates all; one that fails only matters to those who ask for it.
    pub(super) fn evaluate(all: &[(String, Expression)], context: &Context<'_>) -> Self {
        let mut known = Self::none(schema::CEL_BUDGET);
        for (name, expression) in all {
            let mut inner = context.new_inner_scope();
            inner.add_variable_from_value("variables", known.value());
            let found = expression.resolve(&inner, &known);
            match found {
                Ok(value) => drop(known.values.insert(name.clone(), value)),
                Err(why) => {
                    let why = format!(
                        "composited variable {} fails to evaluate: {why}",
                        schema::go::quote(name)
                    );
                    known.errors.insert(name.clone(), why);
                }
            }
        }
        known
    }

    /// As expressions see them.
    pub(super) fn value(&self) -> Cel {
        let entry =
            |(name, value): (&String, &Cel)| (Key::String(Arc::new(name.clone())), value.clone());
        let map: HashMap<_, _> = self.values.iter().map(entry).collect();
        Cel::Map(Map { map: Arc::new(map) })
    }

    /// An evaluation error in words.
    pub(super) fn explain(&self, error: &ExecutionError) -> String {
        if let ExecutionError::NoSuchKey(key) = error
            && let Some(why) = self.errors.get(key.as_str())
        {
            return why.clone();
        }
        words(error)
    }
}
