//! A GitHub App as described by a Secret.

use http_client::secret::Secret;
use url::Url;

use crate::Error;
use crate::key::Key;

const ID: &str = "githubAppID";
const OWNER: &str = "githubAppInstallationOwner";
const INSTALLATION: &str = "githubAppInstallationID";
const PRIVATE_KEY: &str = "githubAppPrivateKey";
const BASE_URL: &str = "githubAppBaseURL";

/// A GitHub App, one of its installations, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App {
    /// The App's number.
    pub id: u64,
    /// Which installation.
    pub installation: Installation,
    /// Where the API is; ends with a slash.
    pub base: Url,
    pub(crate) key: Key,
}

/// An installation of an App.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Installation {
    /// By its number.
    Id(u64),
    /// By the organisation or user it is for.
    Owner(String),
}

impl App {
    /// Whether a Secret says anything of a GitHub App.
    pub fn is_in(secret: Secret<'_>) -> bool {
        [ID, OWNER, INSTALLATION, PRIVATE_KEY].iter().any(|key| secret.data.contains_key(*key))
    }

    /// Reads `githubAppID`, `githubAppPrivateKey`, one of `githubAppInstallationID` and
    /// `githubAppInstallationOwner`, and `githubAppBaseURL` (for GitHub Enterprise, with its
    /// `/api/v3`).
    ///
    /// # Errors
    /// [`Error::Secret`] when something is missing, contradictory or unusable, in Flux's words.
    pub fn parse(secret: Secret<'_>) -> Result<Self, Error> {
        let name = secret.name;
        let text = |key: &str| {
            secret.data.get(key).map(|it| String::from_utf8_lossy(it).trim().to_owned())
        };
        let require = |key: &str| {
            text(key)
                .ok_or_else(|| Error::Secret(format!("secret '{name}': key '{key}' not found")))
        };
        let id = require(ID)?;
        let pem = require(PRIVATE_KEY)?;
        let installation = match (text(OWNER), text(INSTALLATION)) {
            (Some(owner), None) => owner_of(owner)?,
            (None, Some(id)) => Installation::Id(number(&id).ok_or_else(|| {
                let text = "app installation owner or ID must be provided to use github app \
                            authentication";
                Error::Secret(text.to_owned())
            })?),
            _ => {
                return Err(Error::Secret(format!(
                    "secret '{name}' must contain exactly one of '{OWNER}' or '{INSTALLATION}'"
                )));
            }
        };
        let id = number(&id).ok_or_else(|| {
            let text = "app ID must be provided to use github app authentication";
            Error::Secret(text.to_owned())
        })?;
        if pem.is_empty() {
            let text = "private key must be provided to use github app authentication";
            return Err(Error::Secret(text.to_owned()));
        }
        let base = text(BASE_URL).filter(|it| !it.is_empty());
        let base = base_url(base.as_deref().unwrap_or("https://api.github.com/"))?;
        Ok(Self { id, installation, base, key: Key::parse(pem.as_bytes())? })
    }
}

/// A number above 0.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|it| *it > 0)
}

/// GitHub names have letters, digits and hyphens; anything else could change the path.
fn owner_of(owner: String) -> Result<Installation, Error> {
    let allowed = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    if owner.is_empty() || !owner.chars().all(allowed) {
        return Err(Error::Secret(format!("'{owner}' under key '{OWNER}' is no name on GitHub")));
    }
    Ok(Installation::Owner(owner))
}

fn base_url(text: &str) -> Result<Url, Error> {
    let slash = if text.ends_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("{text}{slash}"))
        .map_err(|error| Error::Secret(format!("invalid API URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Error::Secret("invalid API URL: not http or https".to_owned()));
    }
    Ok(url)
}
