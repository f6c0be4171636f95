//! Who talks to the forge, as described by a Secret.

use std::hash::{Hash as _, Hasher as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_client::secret::{self, Secret};

use crate::{App, Error};

/// What proves to a forge who is asking.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Login {
    /// A token of a user, a project or a robot.
    Token(String),
    /// A user's name and password, or token in its place.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A GitHub App.
    App(App),
}

impl std::fmt::Debug for Login {
    /// Shows no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Basic { .. } => "Basic(..)",
            Self::App(_) => "App(..)",
        })
    }
}

impl Login {
    /// Reads, by Flux's names, the keys of a GitHub App, `token`, `bearerToken`, or `username` and
    /// `password`; the first of these that is there counts.
    ///
    /// # Errors
    /// [`Error::Secret`] when none is there, or an App's keys are unusable.
    pub fn parse(secret: Secret<'_>) -> Result<Self, Error> {
        if App::is_in(secret) {
            return App::parse(secret).map(Self::App);
        }
        for key in ["token", "bearerToken"] {
            if let Some(token) = secret.data.get(key) {
                let token = String::from_utf8_lossy(token).trim().to_owned();
                let empty =
                    || Error::Secret(format!("secret '{}': key '{key}' is empty", secret.name));
                return if token.is_empty() { Err(empty()) } else { Ok(Self::Token(token)) };
            }
        }
        match secret::basic(secret)? {
            Some((username, password)) => Ok(Self::Basic { username, password }),
            None => Err(Error::Secret(format!("secret '{}': key 'token' not found", secret.name))),
        }
    }

    /// Tells logins apart without telling what they are.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// The value of a header for a user's name and password.
pub(crate) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")))
}
