//! Rules that hold for every kind.

use jiff::Timestamp;
use serde_json::Value;

use crate::condition::conditions;
use crate::field::{integer, string};
use crate::{Error, Health, Status, builtin};

/// Group and kind of an object; empty where it does not say.
pub(crate) fn group_kind(object: &Value) -> (&str, &str) {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    (group, object["kind"].as_str().unwrap_or_default())
}

/// The health of `object`, the whole of it with its status, by kstatus' rules: deletion, generation,
/// the conditions Reconciling and Stalled, the rule of its kind, the condition Ready.
///
/// `now` decides only how long a Pod may wait for a node.
///
/// # Errors
/// If a field it looks at is not of the type it has everywhere, or a Pod is in an unknown phase.
pub fn compute(object: &Value, now: Timestamp) -> Result<Health, Error> {
    if let Some(health) = standard(object)? {
        return Ok(health);
    }
    if let Some(health) = builtin::compute(group_kind(object), object, now)? {
        return Ok(health);
    }
    Ok(ready(object)?.unwrap_or_else(|| Health::current("Resource is current")))
}

fn standard(object: &Value) -> Result<Option<Health>, Error> {
    if string(object, &["metadata", "deletionTimestamp"])?.is_some_and(|time| !time.is_empty()) {
        return Ok(Some(Health::new(Status::Terminating, "Resource scheduled for deletion")));
    }
    if let Some(generation) = integer(object, &["metadata", "generation"])?
        && let Some(observed) = integer(object, &["status", "observedGeneration"])?
        && generation != observed
    {
        let kind = group_kind(object).1;
        return Ok(Some(Health::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        ))));
    }
    Ok(conditions(object)?.into_iter().find_map(|condition| {
        if condition.is("Reconciling", "True") {
            Some(Health::in_progress(condition.message))
        } else if condition.is("Stalled", "True") {
            Some(Health::failed(condition.message))
        } else {
            None
        }
    }))
}

fn ready(object: &Value) -> Result<Option<Health>, Error> {
    let conditions = conditions(object)?.into_iter();
    Ok(conditions.filter(|condition| condition.kind == "Ready").find_map(
        |condition| match condition.status.as_str() {
            "True" => Some(Health::current("Resource is Ready")),
            "False" | "Unknown" => Some(Health::in_progress(condition.message)),
            _ => None,
        },
    ))
}
