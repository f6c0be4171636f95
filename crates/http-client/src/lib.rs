//! The one HTTP client: certificate authorities, client certificates, proxies, guard, redaction.
//!
//! ```text
//! Secret data ─► secret::{tls, proxy} ─► Options ─► Pool ─► Client ── Request ──► server
//!                                                              └──── Response ◄── (bounded, whole or in pieces)
//! ```
//!
//! Invariants:
//! - Every request has a time limit and every body a size limit.
//! - A redirect never carries credentials to another host, never leads from `https` to `http`, and
//!   never from elsewhere to a private or link-local address.
//! - No URL in an error shows a password or a query value that may be a secret; no `Debug` output
//!   shows a key or a password.
//! - Connections are shared only between callers with equal [`Options`], secrets included.
//!
//! Error texts follow Go's, since users know them from Flux: `Get "http://host/": dial tcp …`.
//!
//! ```
//! use http_client::{Options, Roots};
//!
//! let options = Options { roots: Roots::System, ..Options::default() };
//! assert!(!format!("{options:?}").contains("password"));
//! ```
//!
//! It does not keep cookies, or read Kubernetes objects. The process must have
//! installed a rustls crypto provider before the first [`Pool::client`].

mod cause;
mod client;
mod error;
mod guard;
mod incoming;
mod options;
mod pool;
mod proxy;
mod redact;
mod retry;
pub mod secret;

pub use client::{Client, Request, Response};
pub use error::{Error, Failure};
pub use guard::Guard;
pub use incoming::Incoming;
pub use options::{Identity, Options, Roots};
pub use pool::Pool;
pub use proxy::Proxy;
pub use redact::redact;
pub use retry::{Retry, retry_after};
