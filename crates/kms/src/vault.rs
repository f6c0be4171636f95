//! `HashiCorp` Vault and `OpenBao`: the transit engine's `decrypt`.

use std::fmt;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderName};
use http_client::Request;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::Error;
use crate::service::{self, Caller, Services, decoded, named};

const DECRYPT: &str = "failed to decrypt sops data key from Vault transit backend";

/// The Vault that this process itself uses: `VAULT_ADDR` and `VAULT_TOKEN`. The token is not shown.
#[derive(Clone, Default)]
pub struct ProcessVault {
    address: Option<Url>,
    token: Option<String>,
}

impl fmt::Debug for ProcessVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessVault")
    }
}

impl ProcessVault {
    /// Reads the variables.
    pub fn of(environment: &cloud::Environment) -> Self {
        Self {
            address: environment.get("VAULT_ADDR").and_then(|text| Url::parse(text).ok()),
            token: environment.get("VAULT_TOKEN").map(str::to_owned),
        }
    }

    /// The token, for the server it is meant for alone: documents name servers of their own.
    fn token_for(&self, server: &Url) -> Option<&str> {
        let own = self.address.as_ref()?;
        (own.origin() == server.origin()).then_some(self.token.as_deref()).flatten()
    }
}

/// A key.
pub(crate) struct Key<'a> {
    pub(crate) address: &'a str,
    pub(crate) engine: &'a str,
    pub(crate) name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    plaintext: String,
}

pub(crate) async fn decrypt(
    services: &Services,
    key: &Key<'_>,
    (wrapped, caller): (&str, &Caller<'_>),
) -> Result<Vec<u8>, Error> {
    let server = named(key.address, "the Vault server")?;
    let own = caller.credentials.vault.as_deref();
    let token = own.or_else(|| services.vault.token_for(&server)).ok_or_else(|| {
        Error::Configuration(format!(
            "there is no token for the Vault server {}: put 'sops.vault-token' into the decryption \
             secret",
            http_client::redact(&server)
        ))
    })?;
    let engine = key.engine.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    let segments = ["v1"].into_iter().chain(engine).chain(["decrypt", key.name]);
    let url = service::address(&server, segments)?;
    let body = json!({"ciphertext": wrapped}).to_string();
    let request = Request { body: body.into(), ..Request::new(Method::PUT, url) }
        .header(HeaderName::from_static("x-vault-token"), token)
        .header(HeaderName::from_static("x-vault-request"), "true")
        .header(CONTENT_TYPE, "application/json");
    let answer: Answer = services.ask(DECRYPT, request).await?;
    decoded(DECRYPT, &answer.data.plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_the_process_goes_to_its_own_server_only() {
        let variables = [("VAULT_ADDR", "https://vault.corp:8200"), ("VAULT_TOKEN", "secret")];
        let vault = ProcessVault::of(&variables.into_iter().collect());
        let token = |text: &str| vault.token_for(&Url::parse(text).unwrap()).map(str::to_owned);
        assert_eq!(token("https://vault.corp:8200/any").as_deref(), Some("secret"));
        for other in ["https://vault.corp", "http://vault.corp:8200", "https://evil.example:8200"] {
            assert_eq!(token(other), None, "{other}");
        }
        assert!(!format!("{vault:?}").contains("secret"));
    }
}
