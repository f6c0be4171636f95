//! What the caches of tokens do, told to the metrics.

use std::fmt;

use cloud::{InvolvedObject, Observer};
use controller::Metrics;

/// Counts for `gotk_token_*`.
pub(crate) struct Counter(pub(crate) Metrics);

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

impl Observer for Counter {
    fn asked(&self, object: &InvolvedObject<'_>, hit: bool) {
        let InvolvedObject { kind, name, namespace, operation } = *object;
        self.0.token_asked([kind, name, namespace], operation, hit);
    }

    fn ended(&self, success: bool) {
        self.0.token_ended(success);
    }

    fn kept(&self, change: i64) {
        self.0.tokens_kept(change);
    }

    fn evicted(&self) {
        self.0.token_evicted();
    }
}
