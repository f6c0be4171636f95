//! Tests of the engine as its users see it.

mod conformance;
mod hostile;
mod object;
mod outside;
