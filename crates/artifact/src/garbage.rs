//! Which files of an object are no longer needed: pure.

use std::time::{Duration, SystemTime};

/// How many files are looked at.
pub(crate) const LOOKED_AT: usize = 1000;

/// A file of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) written: SystemTime,
}

/// The files to remove: all but `current` that are older than `ttl`, and then the oldest until at
/// most `records` are left (fluxcd/pkg/artifact `GetGarbageFiles`).
pub(crate) fn garbage(
    mut files: Vec<Candidate>,
    current: &str,
    now: SystemTime,
    (ttl, records): (Duration, usize),
) -> Vec<String> {
    files.sort_by(|a, b| a.written.cmp(&b.written).then_with(|| a.name.cmp(&b.name)));
    let is_old = |file: &Candidate| now.duration_since(file.written).is_ok_and(|age| age > ttl);
    let (old, young): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.name != current && is_old(file));
    let surplus = young.len().saturating_sub(records);
    let rest = young.into_iter().filter(|file| file.name != current).take(surplus);
    old.into_iter().chain(rest).map(|file| file.name).collect()
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Duration, SystemTime, garbage};

    fn collected(ages: &[(&str, u64)], current: &str, ttl: u64, records: usize) -> Vec<String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let files = ages.iter().map(|(name, age)| Candidate {
            name: (*name).to_owned(),
            written: now - Duration::from_secs(*age),
        });
        garbage(files.collect(), current, now, (Duration::from_secs(ttl), records))
    }

    #[test]
    fn old_ones_go_first_then_the_oldest() {
        let three = [("a", 300), ("b", 200), ("c", 10)];
        assert_eq!(collected(&three, "c", 60, 2), ["a", "b"]);
        assert_eq!(collected(&three, "c", 1000, 2), ["a"]);
        assert_eq!(collected(&three, "c", 1000, 3), Vec::<String>::new());
        assert_eq!(collected(&three, "a", 60, 2), ["b"], "the current one stays, however old");
        assert_eq!(collected(&three, "a", 1000, 1), ["b", "c"]);
        assert_eq!(collected(&[("a", 300)], "a", 60, 0), Vec::<String>::new());
    }
}
