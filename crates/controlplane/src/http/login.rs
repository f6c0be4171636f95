//! Who makes a request.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::certificate::ClientCertificate;
use super::serve::{Front, Login};
use crate::account::AUDIENCE;
use crate::status::{Refused, Served};
use crate::user::User;

/// The user of a request with `headers`.
pub(super) fn user(
    front: &Front,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
) -> Served<User> {
    if matches!(front.login, Login::Trusted) {
        return Ok(User::administrator());
    }
    if let Some(user) = certificate.and_then(ClientCertificate::user) {
        return Ok(user);
    }
    let found = match token(headers) {
        Some(token) => front.api.bearer(token, &[AUDIENCE.to_owned()]).ok().map(|(user, _)| user),
        // A certificate that proves nothing makes nobody anonymous.
        None if certificate.is_some() => None,
        None => front.anonymous.then(User::anonymous),
    };
    found.ok_or_else(Refused::unauthorized)
}

/// The bearer token, if there is one.
fn token(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    Some(token).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}
