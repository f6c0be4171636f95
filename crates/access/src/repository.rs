//! The Git repository that a GitRepository describes.

use api::source::{GitProvider, GitRepository};
use cloud::Provider;
use controller::secret;
use forge::{App, Caller, Forge};
use git::{Auth, Remote};
use http_client::{Proxy, secret::Secret};

use crate::Reader;

/// Azure DevOps, as Microsoft Entra knows it.
const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";

/// Why there is no access; who asks has its own condition for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The Secret with the credentials cannot be read.
    #[error("{0}")]
    Secret(secret::Error),
    /// The proxy cannot be used.
    #[error("{0}")]
    Proxy(String),
    /// The address or the credentials cannot be used.
    #[error("{0}")]
    Remote(git::Error),
    /// The timeout is none.
    #[error("{0}")]
    Timeout(String),
    /// Provider and Secret do not go together.
    #[error("{message}")]
    Provider {
        /// What is wrong.
        message: String,
        /// Whether a change of the GitRepository alone can end it.
        is_final: bool,
    },
    /// A feature gate that is off guards what the GitRepository wants.
    #[error("{0}")]
    Gate(&'static str),
    /// The provider gives us no credentials.
    #[error("{0}")]
    Login(String),
}

/// The repository on its server, with the credentials of the GitRepository. `reader` reads in its
/// namespace.
///
/// # Errors
/// See [`Refusal`].
pub async fn remote(
    it: &GitRepository,
    reader: &Reader<'_>,
    forge: &Forge,
) -> Result<Remote, Refusal> {
    let spec = &it.spec;
    let proxy = match &spec.proxy_secret_ref {
        Some(reference) => reader.proxy(&reference.name).await.map_err(Refusal::Proxy)?,
        None => Proxy::default(),
    };
    let name = spec.secret_ref.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    let data = match &spec.secret_ref {
        Some(_) => Some(reader.secret(name).await.map_err(Refusal::Secret)?),
        None => None,
    };
    let name = reader.full_name(name);
    let secret = data.as_ref().map(|data| Secret { name: &name, data });
    let mut remote = Remote::from_secret(&spec.url, secret).map_err(Refusal::Remote)?;
    remote.http.proxy = proxy;
    if let Some(timeout) = spec.timeout.as_deref() {
        remote.timeout =
            api::duration::parse(timeout).map_err(|why| Refusal::Timeout(why.to_string()))?;
    }
    log_in(it, &mut remote, secret, (reader, forge)).await?;
    Ok(remote)
}

/// Logs in where the provider is more than a Secret.
async fn log_in(
    it: &GitRepository,
    remote: &mut Remote,
    secret: Option<Secret<'_>>,
    (reader, forge): (&Reader<'_>, &Forge),
) -> Result<(), Refusal> {
    let app = secret.filter(|it| it.data.contains_key("githubAppID"));
    let unfit = |message: String, is_final| Err(Refusal::Provider { message, is_final });
    match (it.spec.provider.unwrap_or_default(), app) {
        (GitProvider::Generic | GitProvider::Azure, Some(app)) => {
            let name = app.name;
            let message =
                format!("secretRef '{name}' has github app data but provider is not set to github");
            unfit(message, false)
        }
        (GitProvider::Generic, None) => Ok(()),
        (GitProvider::Github, None) => {
            let message =
                "secretRef with github app data must be specified when provider is set to github";
            unfit(message.to_owned(), secret.is_none())
        }
        (GitProvider::Github, Some(app)) => {
            github(remote, app, (reader, forge)).await.map_err(Refusal::Login)
        }
        // Boxed: few are of Azure, and all would carry what its login needs.
        (GitProvider::Azure, None) => Box::pin(azure(it, remote, reader)).await,
    }
}

/// Logs in to Azure DevOps with a token of the identity that the object or the process has. A user in
/// the address is no login beside it: Azure's own pages show addresses with one.
async fn azure(
    it: &GitRepository,
    remote: &mut Remote,
    reader: &Reader<'_>,
) -> Result<(), Refusal> {
    let account = it.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    if account.is_some() && !reader.workload.per_object {
        return Err(Refusal::Gate(
            "to use spec.serviceAccountName for provider authentication please enable the \
             ObjectLevelWorkloadIdentity feature gate in the controller",
        ));
    }
    let asked = (account, &remote.http.proxy);
    let token = reader.bearer(Provider::Azure, AZURE_DEVOPS, asked).await;
    remote.auth = Auth::Bearer(token.map_err(Refusal::Login)?);
    // Tokens come and go; whose mirror it is does not change with them.
    let account =
        account.or(reader.workload.default_account.filter(|_| reader.workload.per_object));
    remote.identity = Some(format!("azure/{}", account.unwrap_or_default()));
    Ok(())
}

/// Logs in with an installation token of the GitHub App in a Secret.
async fn github(
    remote: &mut Remote,
    secret: Secret<'_>,
    (reader, forge): (&Reader<'_>, &Forge),
) -> Result<(), String> {
    let app = App::parse(secret).map_err(|error| error.to_string())?;
    let caller = Caller { tenant: reader.namespace, object: reader.object };
    let token = forge.app_token(&app, &caller, &remote.http, remote.timeout).await;
    let token = token.map_err(|error| error.to_string())?;
    remote.auth = Auth::Basic { username: forge::USERNAME.to_owned(), password: token.token };
    // Tokens come and go; whose mirror it is does not change with them.
    remote.identity = Some(format!("github-app/{}/{:?}", app.id, app.installation));
    Ok(())
}
