//! Clone, read, commit, sign and push.
