//! Microsoft Azure: tokens of Entra, and logins for ACR.

mod acr;
mod entra;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

pub(crate) use acr::registry_login;
pub(crate) use entra::{managed, of_account, of_process, with_proof};

use crate::Error;
use crate::environment::read_file;
use crate::login::Context;

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^.+\.(azurecr\.io|azurecr\.cn|azurecr\.de|azurecr\.us)$")
        .expect("because the pattern is a constant that a test compiles")
});

/// The service whose tokens ACR exchanges.
const SCOPE: &str = "https://containerregistry.azure.net/.default";

/// Whether the host is a registry of ACR.
pub(crate) fn check(host: &str) -> Result<(), Error> {
    // A host has no such characters; with them, the pattern could match a part of a URL.
    if PATTERN.is_match(host) && !host.contains(['?', '#', '@', ':']) {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "invalid Azure registry: '{host}'. must match {}",
        PATTERN.as_str()
    )))
}

/// Tenant and client id a ServiceAccount stands for, by its annotations.
pub(crate) fn identity(annotations: &BTreeMap<String, String>) -> Result<(String, String), Error> {
    let get = |what: &str, key: &str| {
        annotations.get(key).cloned().ok_or_else(|| {
            Error::Configuration(format!(
                "azure {what} ID is not set in the service account annotation {key}"
            ))
        })
    };
    let tenant = get("tenant", "azure.workload.identity/tenant-id")?;
    let client = get("client", "azure.workload.identity/client-id")?;
    Ok((tenant, client))
}

/// A private Azure's own places (`AZURE_ENVIRONMENT_FILEPATH`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Private {
    #[serde(default)]
    resource_manager_endpoint: String,
    #[serde(default)]
    token_audience: String,
}

/// What to ask a token for.
pub(crate) async fn scope(context: &Context<'_>) -> Result<String, Error> {
    let Some(file) = context.place.environment.get("AZURE_ENVIRONMENT_FILEPATH") else {
        return Ok(SCOPE.to_owned());
    };
    let private: Private = serde_json::from_str(&read_file(file).await?)
        .map_err(|error| Error::Configuration(format!("cannot read '{file}': {error}")))?;
    if private.resource_manager_endpoint.is_empty() || private.token_audience.is_empty() {
        return Err(Error::Configuration(
            "resourceManagerEndpoint and tokenAudience must be set in the environment file"
                .to_owned(),
        ));
    }
    Ok(format!("{}/.default", private.resource_manager_endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_recognised() {
        for host in ["foo.azurecr.io", "foo.azurecr.cn", "foo.azurecr.de", "foo.azurecr.us"] {
            assert!(check(host).is_ok(), "{host}");
        }
        for host in ["azurecr.io", "foo.azurecr.com", "evil.example?x.azurecr.io", "a@b.azurecr.io"]
        {
            assert!(check(host).is_err(), "{host}");
        }
        let text = check("ghcr.io").unwrap_err().to_string();
        let want = r"invalid Azure registry: 'ghcr.io'. must match ^.+\.(azurecr\.io|azurecr\.cn|azurecr\.de|azurecr\.us)$";
        assert_eq!(text, want);
    }

    #[test]
    fn both_annotations_are_needed() {
        let tenant = ("azure.workload.identity/tenant-id".to_owned(), "t".to_owned());
        let client = ("azure.workload.identity/client-id".to_owned(), "c".to_owned());
        let text = identity(&[tenant.clone()].into()).unwrap_err().to_string();
        let want = "azure client ID is not set in the service account annotation azure.workload.identity/client-id";
        assert_eq!(text, want);
        assert_eq!(identity(&[tenant, client].into()).unwrap(), ("t".into(), "c".into()));
    }
}
