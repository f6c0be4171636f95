//! The key services as protocol-true stubs on loopback that check what they are asked.
#![allow(clippy::unwrap_used, clippy::panic, reason = "functions of tests may fail loudly")]

mod aws;
mod azure;
mod google;
mod stub;
mod vault;

use std::sync::Arc;

use cloud::{CacheOptions, Cloud, Environment, Identity, InvolvedObject};
use http_client::Pool;
use jiff::Timestamp;
use kms::{Caller, Credentials, Endpoints, Error, ProcessVault, Services};
use sops::{Kind, MasterKey};

/// 2026-11-21T10:00:00Z.
const NOW: i64 = 1_795_255_200;

/// Services whose places are stubs.
struct World {
    services: Services,
    credentials: Credentials,
}

impl World {
    fn new(clouds: cloud::Endpoints, endpoints: Endpoints, variables: &[(&str, &str)]) -> Self {
        // The second call in one process is refused, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let environment: Environment = variables.iter().copied().collect();
        let vault = ProcessVault::of(&environment);
        let clock: cloud::Clock = Arc::new(|| Timestamp::from_second(NOW).unwrap());
        let (pool, cache) = (Pool::new("test"), CacheOptions::default());
        let cloud = Cloud::new(environment, clouds, pool.clone(), cache, clock);
        let services = Services::new(cloud, pool, endpoints, vault);
        Self { services, credentials: Credentials::default() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        assert!(self.credentials.add(name, value.as_bytes()).unwrap());
        self
    }

    async fn unwrap(&self, kind: Kind, wrapped: &str) -> Result<Vec<u8>, Error> {
        let key = MasterKey { kind, wrapped: wrapped.to_owned(), created_at: String::new() };
        let object = InvolvedObject {
            kind: "Kustomization",
            name: "app",
            namespace: "apps",
            operation: "decrypt",
        };
        let identity = Identity::Process;
        let caller = Caller { credentials: &self.credentials, identity, object };
        self.services.unwrap(&key, &caller).await
    }
}
