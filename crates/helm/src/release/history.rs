//! Which of the revisions counts, and which go.

use super::{Record, Status};

/// The newest revision.
pub fn latest(records: &[Record]) -> Option<&Record> {
    records.iter().max_by_key(|record| record.version)
}

/// The revision in use: the newest that is deployed.
fn deployed(records: &[Record]) -> Option<&Record> {
    let deployed = records.iter().filter(|record| record.info.status == Status::Deployed);
    deployed.max_by_key(|record| record.version)
}

/// The revisions that a new deployed one replaces: all that are deployed.
pub fn superseded(records: &[Record], new: i64) -> Vec<i64> {
    let old = records.iter().filter(|record| record.version != new);
    old.filter(|record| record.info.status == Status::Deployed).map(|it| it.version).collect()
}

/// The revisions that go before another is recorded, so that at most `max` are kept (0: all): the
/// oldest, but never the one in use.
pub fn pruned(records: &[Record], max: usize) -> Vec<i64> {
    if max == 0 || records.len() < max {
        return Vec::new();
    }
    let keep = deployed(records).map(|record| record.version);
    let mut versions: Vec<i64> = records.iter().map(|record| record.version).collect();
    versions.sort_unstable();
    versions.retain(|version| Some(*version) != keep);
    versions.truncate(records.len() - (max - 1));
    versions
}
