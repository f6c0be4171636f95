//! The one binary: flags, wiring, verbs, listening sockets.
//!
//! ```text
//! main ─> cli ─┬─ demo ─┐
//!              ├─ up ───┼─> host (embedded control plane, TLS, kubeconfig) ─┐
//!              ├─ run ──┼─> cluster (kubeconfig, probes, lease) ────────────┼─> controllers
//!              └─ ...   └─> manifest (read, apply)                          ┘
//! ```
//!
//! Only this crate reads flags and the environment, installs logging, starts the runtime and binds
//! sockets. Verbs say what to do; what they do it with is in the crates below.

mod cli;
pub mod controllers;
mod demo;
mod host;
mod log;
mod manifest;
mod post;
mod term;
mod token;

pub use cli::{command, main};

/// Objects are many small strings that come and go on every thread: a fifth of the time of a process
/// at rest is spent on them, and the system's allocator gives little of them back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
