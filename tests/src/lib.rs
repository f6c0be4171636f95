//! The in-process world wired up: an API server, a registry, a Git server and the controllers.
//!
//! ```text
//!              ┌── embedded control plane ──┐
//! test ──────> │  or a real kube-apiserver  │ <────── controllers (this process)
//!   │          └────────────────────────────┘             │       │
//!   ├── publish ──> registry (in memory) <────────────────┘       │
//!   └── commit ───> Git over HTTP        <────────────────────────┘
//! ```
//!
//! The same scenario runs on both API servers; one that is not there is reported skipped by name.

mod api;
mod fault;
mod tenant;
mod world;

pub use api::{Objects, Refused};
pub use fault::Fault;
pub use tenant::{Event, Tenant, condition};
pub use world::{Backend, Options, World, skipped};
