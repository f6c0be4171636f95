//! Logins for ACR: an Entra token is exchanged for a refresh token of the registry.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_client::Request;
use jiff::Timestamp;
use serde::Deserialize;

use crate::environment::endpoint;
use crate::login::{Bearer, Context};
use crate::{Error, Login, exchange};

const EXCHANGE: &str = "ACR token exchange";

/// The user name for which ACR takes refresh tokens as passwords, as documented for
/// `az acr login --expose-token`.
const USERNAME: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Deserialize)]
struct Answer {
    refresh_token: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

/// Exchanges an Entra token.
pub(crate) async fn registry_login(
    registry: &str,
    bearer: &Bearer,
    context: &Context<'_>,
) -> Result<Login, Error> {
    let given = context.place.endpoints.azure_registry.as_ref();
    let url = endpoint(given, &format!("https://{registry}"))?;
    let url = url.join("/oauth2/exchange").map_err(|error| {
        Error::Configuration(format!("unusable registry '{registry}': {error}"))
    })?;
    let body = exchange::form(&[
        ("access_token", &bearer.token),
        ("grant_type", "access_token"),
        ("service", registry),
    ]);
    let request = Request::post(url, body)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json");
    let answer: Answer = exchange::json(&context.client, EXCHANGE, request).await?;
    let expires_at = expiry(&answer.refresh_token).ok_or_else(|| Error::Answer {
        operation: EXCHANGE,
        reason: "refresh token is no JWT with an expiration time".to_owned(),
    })?;
    Ok(Login { username: USERNAME.to_owned(), password: answer.refresh_token, expires_at })
}

/// When a JWT expires, by its own word; the registry checks it anyway.
fn expiry(token: &str) -> Option<Timestamp> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.exp).ok()
}
