//! A Kubernetes-API-compatible server in process.

mod api;
mod catalog;
mod collector;
mod discovery;
mod error;
mod http;
mod log;
mod object;
#[expect(
    unreachable_pub,
    reason = "the module is written as a library of its own"
)]
mod schema;
mod server;
mod status;
mod store;
mod table;
mod user;

pub use error::Error;
pub use server::{Options, Server};
pub use user::Token;
