//! Functions that templates can call: Go's own and those of sprig.

mod builtin;
mod call;
mod compare;
mod escape;
mod set;
mod signature;
mod sprig;

pub use call::{Body, Call, Function};
pub use set::FuncSet;
pub use signature::Signature;

pub(crate) use builtin::{builtin, is_builtin};
pub(crate) use signature::Slot;
