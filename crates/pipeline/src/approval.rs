//! Whether enough people agree.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// How many and which people must agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How many different people.
    pub min: usize,
    /// Groups whose approvals count; everybody's when empty.
    pub groups: Vec<String>,
    /// Groups that must each have an approval.
    pub required: Vec<String>,
    /// Whether the one who asked for the promotion does not count.
    pub distinct_from_requester: bool,
    /// How long an approval counts.
    pub expires_after: Option<SignedDuration>,
}

/// That somebody agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Name of the user.
    pub by: String,
    /// The group it is given for.
    pub group: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether the user may.
    pub allowed: bool,
}

/// Whether enough people agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether they do.
    pub passed: bool,
    /// Who does, and who is missing.
    pub message: String,
    /// When an approval stops counting.
    pub next_change: Option<Timestamp>,
}

/// Counts the approvals.
pub fn count(
    rule: &Rule,
    approvals: &[Approval],
    requester: Option<&str>,
    now: Timestamp,
) -> Standing {
    let expiry = |it: &Approval| rule.expires_after.and_then(|after| it.at.checked_add(after).ok());
    let counts = |it: &&Approval| {
        let asked = rule.distinct_from_requester && requester == Some(it.by.as_str());
        let expired = expiry(it).is_some_and(|at| at <= now);
        let grouped = rule.groups.is_empty()
            || it.group.as_ref().is_some_and(|group| rule.groups.contains(group));
        // One that is given for a required group counts whatever `groups` says.
        let required = it.group.as_ref().is_some_and(|group| rule.required.contains(group));
        it.allowed && !asked && !expired && (grouped || required)
    };
    let counted: Vec<&Approval> = approvals.iter().filter(counts).collect();
    let people: BTreeSet<&str> = counted.iter().map(|it| it.by.as_str()).collect();
    let missing: Vec<&str> = rule
        .required
        .iter()
        .filter(|group| !counted.iter().any(|it| it.group.as_ref() == Some(group)))
        .map(String::as_str)
        .collect();
    let passed = people.len() >= rule.min && missing.is_empty();
    let mut message = vec![format!("{} of {}", people.len(), rule.min)];
    if !people.is_empty() {
        message.push(people.iter().copied().collect::<Vec<_>>().join(", "));
    }
    if people.len() < rule.min {
        message.push(format!("needs {} more with verb approve", rule.min - people.len()));
    }
    if !missing.is_empty() {
        message.push(format!("needs one of group {}", missing.join(", ")));
    }
    let message = message.join("; ");
    let next_change = counted.iter().filter_map(|it| expiry(it)).min();
    Standing { passed, message, next_change }
}
