//! Patches from an old and a new manifest and what the cluster has: how Helm 3 changes objects.
//!
//! Objects of built-in kinds get a strategic three-way patch ([`strategic`]), others a JSON merge
//! patch from the old to the new manifest ([`merge`]), which does not see what others changed.

mod builtin;
mod merge;
mod strategic;

pub use builtin::BuiltIn;
pub use merge::{merge, three_way_merge};
pub use strategic::{Field, Fields, strategic};
