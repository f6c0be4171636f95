//! A Kubernetes-API-compatible server in process.
//!
//! ```text
//! kube::Client ──> router ─┐        ┌─ schema, fields, patch, builtin: what objects may be and become
//! kubectl ──> your socket ─┴─ http ─┴─ object ──> store ──> log (memory or redb)
//!                              │                    │ └──> watchers pull from the history
//!                              ├─ account, access: who asks, and whether that is allowed
//!                              ├─ admission: whether policies and webhooks let a write through, and how
//!                              └─ discovery, openapi, table: what clients are told
//!                                   collector: what follows by itself ──> store
//! ```
//! Invariants:
//! - A write is answered when it is durable and seen by every reader; the answers of reads, lists and
//!   watches come from one sequence of revisions. After a crash everything acknowledged is there.
//! - Stored objects are immutable text shared by readers and watchers; a slow watcher costs a cursor.
//! - The words of refusals, tables and documents are those of kube-apiserver 1.34.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::api::{Api, PostParams};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let server = controlplane::Server::open(controlplane::Options::default())?;
//! let client = kube::Client::new(server.router(), "default");
//! let maps: Api<ConfigMap> = Api::default_namespaced(client);
//! let mut map = ConfigMap::default();
//! map.metadata.name = Some("settings".to_owned());
//! let made = maps.create(&PostParams::default(), &map).await?;
//! assert!(made.metadata.uid.is_some());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//! It does not: run workloads (no kubelet, no controllers of Deployments and the like), listen on
//! sockets or read flags. What it calls are admission webhooks, and nothing else.

mod access;
mod account;
mod admission;
mod api;
mod builtin;
mod catalog;
mod collector;
mod discovery;
mod error;
mod fields;
mod http;
mod log;
mod object;
mod openapi;
mod patch;
mod protobuf;
mod review;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod user;

pub use error::Error;
pub use http::ClientCertificate;
pub use server::{Options, Server};
pub use user::Token;
