//! Talks to the programming interfaces of Git forges; so far, tokens of GitHub Apps.
//!
//! ```text
//!  Secret ─► App ─┐
//!                 ├─► Forge ── JWT (RS256) ──► POST /app/installations/ID/access_tokens ─► Token
//!  proxy, CA ─────┘      └ cached until 80 % of its life
//! ```
//!
//! Invariants:
//! - A cached token is found only by a caller with the same tenant, App, key, address and
//!   connection options.
//! - Neither errors nor `Debug` show keys or tokens.
//!
//! ```
//! use std::collections::BTreeMap;
//! use http_client::secret::Secret;
//!
//! let data = BTreeMap::from([("githubAppID".to_owned(), b"1".to_vec())]);
//! let error = forge::App::parse(Secret { name: "ns/app", data: &data }).unwrap_err();
//! assert_eq!(error.to_string(), "secret 'ns/app': key 'githubAppPrivateKey' not found");
//! ```
//!
//! It does not open pull requests or set commit statuses yet, and never touches Git itself.

mod app;
mod error;
mod key;
mod token;

pub use app::{App, Installation};
pub use cloud::InvolvedObject;
pub use error::Error;
pub use token::{Caller, Forge, Token, USERNAME};
