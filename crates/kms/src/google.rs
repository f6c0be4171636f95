//! Google Cloud KMS: `cryptoKeys.decrypt`.

use cloud::{OwnIdentity, Provider};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_client::{Proxy, Request};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::Error;
use crate::service::{Caller, Services, bearer, decoded};

const DECRYPT: &str = "cloudkms: Decrypt";

/// What the client library of Cloud KMS asks for.
const SCOPES: &str =
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/cloudkms";

#[derive(Deserialize)]
struct Answer {
    plaintext: String,
}

pub(crate) async fn decrypt(
    services: &Services,
    key: &str,
    (wrapped, caller): (&str, &Caller<'_>),
) -> Result<Vec<u8>, Error> {
    let token = match &caller.credentials.google {
        Some(own) => {
            let identity = OwnIdentity::Google(own.clone());
            services.cloud.token_of(&identity, SCOPES, &Proxy::Direct).await?.token
        }
        None => bearer(DECRYPT, services.token((Provider::Gcp, ""), caller).await?)?,
    };
    let url = address(services.endpoints.gcp_kms.as_ref(), key)?;
    let request = Request::post(url, json!({"ciphertext": wrapped}).to_string())
        .header(AUTHORIZATION, &format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json");
    let answer: Answer = services.ask(DECRYPT, request).await?;
    decoded(DECRYPT, &answer.plaintext)
}

/// `…/v1/projects/P/locations/L/keyRings/R/cryptoKeys/K:decrypt`.
fn address(given: Option<&Url>, key: &str) -> Result<Url, Error> {
    let refuse = || Error::Configuration(format!("no valid resource ID found in '{key}'"));
    let parts: Vec<&str> = key.split('/').collect();
    let ["projects", project, "locations", location, "keyRings", ring, "cryptoKeys", name] =
        parts.as_slice()
    else {
        return Err(refuse());
    };
    let last = format!("{name}:decrypt");
    let segments =
        ["v1", "projects", project, "locations", location, "keyRings", ring, "cryptoKeys", &last];
    if segments.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err(refuse());
    }
    let public = Url::parse("https://cloudkms.googleapis.com").map_err(|_| refuse());
    crate::service::address(&given.cloned().map_or(public, Ok)?, segments)
}
