//! The server through `kube::Client` in process and through stock kubectl on a socket.

mod client;
mod durable;
mod kubectl;
mod toy;
