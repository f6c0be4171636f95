//! The three providers.

use std::str::FromStr;

use crate::{Error, aws, azure, gcp};

/// A cloud provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

impl FromStr for Provider {
    type Err = Error;

    /// Reads `aws`, `azure` and `gcp`.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "aws" => Ok(Self::Aws),
            "azure" => Ok(Self::Azure),
            "gcp" => Ok(Self::Gcp),
            _ => Err(Error::Configuration(format!("unsupported provider: '{name}'"))),
        }
    }
}

impl Provider {
    /// Whether the repository is on a registry of this provider.
    ///
    /// # Errors
    /// [`Error::Configuration`] when it is not, in the words of Flux.
    pub fn check(self, repository: &str) -> Result<(), Error> {
        let registry = registry_of(repository);
        match self {
            Self::Aws => aws::Registry::parse(registry).map(|_| ()),
            Self::Azure => azure::check(registry),
            Self::Gcp => gcp::check(registry),
        }
    }

    /// The name in `spec.provider`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }
}

/// The host of a repository name or URL without scheme.
pub(crate) fn registry_of(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}
