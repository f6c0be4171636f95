//! The engine as other crates use it.

mod scalar;
