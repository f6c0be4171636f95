//! `spec.decryption`: what sops encrypted, in the clear for one turn and in memory alone.
//!
//! ```text
//! Secret ─> Keys ─┐                     before the build: files of generators, patches   file.rs
//!                 ├─> decrypt ─────────{
//! key services ───┘   (asked by `key`)  after it: objects, entries of Secrets            object.rs
//! ```

mod file;
mod key;
mod object;

pub(super) use file::decrypt_files;
pub(super) use key::Keys;
pub(super) use object::decrypted;
