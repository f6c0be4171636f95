//! The embedded host: a control plane of our own, served on loopback and used in process.

pub(crate) mod directory;
pub(crate) mod embedded;
pub(crate) mod kubeconfig;
pub(crate) mod listen;
pub(crate) mod pki;
