//! Secrets, read fresh each time and kept nowhere.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// The decoded data of a Secret.
pub type Data = BTreeMap<String, Vec<u8>>;

/// Why a Secret could not be read; the texts are those of `fluxcd/pkg/runtime/secrets`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such Secret.
    #[error("secret '{namespace}/{name}' not found")]
    NotFound {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server did not give it.
    #[error("failed to get secret '{namespace}/{name}': {why}")]
    Refused {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server said.
        why: String,
    },
}

impl Error {
    /// What the API server itself says, for places where upstream adds nothing to it.
    pub fn bare(&self) -> String {
        match self {
            Self::NotFound { name, .. } => format!("secrets {name:?} not found"),
            Self::Refused { why, .. } => why.clone(),
        }
    }
}

/// Reads a Secret.
///
/// # Errors
/// [`Error::NotFound`] if there is none, [`Error::Refused`] if it may not or cannot be read.
pub async fn read(client: &Client, namespace: &str, name: &str) -> Result<Data, Error> {
    let at = || (namespace.to_owned(), name.to_owned());
    match Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await {
        Ok(Some(secret)) => {
            let data = secret.data.unwrap_or_default().into_iter();
            Ok(data.map(|(key, value)| (key, value.0)).collect())
        }
        Ok(None) => {
            let (namespace, name) = at();
            Err(Error::NotFound { namespace, name })
        }
        Err(error) => {
            let ((namespace, name), why) = (at(), crate::patch::describe(&error));
            Err(Error::Refused { namespace, name, why })
        }
    }
}
