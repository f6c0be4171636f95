//! From a GitRepository to a repository that can be read and pushed to.

use std::{fmt, sync::Arc};

use access::{Reader, Refusal, Workload};
use api::{image::SigningKey, source::GitRepository};
use cloud::{Cloud, InvolvedObject};
use controller::secret;
use forge::Forge;
use git::{Remote, Signer};
use kube::{Client, ResourceExt as _};

/// What it takes to get in, and for whom.
pub struct Access<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Tokens of cloud providers.
    pub cloud: &'a Cloud,
    /// Tokens of GitHub Apps.
    pub forge: &'a Forge,
    /// Kind of the object that wants in.
    pub kind: &'a str,
    /// Name of that object.
    pub name: &'a str,
    /// Namespace of that object.
    pub namespace: &'a str,
}

/// Why nobody gets in; never holds the content of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The GitRepository cannot be right.
    Invalid(String),
    /// It does not work now.
    Fail(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Invalid(why) | Self::Fail(why)) = self;
        f.write_str(why)
    }
}

/// The repository on its server, with the credentials of the GitRepository.
///
/// # Errors
/// What of the GitRepository or its Secrets cannot be used.
pub async fn remote(repository: &GitRepository, it: &Access<'_>) -> Result<Remote, Refused> {
    let namespace = repository.namespace().unwrap_or_default();
    let reader = Reader {
        client: it.client,
        cloud: it.cloud,
        workload: Workload { per_object: false, default_account: None },
        namespace: &namespace,
        object: InvolvedObject {
            kind: it.kind,
            name: it.name,
            namespace: it.namespace,
            operation: "reconcile",
        },
    };
    let unconfigured =
        |why: String| Refused::Fail(format!("failed to configure authentication options: {why}"));
    access::remote(repository, &reader, it.forge).await.map_err(|why| match why {
        Refusal::Secret(why) => {
            let name = repository.spec.secret_ref.clone().unwrap_or_default().name;
            Refused::Fail(format!("failed to get auth secret '{namespace}/{name}': {why}"))
        }
        Refusal::Provider { message, .. } => Refused::Invalid(message),
        Refusal::Gate(why) => Refused::Invalid(why.to_owned()),
        Refusal::Remote(why) => unconfigured(why.to_string()),
        Refusal::Login(why) => unconfigured(why),
        Refusal::Proxy(why) | Refusal::Timeout(why) => Refused::Fail(why),
    })
}

/// The key that signs commits, from a Secret of `namespace`.
///
/// # Errors
/// A Secret that is not there or holds no key that can be used; never its content.
pub async fn signer(
    client: &Client,
    namespace: &str,
    key: Option<&SigningKey>,
) -> Result<Option<Arc<Signer>>, String> {
    let Some(key) = key else { return Ok(None) };
    let name = &key.secret_ref.name;
    let data = secret::read(client, namespace, name)
        .await
        .map_err(|why| format!("could not find signing key secret '{name}': {why}"))?;
    let signer = Signer::from_secret(name, &data).map_err(|why| why.to_string())?;
    Ok(Some(Arc::new(signer)))
}
