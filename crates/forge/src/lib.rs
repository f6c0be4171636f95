//! Talks to the programming interfaces of Git forges: pull requests, commit statuses, App tokens.
//!
//! ```text
//!  Secret ─► Login ── App ── JWT (RS256) ──► POST /app/installations/ID/access_tokens ─► Token
//!               │                               └ cached until 80 % of its life
//!               ▼
//!  Proposal ─► Forge ─► Provider: GitHub | GitLab | Gitea ─► one request each ─► PullRequest
//! ```
//!
//! Invariants:
//! - What is done with a pull request can be done twice: it is found by its branch, and what counts
//!   after an answer that got lost is what the forge says then.
//! - A forge that asks to wait is not asked earlier, by nobody with the same login.
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
//! It never touches Git itself, and does not decide when something is merged.

mod app;
mod budget;
mod call;
mod error;
mod key;
mod login;
mod proposal;
mod provider;
mod pull;
mod repository;
mod status;
mod token;

pub use app::{App, Installation};
pub use budget::Budget;
pub use cloud::InvolvedObject;
pub use error::Error;
pub use login::Login;
pub use proposal::Access;
pub use pull::{Merge, Merged, Method, Proposal, Proposed, PullRequest, State};
pub use repository::{Kind, Repository};
pub use status::{CommitStatus, Verdict};
pub use token::{Caller, Forge, Token, USERNAME};
