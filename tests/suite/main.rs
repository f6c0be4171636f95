//! The one scenario binary.

mod statuses;
