//! Git servers, an OCI registry and other outside worlds on loopback, for the demo and the tests.
//!
//! ```text
//! git         `git http-backend` behind HTTP(S)      ssh    the machine's own sshd
//! registry    an OCI registry in memory              proxy  HTTP and SOCKS5 proxies
//! s3          an S3 server     gcs    one of Google's kind     azure    one of Azure's kind
//! gitea       a Git forge with pull requests and commit statuses
//! helm        stock helm, and its engine
//! kubernetes  etcd, kube-apiserver, kube-controller-manager
//! simulator   plays kubelet and workload controllers on an API server
//! ```
//!
//! Invariants: everything listens on loopback and ends when it is dropped; what a test compares
//! with comes from the real program (git, sshd, kube-apiserver), never from code of ours.

pub mod azure;
pub mod cache;
pub mod gcs;
pub mod git;
pub mod gitea;
pub mod helm;
pub mod kubernetes;
mod listen;
mod program;
pub mod proxy;
pub mod registry;
pub mod s3;
pub mod simulator;
pub mod ssh;
mod tls;
pub mod web;
