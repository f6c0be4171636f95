//! Which bucket, and as whom.

use crate::Ldap;

/// Whose object store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Anything that speaks S3.
    Generic,
    /// Amazon S3.
    Aws,
    /// Google Cloud Storage.
    Gcp,
    /// Azure Blob Storage.
    Azure,
}

/// Which bucket, as whom, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose object store it is.
    pub provider: Provider,
    /// The name of the bucket, or of the container of Azure.
    pub name: String,
    /// Host and port for S3, a URL for Azure; not used by Google, but for tests with a scheme.
    pub endpoint: String,
    /// The region of the bucket; empty if it does not matter.
    pub region: String,
    /// Plain HTTP.
    pub insecure: bool,
    /// As whom.
    pub credential: Credential,
    /// How connections are made.
    pub http: http_client::Options,
    /// Where connections come from.
    pub pool: http_client::Pool,
}

/// As whom to speak to an object store.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credential {
    /// As nobody.
    #[default]
    Anonymous,
    /// As the process: its environment, or the metadata service of the cloud it runs in.
    Process,
    /// With the keys of S3.
    Key {
        /// The access key.
        id: String,
        /// The secret key.
        secret: String,
        /// The session that a temporary key belongs to.
        session: Option<String>,
    },
    /// With a token of Google or Azure.
    Bearer(String),
    /// As a user of a directory, with keys that `MinIO` gives out for a while.
    Ldap(Ldap),
    /// As a service account of Google, by its JSON key.
    ServiceAccount(String),
    /// As somebody Azure knows.
    Azure(Azure),
}

/// As whom to speak to Azure.
#[derive(Clone, PartialEq, Eq)]
pub enum Azure {
    /// With the key of the account.
    AccountKey(String),
    /// With a shared access signature: the query, with or without its question mark.
    Sas(String),
    /// As an application, by its secret.
    ClientSecret {
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// Its secret.
        secret: String,
        /// Where tokens are given out; empty for the public cloud.
        authority: String,
    },
    /// As a managed identity.
    Managed {
        /// The identity.
        client: String,
    },
}

impl std::fmt::Debug for Credential {
    /// Shows the kind alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Process => "Process",
            Self::Key { .. } => "Key(..)",
            Self::Bearer(_) => "Bearer(..)",
            Self::Ldap(_) => "Ldap(..)",
            Self::ServiceAccount(_) => "ServiceAccount(..)",
            Self::Azure(_) => "Azure(..)",
        })
    }
}
