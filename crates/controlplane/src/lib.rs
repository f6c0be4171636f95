//! A Kubernetes-API-compatible server in process.

mod api;
mod catalog;
mod discovery;
mod error;
mod http;
mod log;
mod object;
mod server;
mod status;
mod store;
mod table;
mod user;

pub use error::Error;
pub use server::{Options, Server};
pub use user::Token;
