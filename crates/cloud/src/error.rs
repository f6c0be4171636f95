//! Why there is no token.

use http::StatusCode;

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The registry is not one of this provider, or an annotation or variable is unusable.
    #[error("{0}")]
    Configuration(String),
    /// The provider could not be reached.
    #[error("{operation}: {source}")]
    Http {
        /// What was asked.
        operation: &'static str,
        /// Why there is no answer.
        source: http_client::Error,
    },
    /// The provider said no.
    #[error("{operation}: response error StatusCode: {status}{separator}{reason}", status = status.as_u16(), separator = if reason.is_empty() { "" } else { ", " })]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The status of the answer.
        status: StatusCode,
        /// The reason given, as far as it could be understood.
        reason: String,
    },
    /// The provider's answer makes no sense.
    #[error("{operation}: {reason}")]
    Answer {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// One of the above, with what was being done.
    #[error("{context}: {source}")]
    During {
        /// What was being done.
        context: String,
        /// What went wrong.
        source: Box<Error>,
    },
}

impl Error {
    /// True when the same request may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http { source, .. } => source.is_transient(),
            Self::Refused { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 429)
            }
            Self::During { source, .. } => source.is_transient(),
            Self::Configuration(_) | Self::Answer { .. } => false,
        }
    }

    /// True when what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == StatusCode::NOT_FOUND,
            Self::During { source, .. } => source.is_not_found(),
            _ => false,
        }
    }

    /// True when the identity may not do this.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status.as_u16(), 400 | 401 | 403),
            Self::During { source, .. } => source.is_denied(),
            _ => false,
        }
    }

    pub(crate) fn during(self, context: impl Into<String>) -> Self {
        Self::During { context: context.into(), source: Box::new(self) }
    }
}
