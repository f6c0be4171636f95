//! The rules of one Kustomization or HelmRelease.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use expression::Expression;
use jiff::Timestamp;
use serde_json::Value;

use crate::field::{nested_integer, nested_object};
use crate::generic::{compute, group_kind};
use crate::{Error, Health, Status, builtin};

/// One entry of `spec.healthCheckExprs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Check<'a> {
    /// API version of the objects it is for; only the group counts.
    pub api_version: &'a str,
    /// Kind of the objects it is for.
    pub kind: &'a str,
    /// True of an object that is current.
    pub current: &'a str,
    /// True of an object that is in progress; may be empty.
    pub in_progress: &'a str,
    /// True of an object that has failed; may be empty.
    pub failed: &'a str,
}

/// Which rules hold: those of expressions for their kinds, Flux' rule for Jobs, and for all others
/// those of [`compute`].
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// By group and kind; in the order in which they are asked.
    expressions: BTreeMap<(String, String), Vec<(Status, Expression)>>,
}

impl Rules {
    /// The rules with `checks`. Of several for one group and kind, the first holds.
    ///
    /// # Errors
    /// An expression that cannot be read, or a check without `current`.
    pub fn new(checks: &[Check<'_>]) -> Result<Self, Error> {
        let mut expressions = BTreeMap::new();
        for (index, check) in checks.iter().enumerate() {
            let group = check.api_version.split_once('/').map_or("", |(group, _)| group);
            let key = (group.to_owned(), check.kind.to_owned());
            if let Entry::Vacant(entry) = expressions.entry(key) {
                entry.insert(read(check).map_err(|why| Error::Check { index, why })?);
            }
        }
        Ok(Self { expressions })
    }

    /// The health of `object`, the whole of it with its status; see [`compute`] for `now`.
    ///
    /// # Errors
    /// As [`compute`], and whatever stops an expression, e.g. a missing key. Flux then takes the
    /// object's health for [`Status::Unknown`] ([`Health::unknown`]) and waits.
    pub fn evaluate(&self, object: &Value, now: Timestamp) -> Result<Health, Error> {
        let (group, kind) = group_kind(object);
        if let Some(expressions) = self.expressions.get(&(group.to_owned(), kind.to_owned())) {
            return by_expressions(expressions, object);
        }
        if (group, kind) == ("batch", "Job") {
            return builtin::job_until_complete(object);
        }
        compute(object, now)
    }
}

fn read(check: &Check<'_>) -> Result<Vec<(Status, Expression)>, String> {
    if check.current.is_empty() {
        return Err("expression Current not specified".to_owned());
    }
    // They are read in this order, and asked in that of the statuses below.
    let [current, failed, in_progress] =
        [("Current", check.current), ("Failed", check.failed), ("InProgress", check.in_progress)]
            .map(|(name, source)| {
                let read = (!source.is_empty()).then(|| Expression::parse(source)).transpose();
                read.map_err(|error| format!("failed to parse the expression {name}: {error}"))
            });
    let (current, failed, in_progress) = (current?, failed?, in_progress?);
    let asked =
        [(Status::InProgress, in_progress), (Status::Failed, failed), (Status::Current, current)];
    Ok(asked.into_iter().filter_map(|(status, read)| Some((status, read?))).collect())
}

fn by_expressions(expressions: &[(Status, Expression)], object: &Value) -> Result<Health, Error> {
    let in_progress = || Health::in_progress(String::new());
    if let Some(observed) = nested_integer(object, &["status", "observedGeneration"])?
        && let Some(generation) = nested_integer(object, &["metadata", "generation"])?
        && observed != generation
    {
        return Ok(in_progress());
    }
    let variables = nested_object(object)?;
    for (status, expression) in expressions {
        if expression.is_true(variables)? {
            return Ok(Health::new(*status, ""));
        }
    }
    Ok(in_progress())
}
