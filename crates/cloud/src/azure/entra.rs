//! Tokens of Microsoft Entra.
//!
//! The order for the process is that of Flux: client secret in the environment, workload identity,
//! managed identity of the machine. The command line tools of Azure are never run.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName};
use http_client::Request;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::identity;
use crate::environment::{endpoint, read_file};
use crate::login::{Bearer, Context, ServiceAccount};
use crate::{Error, Proof, exchange, jwt};

const ENTRA: &str = "Microsoft Entra token request";
const MANAGED: &str = "managed identity token request";

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds; a number from Entra, a text from the metadata service.
    #[serde(deserialize_with = "number_or_text")]
    expires_in: u64,
}

/// The token of this process for `scope`.
pub(crate) async fn of_process(scope: &str, context: &Context<'_>) -> Result<Bearer, Error> {
    let variable = |name| context.place.environment.get(name);
    let client = variable("AZURE_CLIENT_ID");
    let tenant = variable("AZURE_TENANT_ID");
    if let (Some(tenant), Some(client), Some(secret)) =
        (tenant, client, variable("AZURE_CLIENT_SECRET"))
    {
        return entra(tenant, client, &[("client_secret", secret)], scope, context).await;
    }
    if let (Some(tenant), Some(client), Some(file)) =
        (tenant, client, variable("AZURE_FEDERATED_TOKEN_FILE"))
    {
        let assertion = read_file(file).await?;
        return federated(tenant, client, &assertion, scope, context).await;
    }
    managed(client, scope, context).await
}

/// The token of the identity that a ServiceAccount stands for.
pub(crate) async fn of_account(
    account: &ServiceAccount<'_>,
    scope: &str,
    token: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let (tenant, client) = identity(account.annotations)?;
    federated(&tenant, &client, token, scope, context).await
}

async fn federated(
    tenant: &str,
    client: &str,
    assertion: &str,
    scope: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let proof = [
        ("client_assertion", assertion),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ];
    entra(tenant, client, &proof, scope, context).await
}

/// The client credentials grant with one kind of proof.
async fn entra(
    tenant: &str,
    client: &str,
    proof: &[(&str, &str)],
    scope: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let host = context.place.environment.get("AZURE_AUTHORITY_HOST");
    let url = token_address(tenant, host, context)?;
    granted((url, client), proof, scope, context).await
}

/// Where Microsoft Entra gives out the tokens of a tenant; `host` is the authority, if it is not the
/// public one.
fn token_address(tenant: &str, host: Option<&str>, context: &Context<'_>) -> Result<Url, Error> {
    let host = host.unwrap_or("https://login.microsoftonline.com/");
    let mut url = endpoint(context.place.endpoints.azure_authority.as_ref(), host)?;
    push(&mut url, &[tenant, "oauth2", "v2.0", "token"])?;
    Ok(url)
}

/// The token of an identity whose proof somebody else keeps.
pub(crate) async fn with_proof(
    (tenant, client): (&str, &str),
    authority: Option<&str>,
    proof: &Proof,
    (scope, context): (&str, &Context<'_>),
) -> Result<Bearer, Error> {
    let url = token_address(tenant, authority, context)?;
    match proof {
        Proof::Secret(secret) => {
            granted((url, client), &[("client_secret", secret)], scope, context).await
        }
        Proof::Certificate { pem, send_chain } => {
            // What Entra is told is its public address, wherever that is reached.
            let host = authority.unwrap_or("https://login.microsoftonline.com/");
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
            let now = (context.place.clock)();
            let assertion = jwt::of_certificate((pem, *send_chain), (client, &audience), now)?;
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let proof = [("client_assertion", assertion.as_str()), ("client_assertion_type", kind)];
            granted((url, client), &proof, scope, context).await
        }
    }
}

async fn granted(
    (url, client): (Url, &str),
    proof: &[(&str, &str)],
    scope: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let mut fields = vec![("client_id", client), ("grant_type", "client_credentials")];
    fields.extend_from_slice(proof);
    fields.push(("scope", scope));
    let request = Request::post(url, exchange::form(&fields))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer: Answer = exchange::json(&context.client, ENTRA, request).await?;
    Ok(answer.bearer(context))
}

/// The identity of the machine, or the one called `client` of several.
pub(crate) async fn managed(
    client: Option<&str>,
    scope: &str,
    context: &Context<'_>,
) -> Result<Bearer, Error> {
    let given = context.place.endpoints.azure_metadata.as_ref();
    let mut url = endpoint(given, "http://169.254.169.254")?;
    push(&mut url, &["metadata", "identity", "oauth2", "token"])?;
    url.query_pairs_mut()
        .append_pair("api-version", "2018-02-01")
        .append_pair("resource", scope.strip_suffix("/.default").unwrap_or(scope));
    if let Some(client) = client {
        url.query_pairs_mut().append_pair("client_id", client);
    }
    let request = Request::get(url)
        .timeout(exchange::METADATA_TIMEOUT)
        .header(HeaderName::from_static("metadata"), "true");
    let answer: Answer = exchange::json(&context.direct, MANAGED, request).await?;
    Ok(answer.bearer(context))
}

impl Answer {
    fn bearer(self, context: &Context<'_>) -> Bearer {
        let now = (context.place.clock)();
        let expires_at = now.checked_add(Duration::from_secs(self.expires_in)).unwrap_or(now);
        Bearer { token: self.access_token, expires_at }
    }
}

/// Appends path segments, whatever characters they hold.
fn push(url: &mut Url, segments: &[&str]) -> Result<(), Error> {
    let refuse = Error::Configuration("unusable address of Microsoft Entra".to_owned());
    let Ok(mut path) = url.path_segments_mut() else { return Err(refuse) };
    path.pop_if_empty().extend(segments);
    Ok(())
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
