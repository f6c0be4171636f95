//! An S3 server in memory.

use bucket::{Bucket, Credential, Options, Provider};
use http_client::Pool;

/// A server with a bucket `b`.
pub(crate) struct Server(world::s3::Server);

impl Server {
    /// Starts the server, or says that it is not built.
    pub(crate) async fn start() -> Option<Self> {
        // The second call in one process is refused, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = world::s3::Server::start("b").await.unwrap();
        if server.is_none() {
            println!("skipped: buckets: gofakes3 is not built (cargo xtask setup)");
        }
        server.map(Self)
    }

    /// Puts an object into the bucket.
    pub(crate) async fn put(&self, key: &str, content: &[u8]) {
        self.0.put(key, content).await.unwrap();
    }

    /// A bucket by name, as somebody.
    pub(crate) async fn bucket(&self, name: &str, credential: Credential) -> Bucket {
        let options = Options {
            provider: Provider::Generic,
            name: name.to_owned(),
            endpoint: self.0.host(),
            region: String::new(),
            insecure: true,
            credential,
            http: http_client::Options::default(),
            pool: Pool::new("test"),
        };
        Bucket::open(&options).await.unwrap()
    }
}
