//! Whether it is time to scan: pure, the first reason that applies counts.

use std::{collections::BTreeSet, fmt, time::Duration};

use api::{
    image::{ImageRepository, ImageRepositoryStatus, ScanResult},
    meta::{READY, Status as _},
    reason,
};
use jiff::Timestamp;

/// A scan that would be due within this time is made now.
const SLACK: Duration = Duration::from_secs(1);

/// Why a scan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    NeverScanned,
    Requested,
    NewImageName,
    NewExclusionList,
    NoTags,
    Failed,
    Interval,
}

impl Why {
    /// Whether tags from an earlier scan still say what they said: an "unchanged" of the registry
    /// may stand for them. Someone who asks for a scan gets one.
    pub(super) fn may_reuse(self) -> bool {
        matches!(self, Self::Interval)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverScanned => "first scan",
            Self::Requested => "reconcile requested",
            Self::NewImageName => "new image name",
            Self::NewExclusionList => "updated exclusion list",
            Self::NoTags => "no tags in database",
            Self::Failed => "the last scan failed",
            Self::Interval => "triggered by interval",
        })
    }
}

/// When the next scan is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now(Why),
    In(Duration),
}

/// What the decision is made from, besides the object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) canonical: &'a str,
    pub(super) exclusions: &'a [String],
    pub(super) interval: Duration,
    pub(super) requested: bool,
    pub(super) has_tags: bool,
    pub(super) now: Timestamp,
}

/// Decides, in upstream's order. Unlike upstream, a requested scan that failed is made again:
/// the request counts as handled by then, and the old result must not pass for its answer.
pub(super) fn due(it: &ImageRepository, by: Circumstances<'_>) -> Due {
    let status = it.status.clone().unwrap_or_default();
    let failed = has_failed(&status);
    let Some(ScanResult { scan_time, .. }) = status.last_scan_result else {
        return Due::Now(Why::NeverScanned);
    };
    if by.requested {
        return Due::Now(Why::Requested);
    }
    if status.canonical_image_name.as_deref() != Some(by.canonical) {
        return Due::Now(Why::NewImageName);
    }
    if !same_content(by.exclusions, &status.observed_exclusion_list.unwrap_or_default()) {
        return Due::Now(Why::NewExclusionList);
    }
    if !by.has_tags {
        return Due::Now(Why::NoTags);
    }
    if failed {
        return Due::Now(Why::Failed);
    }
    let last = scan_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    match remaining(by.interval, last, by.now) {
        Some(rest) if rest >= SLACK => Due::In(rest),
        _ => Due::Now(Why::Interval),
    }
}

fn has_failed(status: &ImageRepositoryStatus) -> bool {
    let ready = status.condition(READY);
    ready.is_some_and(|it| it.status == "False" && it.reason == reason::READ_OPERATION_FAILED)
}

/// Time left of `interval` since `last`. A scan from the future has just been made.
fn remaining(interval: Duration, last: Timestamp, now: Timestamp) -> Option<Duration> {
    let elapsed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    interval.checked_sub(elapsed)
}

fn same_content(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>()
}

#[cfg(test)]
mod tests {
    use api::{
        image::ImageRepositorySpec,
        meta::{Condition, Time},
    };

    use super::*;

    fn scanned() -> ImageRepository {
        let mut it = ImageRepository::new("app", ImageRepositorySpec::default());
        it.status = Some(ImageRepositoryStatus {
            canonical_image_name: Some("r/app".into()),
            observed_exclusion_list: Some(vec!["a".into(), "b".into()]),
            last_scan_result: Some(ScanResult {
                scan_time: Some(Time(Timestamp::UNIX_EPOCH)),
                ..Default::default()
            }),
            ..Default::default()
        });
        it
    }

    fn at(seconds: i64, exclusions: &[String]) -> Circumstances<'_> {
        Circumstances {
            canonical: "r/app",
            exclusions,
            interval: Duration::from_mins(1),
            requested: false,
            has_tags: true,
            now: Timestamp::from_second(seconds).unwrap(),
        }
    }

    #[test]
    fn a_failed_scan_is_made_again_before_the_interval_is_over() {
        let list = ["a".to_owned(), "b".to_owned()];
        let ready = |status: &str| {
            let mut it = scanned();
            let condition = Condition {
                type_: READY.to_owned(),
                status: status.to_owned(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                reason: reason::READ_OPERATION_FAILED.to_owned(),
                message: String::new(),
            };
            it.status.get_or_insert_default().conditions_mut().push(condition);
            it
        };
        assert_eq!(due(&ready("False"), at(10, &list)), Due::Now(Why::Failed));
        assert_eq!(due(&ready("True"), at(10, &list)), Due::In(Duration::from_secs(50)));
    }

    #[test]
    fn the_first_reason_counts() {
        let it = scanned();
        let list = ["b".to_owned(), "a".to_owned()];
        let now = at(10, &list);
        assert_eq!(
            due(&it, now),
            Due::In(Duration::from_secs(50)),
            "the order of the list is no change"
        );
        assert_eq!(due(&it, at(59, &list)), Due::In(Duration::from_secs(1)));
        assert_eq!(due(&it, at(60, &list)), Due::Now(Why::Interval));
        assert_eq!(due(&it, at(-5, &list)), Due::In(Duration::from_mins(1)), "clocks may differ");
        assert_eq!(due(&it, Circumstances { has_tags: false, ..now }), Due::Now(Why::NoTags));
        let other = ["a".to_owned()];
        let changed = Circumstances { exclusions: &other, has_tags: false, ..now };
        assert_eq!(due(&it, changed), Due::Now(Why::NewExclusionList));
        let renamed = Circumstances { canonical: "r/other", ..changed };
        assert_eq!(due(&it, renamed), Due::Now(Why::NewImageName));
        let requested = Circumstances { requested: true, ..renamed };
        assert_eq!(due(&it, requested), Due::Now(Why::Requested));
        let mut it = it;
        it.status = None;
        assert_eq!(due(&it, requested), Due::Now(Why::NeverScanned));
    }
}
