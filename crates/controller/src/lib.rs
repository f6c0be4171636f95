//! How a reconciliation runs: watches, queue, backoff, finalizer, status, events, metrics.
