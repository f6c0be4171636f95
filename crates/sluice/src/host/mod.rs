//! The embedded host: a control plane of our own, served on loopback and used in process.

mod client_authority;
pub(crate) mod directory;
pub(crate) mod embedded;
pub(crate) mod kubeconfig;
pub(crate) mod listen;
pub(crate) mod pki;
