//! Logins that are more than a Secret's user and password.

use api::source::GitRepository;
use controller::secret::Data;
use forge::{App, Caller, InvolvedObject};
use git::{Auth, Remote};
use http_client::secret::Secret;
use kube::ResourceExt as _;

use crate::source::Context;

/// Logs in with an installation token of the GitHub App in the Secret `name` (`namespace/name`).
pub(super) async fn github(
    remote: &mut Remote,
    it: &GitRepository,
    (name, data): (&str, &Data),
    context: &Context,
) -> Result<(), String> {
    let app = App::parse(Secret { name, data }).map_err(|error| error.to_string())?;
    let namespace = it.namespace().unwrap_or_default();
    let caller = Caller {
        tenant: &namespace,
        object: InvolvedObject {
            kind: "GitRepository",
            name: &it.name_any(),
            namespace: &namespace,
            operation: "reconcile",
        },
    };
    let options = remote.http_options().map_err(|error| error.to_string())?;
    let token = context.forge.app_token(&app, &caller, &options, remote.timeout).await;
    let token = token.map_err(|error| error.to_string())?;
    remote.auth = Auth::Basic { username: forge::USERNAME.to_owned(), password: token.token };
    // Tokens come and go; whose mirror it is does not change with them.
    remote.identity = Some(format!("github-app/{}/{:?}", app.id, app.installation));
    Ok(())
}
