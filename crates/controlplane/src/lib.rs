//! A Kubernetes-API-compatible server in process.

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
mod server;
mod status;
mod store;
mod table;
mod user;

pub use error::Error;
pub use server::{Options, Server};
pub use user::Token;
