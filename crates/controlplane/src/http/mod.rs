//! The HTTP side: routing, negotiation, bodies, answers.

mod accept;
mod answer;
mod body;
mod certificate;
mod impersonation;
mod label;
mod login;
mod param;
mod patch;
mod pod;
mod read;
mod render;
mod route;
mod scale;
mod serve;
mod syntax;
mod watch;
mod write;

pub use certificate::ClientCertificate;
pub(crate) use serve::{Front, Login, serve};
pub(crate) use syntax::problem as json_problem;
