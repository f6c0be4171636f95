//! Metrics, under upstream's names, labels and buckets.
//!
//! `gotk_*` are those of fluxcd/pkg/runtime, `controller_runtime_*` and `workqueue_*` those of
//! controller-runtime 0.22, `leader_election_master_status` and `rest_client_requests_total` those
//! of client-go. Unlike upstream's image controllers, `gotk_reconcile_condition` and
//! `gotk_suspend_status` are fed.

mod object;
mod token;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{
    CounterVec, Encoder as _, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder,
};

use object::Objects;
use token::TokenFamilies;

const OBJECT: &[&str] = &["kind", "name", "namespace"];
const CONTROLLER: &[&str] = &["controller"];
const QUEUE: &[&str] = &["name", "controller"];

/// The metrics of all controllers of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    families: Arc<Families>,
}

struct Families {
    registry: Registry,
    objects: Objects,
    reconciles: CounterVec,
    reconcile_errors: CounterVec,
    terminal_errors: CounterVec,
    panics: CounterVec,
    reconcile_time: HistogramVec,
    workers: GaugeVec,
    active_workers: GaugeVec,
    depth: GaugeVec,
    adds: CounterVec,
    queue_time: HistogramVec,
    work_time: HistogramVec,
    unfinished: GaugeVec,
    longest: GaugeVec,
    retries: CounterVec,
    leader: GaugeVec,
    requests: CounterVec,
    tokens: TokenFamilies,
    queues: Mutex<Vec<Weak<dyn Gauged>>>,
}

/// A queue whose gauges are read when metrics are.
pub(crate) trait Gauged: Send + Sync {
    /// The label `name`.
    fn name(&self) -> &str;
    /// What the gauges show now.
    fn gauges(&self) -> Gauges;
}

/// What a queue shows at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges {
    /// Objects that could run.
    pub(crate) depth: usize,
    /// For how long each running object runs.
    pub(crate) running: Vec<Duration>,
}

/// How a run ended, as controller-runtime names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Runs again only if something changes.
    Success,
    /// Runs again at a time.
    RequeueAfter,
    /// Runs again at once.
    Requeue,
    /// Failed, will be retried.
    Error,
    /// Failed, will not be retried.
    TerminalError,
}

impl Metrics {
    /// Registers all families with `registry`.
    ///
    /// # Errors
    /// When one of the names is already taken there.
    pub fn new(registry: Registry) -> Result<Self, prometheus::Error> {
        let families = Families::register(registry)?;
        Ok(Self { families: Arc::new(families) })
    }

    /// Everything in the registry, in the Prometheus text format.
    ///
    /// # Errors
    /// When a collector registered by others yields what cannot be written.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.families.read_queues();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.families.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    /// Where further families can be registered.
    pub fn registry(&self) -> &Registry {
        &self.families.registry
    }

    pub(crate) fn count_request(&self, code: &str, host: &str, method: &str) {
        self.families.requests.with_label_values(&[code, host, method]).inc();
    }

    /// Shows whether this process holds a lease: 0 from when it stands for it, 1 while it leads.
    pub fn lead(&self, lease: &str, leading: bool) {
        let value = f64::from(u8::from(leading));
        self.families.leader.with_label_values(&[lease]).set(value);
    }

    /// Starts to show a queue and the counters of its controller.
    pub(crate) fn add_queue(&self, queue: &Arc<dyn Gauged>, workers: usize) {
        let it = &*self.families;
        let name = queue.name();
        #[expect(clippy::cast_precision_loss, reason = "nobody runs 2^52 workers")]
        it.workers.with_label_values(&[name]).set(workers as f64);
        it.active_workers.with_label_values(&[name]).set(0.0);
        for counter in [&it.reconcile_errors, &it.terminal_errors, &it.panics] {
            counter.with_label_values(&[name]).inc_by(0.0);
        }
        for result in [Ended::Success, Ended::RequeueAfter, Ended::Requeue, Ended::Error] {
            it.reconciles.with_label_values(&[name, result.label()]).inc_by(0.0);
        }
        for counter in [&it.adds, &it.retries] {
            counter.with_label_values(&[name, name]).inc_by(0.0);
        }
        it.queues.lock().push(Arc::downgrade(queue));
    }

    pub(crate) fn added(&self, queue: &str) {
        self.families.adds.with_label_values(&[queue, queue]).inc();
    }

    pub(crate) fn retried(&self, queue: &str) {
        self.families.retries.with_label_values(&[queue, queue]).inc();
    }

    pub(crate) fn waited(&self, queue: &str, time: Duration) {
        let family = &self.families.queue_time;
        family.with_label_values(&[queue, queue]).observe(time.as_secs_f64());
    }

    /// Counts a worker as active until the guard is dropped, and times it.
    pub(crate) fn work(&self, queue: &str) -> Work {
        self.families.active_workers.with_label_values(&[queue]).inc();
        Work { metrics: self.clone(), queue: queue.to_owned(), since: Instant::now() }
    }

    pub(crate) fn ended(&self, queue: &str, how: Ended) {
        let it = &*self.families;
        it.reconciles.with_label_values(&[queue, how.label()]).inc();
        if matches!(how, Ended::Error | Ended::TerminalError) {
            it.reconcile_errors.with_label_values(&[queue]).inc();
        }
        if how == Ended::TerminalError {
            it.terminal_errors.with_label_values(&[queue]).inc();
        }
    }

    pub(crate) fn panicked(&self, queue: &str) {
        self.families.panics.with_label_values(&[queue]).inc();
    }
}

/// A worker at work.
pub(crate) struct Work {
    metrics: Metrics,
    queue: String,
    since: Instant,
}

impl Drop for Work {
    fn drop(&mut self) {
        let it = &self.metrics.families;
        let seconds = self.since.elapsed().as_secs_f64();
        let queue = self.queue.as_str();
        it.active_workers.with_label_values(&[queue]).dec();
        it.reconcile_time.with_label_values(&[queue]).observe(seconds);
        it.work_time.with_label_values(&[queue, queue]).observe(seconds);
    }
}

impl Ended {
    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
            Self::Error | Self::TerminalError => "error",
        }
    }
}

impl Families {
    fn register(registry: Registry) -> Result<Self, prometheus::Error> {
        let it = &registry;
        Ok(Self {
            objects: Objects::register(it)?,
            reconciles: counter(it, RECONCILES, &with(CONTROLLER, &["result"]))?,
            reconcile_errors: counter(it, RECONCILE_ERRORS, CONTROLLER)?,
            terminal_errors: counter(it, TERMINAL_ERRORS, CONTROLLER)?,
            panics: counter(it, PANICS, CONTROLLER)?,
            reconcile_time: histogram(it, RECONCILE_TIME, CONTROLLER, RECONCILE_BUCKETS.into())?,
            workers: gauge(it, WORKERS, CONTROLLER)?,
            active_workers: gauge(it, ACTIVE_WORKERS, CONTROLLER)?,
            depth: gauge(it, DEPTH, &with(QUEUE, &["priority"]))?,
            adds: counter(it, ADDS, QUEUE)?,
            queue_time: histogram(it, QUEUE_TIME, QUEUE, queue_buckets())?,
            work_time: histogram(it, WORK_TIME, QUEUE, queue_buckets())?,
            unfinished: gauge(it, UNFINISHED, QUEUE)?,
            longest: gauge(it, LONGEST, QUEUE)?,
            retries: counter(it, RETRIES, QUEUE)?,
            leader: gauge(it, LEADER, &["name"])?,
            requests: counter(it, REQUESTS, &["code", "host", "method"])?,
            tokens: TokenFamilies::register(it)?,
            queues: Mutex::default(),
            registry,
        })
    }

    fn read_queues(&self) {
        let mut queues = self.queues.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        for queue in queues.iter().filter_map(Weak::upgrade) {
            let Gauges { depth, running } = queue.gauges();
            let labels = [queue.name(), queue.name()];
            let longest = running.iter().max().copied().unwrap_or_default();
            let unfinished: Duration = running.iter().sum();
            // controller-runtime leaves the priority empty unless its priority queue is on.
            #[expect(clippy::cast_precision_loss, reason = "no queue holds 2^52 objects")]
            self.depth.with_label_values(&[labels[0], labels[1], ""]).set(depth as f64);
            self.unfinished.with_label_values(&labels).set(unfinished.as_secs_f64());
            self.longest.with_label_values(&labels).set(longest.as_secs_f64());
        }
    }
}

/// Name and help of a family.
type Family = (&'static str, &'static str);

const RECONCILES: Family =
    ("controller_runtime_reconcile_total", "Runs of a controller by result.");
const RECONCILE_ERRORS: Family =
    ("controller_runtime_reconcile_errors_total", "Runs of a controller that failed.");
const TERMINAL_ERRORS: Family = (
    "controller_runtime_terminal_reconcile_errors_total",
    "Runs of a controller that failed and are not retried.",
);
const PANICS: Family =
    ("controller_runtime_reconcile_panics_total", "Runs of a controller that panicked.");
const RECONCILE_TIME: Family =
    ("controller_runtime_reconcile_time_seconds", "How long the runs of a controller took.");
const WORKERS: Family =
    ("controller_runtime_max_concurrent_reconciles", "Workers a controller may use.");
const ACTIVE_WORKERS: Family =
    ("controller_runtime_active_workers", "Workers a controller uses now.");
const DEPTH: Family = ("workqueue_depth", "Objects that could run.");
const ADDS: Family = ("workqueue_adds_total", "Objects that were added to the queue.");
const QUEUE_TIME: Family =
    ("workqueue_queue_duration_seconds", "How long objects were in the queue before they ran.");
const WORK_TIME: Family = ("workqueue_work_duration_seconds", "How long objects ran.");
const UNFINISHED: Family = (
    "workqueue_unfinished_work_seconds",
    "How long the objects that run now have been running, together.",
);
const LONGEST: Family = (
    "workqueue_longest_running_processor_seconds",
    "How long the object that runs longest has been running.",
);
const RETRIES: Family = ("workqueue_retries_total", "Runs that were scheduled after a failure.");
const LEADER: Family =
    ("leader_election_master_status", "Whether this process holds the lease of that name.");
const REQUESTS: Family =
    ("rest_client_requests_total", "Answers of the API server by code, host and method.");

/// controller-runtime, `pkg/internal/controller/metrics`.
const RECONCILE_BUCKETS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0,
    25.0, 30.0, 40.0, 50.0, 60.0,
];

/// `ExponentialBuckets(10e-9, 10, 12)` of `client_golang`.
fn queue_buckets() -> Vec<f64> {
    std::iter::successors(Some(10e-9), |bound| Some(bound * 10.0)).take(12).collect()
}

fn with<'a>(labels: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [labels, more].concat()
}

fn gauge(registry: &Registry, family: Family, labels: &[&str]) -> prometheus::Result<GaugeVec> {
    let it = GaugeVec::new(Opts::new(family.0, family.1), labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}

fn counter(registry: &Registry, family: Family, labels: &[&str]) -> prometheus::Result<CounterVec> {
    let it = CounterVec::new(Opts::new(family.0, family.1), labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}

fn histogram(
    registry: &Registry,
    family: Family,
    labels: &[&str],
    buckets: Vec<f64>,
) -> prometheus::Result<HistogramVec> {
    let it = HistogramVec::new(HistogramOpts::new(family.0, family.1).buckets(buckets), labels)?;
    registry.register(Box::new(it.clone()))?;
    Ok(it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_upstreams() {
        assert!((queue_buckets()[11] - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn names_are_registered_once() {
        let registry = Registry::new();
        Metrics::new(registry.clone()).unwrap();
        assert!(Metrics::new(registry).is_err());
    }
}
