//! What the process knows of where it runs.

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use crate::Error;

/// A token file larger than this is none.
const MAX_FILE: u64 = 1 << 20;

/// Environment variables, given from outside.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    /// Shows names alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl Environment {
    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The text of a file that changes while the process runs, such as a projected token.
pub(crate) async fn read_file(path: &str) -> Result<String, Error> {
    let refuse = |why: String| Error::Configuration(format!("cannot read '{path}': {why}"));
    let size = tokio::fs::metadata(Path::new(path)).await.map_err(|it| refuse(it.to_string()))?;
    if size.len() > MAX_FILE {
        return Err(refuse("file is too large".to_owned()));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|it| refuse(it.to_string()))?;
    Ok(text.trim().to_owned())
}

/// Where the providers are; what is not set is at its public place.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// AWS STS, else `https://sts.REGION.amazonaws.com`.
    pub aws_sts: Option<Url>,
    /// AWS ECR, else `https://api.ecr.REGION.amazonaws.com`.
    pub aws_ecr: Option<Url>,
    /// AWS public ECR, else `https://api.ecr-public.us-east-1.amazonaws.com`.
    pub aws_ecr_public: Option<Url>,
    /// AWS instance metadata, else `http://169.254.169.254`.
    pub aws_metadata: Option<Url>,
    /// Google's metadata server, else `GCE_METADATA_HOST`, else `http://169.254.169.254`.
    pub gcp_metadata: Option<Url>,
    /// Google's security token service, else `https://sts.googleapis.com`.
    pub gcp_sts: Option<Url>,
    /// Google's token endpoint, else what the key of a service account names.
    pub gcp_token: Option<Url>,
    /// Google's service account credentials, else `https://iamcredentials.googleapis.com`.
    pub gcp_iam: Option<Url>,
    /// Microsoft Entra, else `AZURE_AUTHORITY_HOST`, else `https://login.microsoftonline.com`.
    pub azure_authority: Option<Url>,
    /// Azure instance metadata, else `http://169.254.169.254`.
    pub azure_metadata: Option<Url>,
    /// The Azure registry itself, else `https://REGISTRY`.
    pub azure_registry: Option<Url>,
}

/// The given endpoint, else the one at `default`.
pub(crate) fn endpoint(given: Option<&Url>, default: &str) -> Result<Url, Error> {
    given.cloned().map_or_else(
        || {
            Url::parse(default).map_err(|error| {
                Error::Configuration(format!("unusable address '{default}': {error}"))
            })
        },
        Ok,
    )
}
