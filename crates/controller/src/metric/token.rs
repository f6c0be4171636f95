//! The cache of cloud and App tokens, as `cache` of fluxcd/pkg counts it.

use prometheus::{CounterVec, GaugeVec, Registry};

use super::{Family, Metrics, OBJECT, counter, gauge, with};

const EVENTS: Family =
    ("gotk_token_cache_events_total", "Tokens that objects asked the cache for, by outcome.");
const ITEMS: Family = ("gotk_token_cached_items", "Tokens that the cache keeps.");
const REQUESTS: Family =
    ("gotk_token_cache_requests_total", "Requests to the cache, by whether there was a token.");
const EVICTIONS: Family =
    ("gotk_token_cache_evictions_total", "Tokens that had to go for other ones.");

const HIT: &str = "cache_hit";
const MISS: &str = "cache_miss";
const SUCCESS: &str = "success";
const FAILURE: &str = "failure";
/// What is done with the objects when tokens are asked for.
const OPERATION: &str = "reconcile";

pub(super) struct TokenFamilies {
    events: CounterVec,
    items: GaugeVec,
    requests: CounterVec,
    evictions: CounterVec,
}

impl TokenFamilies {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let labels = [&["event_type"], OBJECT, &["operation"]].concat();
        let it = Self {
            events: counter(registry, EVENTS, &labels)?,
            items: gauge(registry, ITEMS, &[])?,
            requests: counter(registry, REQUESTS, &["status"])?,
            evictions: counter(registry, EVICTIONS, &[])?,
        };
        it.items.with_label_values::<&str>(&[]).set(0.0);
        it.evictions.with_label_values::<&str>(&[]).inc_by(0.0);
        Ok(it)
    }

    /// Removes the series of an object: kind, name and namespace.
    pub(super) fn remove(&self, object: &[&str; 3]) {
        for event in [HIT, MISS] {
            // A series that does not exist needs no removal.
            let _ = self.events.remove_label_values(&with(&with(&[event], object), &[OPERATION]));
        }
    }
}

impl Metrics {
    /// Counts that an object (kind, name, namespace) asked for a token, and whether there was one.
    pub fn token_asked(&self, object: [&str; 3], operation: &str, hit: bool) {
        let event = if hit { HIT } else { MISS };
        let labels = with(&with(&[event], &object), &[operation]);
        self.families.tokens.events.with_label_values(&labels).inc();
    }

    /// Counts a request to the cache, by whether it led to a token.
    pub fn token_ended(&self, success: bool) {
        let status = if success { SUCCESS } else { FAILURE };
        self.families.tokens.requests.with_label_values(&[status]).inc();
    }

    /// Counts tokens that are kept from now on, or fewer if negative.
    pub fn tokens_kept(&self, change: i64) {
        #[expect(clippy::cast_precision_loss, reason = "nobody keeps 2^52 tokens")]
        self.families.tokens.items.with_label_values::<&str>(&[]).add(change as f64);
    }

    /// Counts a token that had to go for another one.
    pub fn token_evicted(&self) {
        self.families.tokens.evictions.with_label_values::<&str>(&[]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn tokens_are_counted_as_upstream_does() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let object = ["Toy", "app", "ns"];
        for hit in [false, true, true] {
            metrics.token_asked(object, "reconcile", hit);
            metrics.token_ended(true);
        }
        metrics.token_ended(false);
        metrics.tokens_kept(2);
        metrics.tokens_kept(-1);
        metrics.token_evicted();
        let text = metrics.text().unwrap();
        let labels = "kind=\"Toy\",name=\"app\",namespace=\"ns\",operation=\"reconcile\"";
        for line in [
            format!("gotk_token_cache_events_total{{event_type=\"cache_hit\",{labels}}} 2"),
            format!("gotk_token_cache_events_total{{event_type=\"cache_miss\",{labels}}} 1"),
            "gotk_token_cache_requests_total{status=\"success\"} 3".to_owned(),
            "gotk_token_cache_requests_total{status=\"failure\"} 1".to_owned(),
            "gotk_token_cached_items 1".to_owned(),
            "gotk_token_cache_evictions_total 1".to_owned(),
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        metrics.object("Toy", &Key::new("ns", "app")).remove();
        assert!(!metrics.text().unwrap().contains("app"));
    }
}
