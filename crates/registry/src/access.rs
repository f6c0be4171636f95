//! As whom and how to speak to a registry.

use std::sync::Arc;

/// As whom and how to speak to a registry; cheap to clone.
///
/// Equal values share sessions and tokens, others never do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Who is asking: the namespace, so that tenants never share what they were given.
    pub tenant: String,
    /// How connections are made.
    pub http: Arc<http_client::Options>,
    /// As whom.
    pub credential: Arc<Credential>,
}

/// As whom to speak to a registry.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Credential {
    /// As nobody.
    #[default]
    Anonymous,
    /// With user name and password, sent as they are or exchanged for a token.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// With a refresh token for the registry's token service (`identitytoken`).
    Identity(String),
    /// With a ready token for the registry itself (`registrytoken`).
    Bearer(String),
}

impl std::fmt::Debug for Credential {
    /// Shows the kind alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(..)",
            Self::Identity(_) => "Identity(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

impl From<cloud::Login> for Credential {
    fn from(login: cloud::Login) -> Self {
        Self::Basic { username: login.username, password: login.password }
    }
}
