//! The `metric` gate.

use futures::{FutureExt as _, future::BoxFuture};
use gate::{Rule, http::Context, metric::Gate};
use pipeline::gate::{Answer, Kind};

use super::{Outside, TIMEOUT, answer, before, interval, key, limit, namespace, waiting};
use crate::gate::{Adapter, Asked};

pub(super) struct Metric(pub(super) Outside);

impl Adapter for Metric {
    fn kind(&self) -> Kind {
        Kind::Metric
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        async move { self.answer(asked).await.unwrap_or_else(|why| waiting(why, asked)) }.boxed()
    }
}

impl Metric {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let spec = asked.gate.metric.clone().unwrap_or_default();
        let server = spec.prometheus.ok_or("metricTemplateRef is not supported yet")?;
        let namespace = namespace(asked);
        let client = self.0.connect(&namespace, server.cert_secret_ref.as_ref()).await?;
        let gate = Gate {
            headers: self.0.login(&namespace, server.secret_ref.as_ref()).await?,
            address: server.address,
            query: spec.query.ok_or("a Prometheus needs a query")?,
            success_if: spec.success_if,
            rule: Rule {
                count: limit(spec.count, 1),
                failure_limit: limit(spec.failure_limit, 0),
                error_limit: limit(spec.error_limit, 3),
                interval: interval(spec.interval.as_deref())?,
            },
        };
        let (guard, key) = (&self.0.guard, key(asked));
        let context =
            Context { client: &client, guard, key: &key, timeout: TIMEOUT, now: asked.now };
        Ok(answer(gate::metric::ask(&gate, &before(asked), &context).await))
    }
}
