//! Azure Key Vault: `decrypt` with RSA-OAEP-256.
//!
//! A vault says by a challenge which token it wants. The token is asked for only if it is for
//! this very vault's service, so that no other server gets one that is good elsewhere.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cloud::Provider;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_client::{Proxy, Request};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::Error;
use crate::service::{self, Caller, Services, bearer, named, refused};

const DECRYPT: &str = "failed to decrypt sops data key with Azure Key Vault key";

/// The API's version that sops speaks.
const VERSION: &str = "7.4";

/// A key.
pub(crate) struct Key<'a> {
    pub(crate) vault: &'a str,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

pub(crate) async fn decrypt(
    services: &Services,
    key: &Key<'_>,
    (wrapped, caller): (&str, &Caller<'_>),
) -> Result<Vec<u8>, Error> {
    let vault = named(key.vault, "the Key Vault")?;
    if vault.scheme() != "https" {
        let why = "address of the Key Vault: it must be an https URL";
        return Err(Error::Configuration(why.to_owned()));
    }
    let base = services.endpoints.azure_vault.as_ref().unwrap_or(&vault);
    let mut url = service::address(base, ["keys", key.name, key.version, "decrypt"])?;
    url.query_pairs_mut().append_pair("api-version", VERSION);
    let scope = scope(services, &url, &vault).await?;
    let token = match &caller.credentials.azure {
        Some(own) => services.cloud.token_of(own, &scope, &Proxy::Direct).await?.token,
        None => bearer(DECRYPT, services.token((Provider::Azure, &scope), caller).await?)?,
    };
    let body = json!({"alg": "RSA-OAEP-256", "value": wrapped}).to_string();
    let request = Request::post(url, body)
        .header(AUTHORIZATION, &format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json");
    let answer: Answer = services.ask(DECRYPT, request).await?;
    let unreadable = Error::Answer { operation: DECRYPT, reason: "the value is no base64" };
    BASE64_URL_SAFE_NO_PAD.decode(answer.value.trim_end_matches('=')).map_err(|_| unreadable)
}

/// What the token must be good for, by the vault's own challenge.
async fn scope(services: &Services, url: &Url, vault: &Url) -> Result<String, Error> {
    let request = Request::post(url.clone(), "").header(CONTENT_TYPE, "application/json");
    let answer = services.client(DECRYPT)?.send(request).await;
    let answer = answer.map_err(|source| Error::Http { operation: DECRYPT, source })?;
    if answer.status != http::StatusCode::UNAUTHORIZED {
        return Err(refused(DECRYPT, &answer));
    }
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let resource = field(challenge, "resource").or_else(|| field(challenge, "scope"));
    let no = Error::Answer { operation: DECRYPT, reason: "the vault asks for no token" };
    let resource = resource.ok_or(no)?.trim_end_matches("/.default").trim_end_matches('/');
    let target = Url::parse(resource).ok().filter(|it| it.scheme() == "https");
    let is_its = target.as_ref().and_then(Url::host_str).is_some_and(|domain| {
        let host = vault.host_str().unwrap_or_default();
        host.strip_suffix(domain).is_some_and(|name| name.ends_with('.'))
    });
    if !is_its {
        return Err(Error::Configuration(format!(
            "challenge resource '{resource}' doesn't match the requested domain"
        )));
    }
    Ok(format!("{resource}/.default"))
}

/// A field of `Bearer a="x", b="y"`.
fn field<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let fields = challenge.strip_prefix("Bearer ")?.split([',', ' ']);
    let mut found = fields.filter_map(|field| field.split_once('='));
    found.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"Bearer authorization="https://l/t", resource="https://vault.azure.net""#;
        assert_eq!(field(text, "resource"), Some("https://vault.azure.net"));
        assert_eq!(field("Basic resource=x", "resource"), None);
        let text = r#"Bearer authorization="https://l/t" scope="https://vault.azure.cn/.default""#;
        assert_eq!(field(text, "scope"), Some("https://vault.azure.cn/.default"));
    }
}
