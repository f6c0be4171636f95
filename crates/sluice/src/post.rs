//! Events to an address outside, such as a notification-controller.

use std::time::Duration;

use controller::event::Post;
use futures::future::BoxFuture;
use http_client::{Options, Pool, Request};
use url::Url;

/// Posts to one address.
pub(crate) struct Poster {
    pool: Pool,
    address: Url,
}

impl Poster {
    /// Posts to `address` with connections of `pool`.
    pub(crate) fn new(pool: Pool, address: &str) -> anyhow::Result<Self> {
        let address = Url::parse(address)
            .map_err(|error| anyhow::anyhow!("--events-addr '{address}' is no URL: {error}"))?;
        Ok(Self { pool, address })
    }
}

impl Post for Poster {
    fn post(&self, body: Vec<u8>) -> BoxFuture<'static, Result<u16, String>> {
        let (pool, address) = (self.pool.clone(), self.address.clone());
        Box::pin(async move {
            let client = pool.client(&Options::default()).map_err(|error| error.to_string())?;
            let request = Request::post(address, body)
                .header(http::header::CONTENT_TYPE, "application/json")
                .timeout(Duration::from_secs(5));
            let answer = client.send(request).await.map_err(|error| error.to_string())?;
            Ok(answer.status.as_u16())
        })
    }
}
