//! Patches: RFC 6902 (JSON patch), RFC 7386 (merge patch) and Kubernetes' strategic merge patch.
//!
//! They accept, do and refuse what kube-apiserver 1.34 does, which is the behaviour of
//! evanphx/json-patch 4.12 and of k8s.io/apimachinery's `strategicpatch`. Where those libraries
//! depart from the RFCs, so does this: a JSON patch may replace a member that does not exist, and
//! negative indices count from the end.

mod element;
mod json;
mod merge;
mod strategic;

#[cfg(test)]
mod tests;

pub(crate) use json::json;
pub(crate) use merge::merge;
pub(crate) use strategic::strategic;

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The patch is malformed (400, reason `BadRequest`).
    #[error("{0}")]
    BadRequest(String),
    /// The patch does not fit the object (422, reason `Invalid`). kube-apiserver keeps the cause
    /// to itself; it is here for logs.
    #[error("the server rejected our request due to an error in our request")]
    Unprocessable(String),
    /// The patch is too large (413, reason `RequestEntityTooLarge`).
    #[error("{0}")]
    TooLarge(String),
    /// Anything else (500).
    #[error("{0}")]
    Internal(String),
}
