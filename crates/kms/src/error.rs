//! Why a key service did not unwrap a key.

use http::StatusCode;

/// What went wrong. Neither keys nor tokens show in it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key or the credentials cannot be used as they are.
    #[error("{0}")]
    Configuration(String),
    /// No token could be had.
    #[error(transparent)]
    Cloud(#[from] cloud::Error),
    /// The service could not be asked.
    #[error("{operation}: {source}")]
    Http {
        /// What was asked.
        operation: &'static str,
        /// Why there is no answer.
        source: http_client::Error,
    },
    /// The service refused.
    #[error("{operation}: {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// With what status.
        status: StatusCode,
        /// What it says.
        reason: String,
    },
    /// The answer is none.
    #[error("{operation}: {reason}")]
    Answer {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with the answer.
        reason: &'static str,
    },
}

impl Error {
    /// True when the same request may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Cloud(source) => source.is_transient(),
            Self::Http { source, .. } => source.is_transient(),
            Self::Refused { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 429)
            }
            Self::Configuration(_) | Self::Answer { .. } => false,
        }
    }

    /// True when the key does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// True when the identity may not do this.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Cloud(source) => source.is_denied(),
            Self::Refused { status, .. } => matches!(status.as_u16(), 400 | 401 | 403),
            Self::Configuration(_) | Self::Http { .. } | Self::Answer { .. } => false,
        }
    }
}
