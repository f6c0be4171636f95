//! Access tokens of AWS, Google Cloud and Azure for registries, key services and Git.
//!
//! ```text
//!  identity of this process ┐                        ┌ ECR GetAuthorizationToken
//!  (env, files, metadata)   ├─► access token (cached)┤ GAR, GCR: the token itself     ─► Login
//!  ServiceAccount token ────┘                        └ ACR /oauth2/exchange      (cached)
//! ```
//!
//! Invariants:
//! - A cached token is found only by a caller with the same provider, identity, namespace of that
//!   identity, region and proxy; it is given up after 80 % of its life, and at most after the
//!   cache's own limit.
//! - A token is fetched once, however many callers wait for it.
//! - Registry credentials go only to hosts whose whole name is one of the provider's.
//! - Metadata services of the machine are asked directly, never through a proxy.
//! - Neither errors nor `Debug` show tokens or keys.
//!
//! ```
//! use cloud::Provider;
//!
//! let provider: Provider = "aws".parse().unwrap();
//! assert!(provider.check("123.dkr.ecr.eu-west-1.amazonaws.com/app").is_ok());
//! assert!(provider.check("ghcr.io/org/app").is_err());
//! ```
//!
//! It does not read the environment of the process, nor ask Kubernetes for tokens: both are given
//! to it ([`Environment`], [`TokenSource`]).

mod aws;
mod azure;
mod cache;
mod environment;
mod error;
mod exchange;
mod gcp;
mod jwt;
mod login;
mod observer;
mod own;
mod provider;

pub use aws::{AwsKey, Signature};
pub use cache::{Cache, CacheOptions, Clock};
pub use environment::{Endpoints, Environment};
pub use error::Error;
pub use login::{Bearer, Cloud, Identity, Login, Request, ServiceAccount, Token, TokenSource};
pub use observer::{InvolvedObject, Observer};
pub use own::{GoogleKey, OwnIdentity, Proof};
pub use provider::Provider;
