//! `ImageRepository`: the tags of an image, scanned in time.
//!
//! ```text
//! spec, Secrets ─> access ─┐
//! status, time ──> due ────┴─> registry ─> exclusions, order, revision ─> tags on disk, status
//! ```
//!
//! Invariants: a failed scan changes neither the tags nor the last result; the order in which a
//! registry lists its tags changes nothing; a registry that says when to come back is asked then,
//! and not before.

mod due;
mod excluded;

use std::time::Duration;

use api::{
    duration::Go,
    image::{ImageRepository, ImageRepositoryStatus, ScanResult},
    meta, reason,
};
use controller::{Next, Reconcile, Report, Stop, Turn};
use jiff::Timestamp;
use kube::ResourceExt as _;
use policy::{Exclusions, Scan};
use registry::{Access, Listing, Repository};

use self::due::{Circumstances, Due};
use self::excluded::Excluded;
use crate::{Context, access, tags::Stored};

/// Tags of fewer bytes than this are sorted at once: to hand them to another thread takes longer.
const SMALL: usize = 4096;

/// Reconciles ImageRepositories.
pub struct RepositoryReconciler {
    context: Context,
    excluded: Excluded,
}

/// The spec, read and checked.
struct Plan {
    repository: Repository,
    interval: Duration,
    timeout: Duration,
    exclusions: Vec<String>,
}

impl RepositoryReconciler {
    /// A reconciler of its own; many may share a context.
    pub fn new(context: Context) -> Self {
        Self { context, excluded: Excluded::default() }
    }

    /// Asks the registry, and keeps what it says.
    async fn scan(
        &self,
        it: &ImageRepository,
        plan: &Plan,
        access: &Access,
        known: Option<Stored>,
    ) -> Result<Scan, Stop> {
        // A regular expression that cannot be used is reported as the scan it makes impossible.
        let exclusions = self.excluded.by(&plan.exclusions).map_err(failed)?;
        let how = registry::Scan {
            timeout: plan.timeout,
            previous: known.as_ref().and_then(|stored| stored.validator.as_ref()),
        };
        let registry = &self.context.registry;
        let listing = registry
            .list_tags(&plan.repository, access, &how)
            .await
            .map_err(|error| refused(&error))?;
        let (tags, validator) = match (listing, &known) {
            (Listing::Unchanged, Some(stored)) => (stored.tags.clone(), stored.validator.clone()),
            (Listing::Unchanged, None) => return Err(failed("the registry sent no tags")),
            (Listing::Tags { tags, validator }, _) => (tags, validator),
        };
        let bytes = tags.iter().map(String::len).sum();
        let work = move || Scan::new(tags, &exclusions);
        let scan = if bytes < SMALL {
            work()
        } else {
            self.context.compute.run(bytes, work).await.map_err(failed)?
        };
        let stored =
            Stored { image: plan.repository.canonical(), validator, tags: scan.tags().to_vec() };
        if known.as_ref() == Some(&stored) {
            return Ok(scan);
        }
        let uid = it.uid().unwrap_or_default();
        self.context.tags.put(&uid, stored).await.map_err(|error| {
            failed(format!("failed to set tags for {:?}: {error}", plan.repository.canonical()))
        })?;
        Ok(scan)
    }
}

impl Reconcile for RepositoryReconciler {
    type Resource = ImageRepository;
    const CONTROLLER: &'static str = crate::CONTROLLER;

    async fn turn(&self, it: &ImageRepository, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.context.check_gates(it, access::Referrer::Repository)?;
        let plan = plan(it)?;
        let access = tokio::time::timeout(plan.timeout, access::of(&self.context, it))
            .await
            .unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
            .map_err(|why| {
                let message = format!("failed to configure authentication options: {why}");
                Stop::fail(reason::AUTHENTICATION_FAILED, message)
            })?;
        let canonical = plan.repository.canonical();
        let known = self.context.tags.get(&it.uid().unwrap_or_default(), &canonical).await;
        let due = due::due(
            it,
            Circumstances {
                canonical: &canonical,
                exclusions: &plan.exclusions,
                interval: plan.interval,
                requested: turn.is_requested(),
                has_tags: known.is_some(),
                now: turn.now(),
            },
        );
        match due {
            Due::In(rest) => Ok(unchanged(it, &plan, rest)),
            Due::Now(why) => {
                turn.note(format!("scanning: {why}"));
                // What an exclusion list left out before is not among the tags that are known.
                let known = known.filter(|_| why.may_reuse());
                let scan = self.scan(it, &plan, &access, known).await?;
                Ok(scanned(it, &plan, &scan, turn.now()))
            }
        }
    }

    async fn finalize(&self, it: &ImageRepository, _: &mut Turn) -> Result<(), Stop> {
        self.context.tags.forget(&it.uid().unwrap_or_default()).await;
        Ok(())
    }
}

fn plan(it: &ImageRepository) -> Result<Plan, Stop> {
    let repository =
        access::parse(&it.spec).map_err(|error| Stop::stall(reason::IMAGE_URL_INVALID, error))?;
    let interval = api::duration::parse(&it.spec.interval)
        .map_err(|error| Stop::stall(reason::FAILURE, error))?;
    let timeout = access::timeout(&it.spec);
    let exclusions = match it.spec.exclusion_list.as_deref() {
        None | Some([]) => vec![Exclusions::DEFAULT.to_owned()],
        Some(list) => list.to_vec(),
    };
    Ok(Plan { repository, interval, timeout, exclusions })
}

fn failed(why: impl std::fmt::Display) -> Stop {
    Stop::fail(reason::READ_OPERATION_FAILED, format!("scan failed: {why}"))
}

/// A registry that says when to come back is taken at its word.
fn refused(error: &registry::Error) -> Stop {
    let message = format!("scan failed: {error}");
    match error.retry_after() {
        Some(after) => Stop::wait(reason::READ_OPERATION_FAILED, message, after),
        None => Stop::fail(reason::READ_OPERATION_FAILED, message),
    }
}

fn scanned(
    it: &ImageRepository,
    plan: &Plan,
    scan: &Scan,
    now: Timestamp,
) -> Report<RepositoryReconciler> {
    let before = it.status.clone().unwrap_or_default();
    let last = before.last_scan_result.as_ref().and_then(|result| result.revision.as_deref());
    let news =
        if last == Some(scan.revision()) { "tags did not change" } else { "successful scan" };
    let latest = scan.latest().to_vec();
    let status = ImageRepositoryStatus {
        last_scan_result: Some(ScanResult {
            revision: Some(scan.revision().to_owned()),
            tag_count: i64::try_from(scan.tags().len()).unwrap_or(i64::MAX),
            scan_time: Some(meta::time(now)),
            latest_tags: (!latest.is_empty()).then_some(latest),
        }),
        ..before
    };
    report(status, plan, news, plan.interval)
}

fn unchanged(it: &ImageRepository, plan: &Plan, rest: Duration) -> Report<RepositoryReconciler> {
    let news = "no change in repository configuration since last scan";
    report(it.status.clone().unwrap_or_default(), plan, news, rest)
}

fn report(
    mut status: ImageRepositoryStatus,
    plan: &Plan,
    news: &str,
    next: Duration,
) -> Report<RepositoryReconciler> {
    status.canonical_image_name = Some(plan.repository.canonical());
    status.observed_exclusion_list = Some(plan.exclusions.clone());
    let result = status.last_scan_result.clone().unwrap_or_default();
    let message = format!(
        "successful scan: found {} tags with checksum {}",
        result.tag_count,
        result.revision.unwrap_or_default()
    );
    let next_scan = if next == plan.interval {
        Next::Interval { every: next }
    } else {
        Next::Again { after: next }
    };
    let steady = Some(format!("{news}, next scan in {}", Go(next)));
    Report { steady, ..Report::ready(status, message, next_scan) }
}
