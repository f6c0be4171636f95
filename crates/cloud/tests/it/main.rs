//! The providers as protocol-true stubs on loopback that record and check what they are asked.
#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests may fail loudly")]

mod aws;
mod azure;
mod gcp;
mod stub;

use std::collections::BTreeMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use cloud::{
    CacheOptions, Clock, Cloud, Endpoints, Environment, Error, Identity, InvolvedObject, Login,
    Provider, Request, ServiceAccount, TokenSource,
};
use http_client::{Pool, Proxy};
use jiff::Timestamp;

/// 2026-11-21T10:00:00Z.
const NOW: i64 = 1_795_255_200;

/// A cloud whose time the test sets.
struct World {
    cloud: Cloud,
    seconds: Arc<AtomicI64>,
}

/// Who asks in these tests.
const OBJECT: InvolvedObject<'static> = InvolvedObject {
    kind: "ImageRepository",
    name: "app",
    namespace: "apps",
    operation: "reconcile",
};

impl World {
    fn new<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        endpoints: Endpoints,
    ) -> Self {
        // The second call in one process is refused, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let seconds = Arc::new(AtomicI64::new(NOW));
        let read = Arc::clone(&seconds);
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(read.load(Ordering::SeqCst)).unwrap());
        let environment: Environment = variables.into_iter().collect();
        let cache = CacheOptions::default();
        let cloud = Cloud::new(environment, endpoints, Pool::new("test"), cache, clock);
        Self { cloud, seconds }
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn login(&self, repository: &str) -> Result<Login, Error> {
        self.login_as(repository, Identity::Process).await
    }

    async fn login_as(&self, repository: &str, identity: Identity<'_>) -> Result<Login, Error> {
        let provider = [Provider::Aws, Provider::Azure, Provider::Gcp]
            .into_iter()
            .find(|it| it.check(repository).is_ok())
            .unwrap();
        let (proxy, object) = (&Proxy::Direct, OBJECT);
        let request = Request { provider, repository, identity, proxy, sts: None, object };
        self.cloud.login(&request).await
    }
}

/// A ServiceAccount that always gets the same token, and remembers for whom.
struct Account {
    namespace: &'static str,
    name: &'static str,
    annotations: BTreeMap<String, String>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Account {
    fn new(namespace: &'static str, annotations: &[(&str, &str)]) -> Self {
        let annotations = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Self { namespace, name: "robot", annotations, asked: Mutex::default() }
    }

    fn identity(&self) -> Identity<'_> {
        Identity::ServiceAccount(ServiceAccount {
            namespace: self.namespace,
            name: self.name,
            annotations: &self.annotations,
            tokens: self,
        })
    }

    fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

impl TokenSource for Account {
    fn token<'a>(
        &'a self,
        audiences: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
        self.asked.lock().unwrap().push(audiences.to_vec());
        Box::pin(ready(Ok("kubernetes-token".to_owned())))
    }
}
