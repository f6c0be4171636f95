//! Google Cloud: access tokens, which are logins for GCR and Artifact Registry as they are.

mod federation;
mod metadata;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

pub(crate) use metadata::Gke;

use crate::Error;
use crate::login::{Bearer, Context, ServiceAccount};

/// What tokens are good for.
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
];

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(((.+\.)?gcr\.io)|(.+-docker\.pkg\.dev)|(docker\.s3nsregistry\.fr))$")
        .expect("because the pattern is a constant that a test compiles")
});

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[a-zA-Z0-9-]{1,100}@[a-zA-Z0-9-]{1,100}\.iam\.gserviceaccount\.com$")
        .expect("because the pattern is a constant that a test compiles")
});

static WORKLOAD_PROVIDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^projects/\d{1,30}/locations/global/workloadIdentityPools/[^/]{1,100}/providers/[^/]{1,100}$")
        .expect("because the pattern is a constant that a test compiles")
});

/// Whether the host is a registry of Google Cloud.
pub(crate) fn check(host: &str) -> Result<(), Error> {
    // A host has no such characters; with them, the pattern could match a part of a URL.
    if PATTERN.is_match(host) && !host.contains(['?', '#', '@', ':']) {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "invalid GCP registry: '{host}'. must match {}",
        PATTERN.as_str()
    )))
}

/// The Google service account a ServiceAccount stands for; `None` for direct access.
pub(crate) fn email(annotations: &BTreeMap<String, String>) -> Result<Option<String>, Error> {
    annotation(annotations, "iam.gke.io/gcp-service-account", &EMAIL)
}

/// For whom a token of the ServiceAccount is to be made: the workload identity provider in its
/// annotation, else the pool of the GKE cluster this process runs in.
pub(crate) async fn audiences(
    annotations: &BTreeMap<String, String>,
    context: &Context<'_>,
) -> Result<Vec<String>, Error> {
    if let Some(provider) = workload_provider(annotations)? {
        return Ok(vec![provider]);
    }
    Ok(vec![metadata::gke(context).await?.pool()])
}

/// The token of this process.
pub(crate) async fn of_process(context: &Context<'_>) -> Result<Bearer, Error> {
    match context.place.environment.get("GOOGLE_APPLICATION_CREDENTIALS") {
        Some(file) => federation::of_file(file, context).await,
        None => metadata::token(context).await,
    }
}

/// The token of the identity that a ServiceAccount stands for.
pub(crate) async fn of_account(
    account: &ServiceAccount<'_>,
    token: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let audience = match workload_provider(account.annotations)? {
        Some(provider) => provider,
        None => metadata::gke(context).await?.audience(),
    };
    let email = email(account.annotations)?;
    federation::Exchange { audience: &audience, token, email: email.as_deref() }.run(context).await
}

fn workload_provider(annotations: &BTreeMap<String, String>) -> Result<Option<String>, Error> {
    let key = "gcp.auth.fluxcd.io/workload-identity-provider";
    let provider = annotation(annotations, key, &WORKLOAD_PROVIDER)?;
    Ok(provider.map(|provider| format!("//iam.googleapis.com/{provider}")))
}

fn annotation(
    annotations: &BTreeMap<String, String>,
    key: &str,
    pattern: &Regex,
) -> Result<Option<String>, Error> {
    match annotations.get(key).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) if pattern.is_match(value) => Ok(Some(value.clone())),
        Some(value) => Err(Error::Configuration(format!(
            "invalid {key} annotation: '{value}'. must match {}",
            pattern.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_recognised() {
        for host in ["gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev"] {
            assert!(check(host).is_ok(), "{host}");
        }
        for host in ["evilgcr.io", "gcr.io.evil.example", "docker.pkg.dev", "evil?a.gcr.io"] {
            assert!(check(host).is_err(), "{host}");
        }
        let text = check("ghcr.io").unwrap_err().to_string();
        assert!(text.starts_with("invalid GCP registry: 'ghcr.io'. must match ^"), "{text}");
    }

    #[test]
    fn annotations_are_checked() {
        let with = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let key = "iam.gke.io/gcp-service-account";
        assert_eq!(email(&BTreeMap::new()).unwrap(), None);
        assert!(email(&with(key, "a@b.iam.gserviceaccount.com")).unwrap().is_some());
        assert!(email(&with(key, "a@b.iam.gserviceaccount.com.evil")).is_err());
        let key = "gcp.auth.fluxcd.io/workload-identity-provider";
        let value = "projects/1/locations/global/workloadIdentityPools/pool/providers/p";
        let want = format!("//iam.googleapis.com/{value}");
        assert_eq!(workload_provider(&with(key, value)).unwrap(), Some(want));
        assert!(workload_provider(&with(key, "pool")).is_err());
    }
}
