//! Counts what the API client is answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use tower::{Layer, Service};

use crate::Metrics;

/// Feeds `rest_client_requests_total`: a layer for the API client (`ClientBuilder::with_layer`).
#[derive(Clone)]
pub struct CountRequests {
    metrics: Metrics,
    host: String,
}

impl CountRequests {
    /// A layer that counts in `metrics` what `host` (with its port) answers: requests do not name
    /// it yet where a layer sees them.
    pub fn new(metrics: Metrics, host: impl Into<String>) -> Self {
        Self { metrics, host: host.into() }
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.metrics.clone(), host: self.host.clone() }
    }
}

/// An API client whose answers are counted.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
    host: String,
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.method().clone();
        let host = self.host.clone();
        let metrics = self.metrics.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            // client-go: what got no answer counts under this code.
            let code =
                answer.as_ref().map_or("<error>".to_owned(), |it| it.status().as_u16().to_string());
            metrics.count_request(&code, &host, method.as_str());
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use prometheus::Registry;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn answers_are_counted_by_code_host_and_method() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let server = tower::service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::builder().status(404).body(()).unwrap())
        });
        let client = CountRequests::new(metrics.clone(), "10.0.0.1:443").layer(server);
        client.oneshot(Request::new(())).await.unwrap();
        let line =
            "rest_client_requests_total{code=\"404\",host=\"10.0.0.1:443\",method=\"GET\"} 1";
        assert!(metrics.text().unwrap().contains(line));
    }
}
