//! Logins that are more than a Secret's user and password.

use api::image::ImageUpdateAutomation;
use controller::secret::Data;
use forge::{App, Caller, InvolvedObject};
use git::{Auth, Remote};
use http_client::secret::Secret;
use kube::ResourceExt as _;

use crate::Context;

/// Logs in with an installation token of the GitHub App in the Secret `name` (`namespace/name`).
pub(crate) async fn github(
    remote: &mut Remote,
    it: &ImageUpdateAutomation,
    (name, data): (&str, &Data),
    context: &Context,
) -> Result<(), String> {
    let app = App::parse(Secret { name, data }).map_err(|error| error.to_string())?;
    let caller = Caller {
        tenant: name.split('/').next().unwrap_or_default(),
        object: InvolvedObject {
            kind: "ImageUpdateAutomation",
            name: &it.name_any(),
            namespace: &it.namespace().unwrap_or_default(),
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
