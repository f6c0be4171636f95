//! What was tried: the last distinct contents and how they ended.

use std::collections::BTreeMap;
use std::time::Duration;

use api::duration::Go;
use api::kustomize::Snapshot;
use jiff::Timestamp;

/// How many entries are kept.
const ENTRIES: usize = 5;

/// One try.
pub(super) struct Try<'a> {
    /// Digest of what was built.
    pub(super) digest: &'a str,
    /// Reason of Ready at its end.
    pub(super) status: &'a str,
    /// How long it took.
    pub(super) took: Duration,
    /// When it ended.
    pub(super) at: Timestamp,
    /// What else is known of the content.
    pub(super) metadata: BTreeMap<String, String>,
}

/// Adds a try: equal content with equal outcome is counted up, and the last one stands first.
pub(super) fn record(history: &mut Vec<Snapshot>, it: Try<'_>) {
    let Try { digest, status, took, at, metadata } = it;
    let same = |known: &Snapshot| known.digest == digest && known.last_reconciled_status == status;
    let known = history.iter().position(same).map(|at| history.remove(at));
    let now = api::meta::time(at);
    let entry = Snapshot {
        digest: digest.to_owned(),
        first_reconciled: known
            .as_ref()
            .map_or(now.clone(), |known| known.first_reconciled.clone()),
        last_reconciled: now,
        last_reconciled_duration: Go(took).to_string(),
        last_reconciled_status: status.to_owned(),
        total_reconciliations: known.map_or(0, |known| known.total_reconciliations) + 1,
        metadata: Some(metadata),
    };
    history.insert(0, entry);
    history.truncate(ENTRIES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tries_are_counted_and_the_last_five_stay() {
        let mut history = Vec::new();
        let mut tried = |digest: &str, second: i64| {
            let at = Timestamp::from_second(second).unwrap();
            let took = Duration::from_millis(1500);
            let it = Try { digest, status: "ok", took, at, metadata: BTreeMap::new() };
            record(&mut history, it);
            history.iter().map(|it| it.digest.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(tried("a", 1), "a");
        assert_eq!(tried("b", 2), "b a");
        assert_eq!(tried("a", 3), "a b");
        for (at, digest) in ["c", "d", "e"].iter().enumerate() {
            tried(digest, 4 + i64::try_from(at).unwrap());
        }
        assert_eq!(tried("f", 9), "f e d c a");
        assert_eq!(history[4].total_reconciliations, 2);
        assert_eq!(history[4].last_reconciled_duration, "1.5s");
        assert_eq!(history[4].first_reconciled.0.as_second(), 1);
    }
}
