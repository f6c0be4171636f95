//! The series of objects: kept compactly, since a process shows them for thousands, and made into
//! families only when somebody reads them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Error, Registry};

use super::{Family, Metrics, OBJECT, TokenFamilies, with};
use crate::Key;

const DURATION: Family =
    ("gotk_reconcile_duration_seconds", "How long the runs of an object took.");
const CONDITION: Family =
    ("gotk_reconcile_condition", "Status of a condition of an object: 1 for the one it has.");
const SUSPENDED: Family = ("gotk_suspend_status", "Whether an object is suspended.");
const ERRORS: Family = ("gotk_reconcile_error_total", "Runs of an object that failed.");
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
/// `ExponentialBucketsRange(10e-3, 1800, 10)` of `client_golang`.
const BUCKETS: usize = 10;

/// The series of all objects, by kind. Clones share them.
#[derive(Clone)]
pub(super) struct Objects {
    shown: Arc<Mutex<BTreeMap<String, HashMap<Key, Shown>>>>,
    descriptions: Arc<[Desc]>,
    bounds: [f64; BUCKETS],
}

/// What is shown of one object; what was never told is not shown.
#[derive(Default)]
struct Shown {
    suspended: Option<bool>,
    /// Status of the condition Ready.
    ready: Option<Box<str>>,
    errors: u32,
    runs: Option<Box<Runs>>,
}

/// How long the runs took.
#[derive(Default)]
struct Runs {
    seconds: f64,
    count: u64,
    /// Runs by the first bound that they did not exceed.
    within: [u32; BUCKETS],
}

impl Objects {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let labels = |more: &[&str]| {
            with(OBJECT, more).into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        let describe = |family: Family, more: &[&str]| {
            Desc::new(family.0.to_owned(), family.1.to_owned(), labels(more), HashMap::new())
        };
        let descriptions = [
            describe(DURATION, &[])?,
            describe(CONDITION, &["type", "status"])?,
            describe(SUSPENDED, &[])?,
            describe(ERRORS, &[])?,
        ];
        let it =
            Self { shown: Arc::default(), descriptions: Arc::new(descriptions), bounds: bounds() };
        registry.register(Box::new(it.clone()))?;
        Ok(it)
    }

    fn family(
        &self,
        (name, help): Family,
        kind: MetricType,
        of: impl Fn(&Shown, &mut dyn FnMut(&[(&str, &str)], Metric)),
    ) -> MetricFamily {
        let mut metrics = Vec::new();
        for (kind, objects) in &*self.shown.lock() {
            for (key, shown) in objects {
                let object =
                    [("kind", &**kind), ("name", &key.name), ("namespace", &key.namespace)];
                of(shown, &mut |more, mut metric| {
                    metric.set_label(object.iter().chain(more).map(|it| pair(*it)).collect());
                    metrics.push(metric);
                });
            }
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        family
    }

    fn histogram(&self, runs: &Runs) -> Metric {
        let mut cumulative = 0;
        let buckets = self.bounds.iter().zip(runs.within).map(|(bound, count)| {
            cumulative += u64::from(count);
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(runs.count);
        histogram.set_sample_sum(runs.seconds);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        metric
    }
}

impl Collector for Objects {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let duration = self.family(DURATION, MetricType::HISTOGRAM, |shown, tell| {
            if let Some(runs) = &shown.runs {
                tell(&[], self.histogram(runs));
            }
        });
        let condition = self.family(CONDITION, MetricType::GAUGE, |shown, tell| {
            for status in STATUSES.iter().filter(|_| shown.ready.is_some()) {
                let holds = shown.ready.as_deref() == Some(*status);
                tell(&[("status", *status), ("type", api::meta::READY)], gauge(holds));
            }
        });
        let suspended = self.family(SUSPENDED, MetricType::GAUGE, |shown, tell| {
            if let Some(suspended) = shown.suspended {
                tell(&[], gauge(suspended));
            }
        });
        let errors = self.family(ERRORS, MetricType::COUNTER, |shown, tell| {
            if shown.errors > 0 {
                let mut counter = proto::Counter::default();
                counter.set_value(f64::from(shown.errors));
                let mut metric = Metric::default();
                metric.set_counter(counter);
                tell(&[], metric);
            }
        });
        vec![duration, condition, suspended, errors]
    }
}

fn pair((name, value): (&str, &str)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn gauge(holds: bool) -> Metric {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(f64::from(u8::from(holds)));
    Metric::from_gauge(gauge)
}

fn bounds() -> [f64; BUCKETS] {
    let growth = (1800.0_f64 / 10e-3).powf(1.0 / 9.0);
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|exponent| 10e-3 * growth.powi(exponent))
}

impl Metrics {
    /// The series of one object.
    pub(crate) fn object<'a>(&'a self, kind: &'a str, key: &'a Key) -> ObjectMetrics<'a> {
        ObjectMetrics { objects: &self.families.objects, tokens: &self.families.tokens, kind, key }
    }
}

/// The series of one object.
pub(crate) struct ObjectMetrics<'a> {
    objects: &'a Objects,
    tokens: &'a TokenFamilies,
    kind: &'a str,
    key: &'a Key,
}

impl ObjectMetrics<'_> {
    pub(crate) fn ran(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let first = self.objects.bounds.iter().position(|bound| seconds <= *bound);
        self.change(|shown| {
            let runs = shown.runs.get_or_insert_default();
            runs.seconds += seconds;
            runs.count += 1;
            if let Some(count) = first.and_then(|first| runs.within.get_mut(first)) {
                *count = count.saturating_add(1);
            }
        });
    }

    pub(crate) fn failed(&self) {
        self.change(|shown| shown.errors = shown.errors.saturating_add(1));
    }

    pub(crate) fn suspended(&self, suspended: bool) {
        self.change(|shown| shown.suspended = Some(suspended));
    }

    /// Shows the status of the condition Ready.
    pub(crate) fn ready(&self, status: &str) {
        self.change(|shown| {
            if shown.ready.as_deref() != Some(status) {
                shown.ready = Some(status.into());
            }
        });
    }

    /// Removes all series of the object.
    pub(crate) fn remove(&self) {
        if let Some(objects) = self.objects.shown.lock().get_mut(self.kind) {
            objects.remove(self.key);
        }
        self.tokens.remove(&[self.kind, &self.key.name, &self.key.namespace]);
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut kinds = self.objects.shown.lock();
        if !kinds.contains_key(self.kind) {
            kinds.insert(self.kind.to_owned(), HashMap::new());
        }
        let Some(objects) = kinds.get_mut(self.kind) else { return };
        match objects.get_mut(self.key) {
            Some(shown) => change(shown),
            None => change(objects.entry(self.key.clone()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_upstreams() {
        let close = |a: f64, b: f64| (a - b).abs() < b * 1e-9;
        assert!(close(bounds()[0], 0.01) && close(bounds()[9], 1800.0));
        assert!(close(bounds()[1], 0.038_363_583_488_692_544));
    }

    #[test]
    fn runs_are_counted_by_how_long_they_took() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let key = Key::new("ns", "app");
        for milliseconds in [5, 20, 30, 4_000_000] {
            metrics.object("Toy", &key).ran(Duration::from_millis(milliseconds));
        }
        let text = metrics.text().unwrap();
        let labels = "kind=\"Toy\",name=\"app\",namespace=\"ns\"";
        for line in [
            format!("gotk_reconcile_duration_seconds_bucket{{{labels},le=\"0.01\"}} 1"),
            format!(
                "gotk_reconcile_duration_seconds_bucket{{{labels},le=\"0.038363583488692544\"}} 3"
            ),
            format!("gotk_reconcile_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
            format!("gotk_reconcile_duration_seconds_count{{{labels}}} 4"),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_series_of_an_object_go_with_it() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let key = Key::new("ns", "app");
        let object = metrics.object("Toy", &key);
        object.ran(Duration::from_millis(20));
        object.failed();
        object.suspended(true);
        object.ready("False");
        let text = metrics.text().unwrap();
        let labels = "kind=\"Toy\",name=\"app\",namespace=\"ns\"";
        for line in [
            format!("gotk_reconcile_duration_seconds_count{{{labels}}} 1"),
            format!("gotk_reconcile_error_total{{{labels}}} 1"),
            format!("gotk_suspend_status{{{labels}}} 1"),
            format!("gotk_reconcile_condition{{{labels},status=\"False\",type=\"Ready\"}} 1"),
            format!("gotk_reconcile_condition{{{labels},status=\"True\",type=\"Ready\"}} 0"),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        object.remove();
        assert!(!metrics.text().unwrap().contains("app"));
    }
}
