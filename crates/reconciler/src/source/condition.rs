//! The conditions of sources, and how upstream sums them up into Ready.

pub(crate) use api::condition::{
    ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, BUILD_FAILED, FETCH_FAILED, INCLUDE_UNAVAILABLE,
    SOURCE_VERIFIED, STORAGE_OPERATION_FAILED,
};
use api::meta::{Condition, RECONCILING, STALLED};
use controller::Conditions;

/// What counts for Ready, in this order.
const SUMMARIZED: [&str; 9] = [
    STORAGE_OPERATION_FAILED,
    FETCH_FAILED,
    INCLUDE_UNAVAILABLE,
    BUILD_FAILED,
    ARTIFACT_OUTDATED,
    ARTIFACT_IN_STORAGE,
    SOURCE_VERIFIED,
    STALLED,
    RECONCILING,
];

/// What is bad when it is true.
const NEGATIVE: [&str; 7] = [
    STORAGE_OPERATION_FAILED,
    FETCH_FAILED,
    INCLUDE_UNAVAILABLE,
    BUILD_FAILED,
    ARTIFACT_OUTDATED,
    STALLED,
    RECONCILING,
];

/// What a pass failed with when it is true.
const FAILURES: [&str; 4] =
    [STORAGE_OPERATION_FAILED, FETCH_FAILED, INCLUDE_UNAVAILABLE, BUILD_FAILED];

/// The condition that Ready repeats: the first of the worst kind there is. A failed verification
/// goes before everything else (source-controller `summarize`).
pub(crate) fn summary(conditions: &Conditions) -> Option<&Condition> {
    let unverified = conditions.get(SOURCE_VERIFIED).filter(|it| it.status == "False");
    let all = || SUMMARIZED.iter().filter_map(|kind| conditions.get(kind));
    unverified
        .or_else(|| (0..4).find_map(|badness| all().find(|condition| weight(condition) == badness)))
}

fn weight(condition: &Condition) -> u8 {
    let negative = NEGATIVE.contains(&condition.type_.as_str());
    match (condition.status.as_str(), negative) {
        ("True", true) => 0,
        ("False", false) => 1,
        ("True", false) => 2,
        _ => 3,
    }
}

/// Whether the conditions tell of a failure.
pub(crate) fn has_failed(conditions: &[Condition]) -> bool {
    let failure = |it: &Condition| FAILURES.contains(&it.type_.as_str()) && it.status == "True";
    conditions.iter().any(failure)
}

#[cfg(test)]
mod tests {
    use controller::Claim;
    use jiff::Timestamp;

    use super::*;

    fn summed(claims: &[(&'static str, &'static str)]) -> Option<String> {
        let mut it = Conditions { list: Vec::new(), generation: 1, now: Timestamp::UNIX_EPOCH };
        for (kind, status) in claims {
            it.set(Claim { kind, status, reason: "R", message: kind });
        }
        summary(&it).map(|condition| condition.message.clone())
    }

    #[test]
    fn the_worst_speaks_for_all() {
        assert_eq!(summed(&[]), None);
        let good = [(SOURCE_VERIFIED, "True"), (ARTIFACT_IN_STORAGE, "True")];
        assert_eq!(summed(&good).as_deref(), Some(ARTIFACT_IN_STORAGE));
        let outdated = [good[0], good[1], (ARTIFACT_OUTDATED, "True")];
        assert_eq!(summed(&outdated).as_deref(), Some(ARTIFACT_OUTDATED));
        let failed = [good[1], (FETCH_FAILED, "True"), (RECONCILING, "True"), (STALLED, "True")];
        assert_eq!(summed(&failed).as_deref(), Some(FETCH_FAILED));
        let both = [failed[1], (STORAGE_OPERATION_FAILED, "True")];
        assert_eq!(summed(&both).as_deref(), Some(STORAGE_OPERATION_FAILED));
        let unverified = [failed[1], (SOURCE_VERIFIED, "False")];
        assert_eq!(summed(&unverified).as_deref(), Some(SOURCE_VERIFIED));
        assert_eq!(summed(&[(RECONCILING, "True"), good[1]]).as_deref(), Some(RECONCILING));
    }
}
