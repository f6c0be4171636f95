//! The one scenario binary.
