//! Why a forge did not do what was wanted.

use std::time::Duration;

/// Why a forge did not do what was wanted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The Secret lacks a key or holds something unusable.
    #[error("{0}")]
    Secret(String),
    /// An address is not one of a repository or API, or names a provider that is not known.
    #[error("{0}")]
    Repository(String),
    /// The forge asked for silence; nothing was sent.
    #[error("{host} wants no request for another {} s", wait.as_secs().max(1))]
    Budget {
        /// The forge's host.
        host: String,
        /// For how long.
        wait: Duration,
    },
    /// The forge could not be reached.
    #[error("{0}")]
    Http(#[from] http_client::Error),
    /// The forge said no.
    #[error("{method} {url}: {status} {message} []")]
    Refused {
        /// The method in capitals.
        method: String,
        /// The redacted URL.
        url: String,
        /// The status.
        status: u16,
        /// What the forge said.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The App is installed neither in an organisation nor for a user of that name.
    #[error(
        "failed to find organization installation: {organization}\nfailed to find user installation: {user}"
    )]
    NoInstallation {
        /// Why not in an organisation.
        organization: Box<Error>,
        /// Why not for a user.
        user: Box<Error>,
    },
    /// The answer makes no sense.
    #[error("{0}")]
    Answer(String),
}

impl Error {
    /// True when the same request may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(it) => it.is_transient(),
            Self::Refused { status: 403, retry_after, .. } => retry_after.is_some(),
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Budget { .. } => true,
            Self::NoInstallation { organization, user } => {
                organization.is_transient() || user.is_transient()
            }
            Self::Secret(_) | Self::Repository(_) | Self::Answer(_) => false,
        }
    }

    /// True when App or installation do not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 404,
            Self::NoInstallation { organization, user } => {
                organization.is_not_found() && user.is_not_found()
            }
            _ => false,
        }
    }

    /// True when the key is not that of the App, or the App may not do this.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Refused { status: 403, retry_after: Some(_), .. } => false,
            Self::Refused { status, .. } => matches!(status, 401 | 403),
            Self::NoInstallation { organization, user } => {
                organization.is_denied() || user.is_denied()
            }
            _ => false,
        }
    }

    /// How long the forge asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Budget { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// True when the forge may have done what was asked, or had done it before: it is to be looked at
    /// before anything else.
    pub(crate) fn leaves_open(&self) -> bool {
        match self {
            Self::Http(_) | Self::Answer(_) => true,
            Self::Refused { status, .. } => {
                matches!(status, 405 | 406 | 408 | 409 | 422 | 500..=599)
            }
            _ => false,
        }
    }

    /// True when the forge does not merge now, but may later: checks, reviews, another merge.
    pub(crate) fn is_not_yet(&self) -> bool {
        matches!(self, Self::Refused { status: 405 | 406 | 409 | 422, .. })
    }
}
