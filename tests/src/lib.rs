//! The in-process world wired up.
