//! JSON in the form and with the errors of Go's encoding/json.

mod decode;
mod encode;
mod number;

pub(crate) use decode::decode;
pub(crate) use encode::{Style, encode};
