//! Workload identity federation: a foreign token becomes one of Google's, and that one, if asked
//! for, one of a service account (RFC 8693, then `generateAccessToken`).

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_client::Request;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::SCOPES;
use super::metadata::Token;
use crate::environment::{endpoint, read_file};
use crate::login::{Bearer, Context};
use crate::{Error, exchange};

const EXCHANGE: &str = "Google STS token exchange";
const IMPERSONATE: &str = "Google IAM generateAccessToken";

/// One exchange.
pub(super) struct Exchange<'a> {
    pub(super) audience: &'a str,
    /// A JWT.
    pub(super) token: &'a str,
    /// The service account to act as; none for direct access.
    pub(super) email: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

impl Exchange<'_> {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Bearer, Error> {
        let base =
            endpoint(context.place.endpoints.gcp_sts.as_ref(), "https://sts.googleapis.com")?;
        let url = join(&base, "/v1/token")?;
        // The intermediate token needs to be good for impersonation alone.
        let scopes = if self.email.is_some() { SCOPES[0].to_owned() } else { SCOPES.join(" ") };
        let body = exchange::form(&[
            ("audience", self.audience),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", &scopes),
            ("subject_token", self.token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ]);
        let request =
            Request::post(url, body).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let token: Token = exchange::json(&context.client, EXCHANGE, request).await?;
        let token = token.bearer(context);
        match self.email {
            Some(email) => impersonate(email, &token, context).await,
            None => Ok(token),
        }
    }
}

async fn impersonate(email: &str, token: &Bearer, context: &Context<'_>) -> Result<Bearer, Error> {
    let given = context.place.endpoints.gcp_iam.as_ref();
    let base = endpoint(given, "https://iamcredentials.googleapis.com")?;
    let url = join(&base, &format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken"))?;
    let body = serde_json::json!({"lifetime": "3600s", "scope": SCOPES});
    let request = Request::post(url, body.to_string())
        .header(AUTHORIZATION, &format!("Bearer {}", token.token))
        .header(CONTENT_TYPE, "application/json");
    let answer: Impersonated = exchange::json(&context.client, IMPERSONATE, request).await?;
    Ok(Bearer { token: answer.access_token, expires_at: answer.expire_time })
}

/// The file that `gcloud iam workload-identity-pools create-cred-config` writes.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    audience: String,
    #[serde(default)]
    credential_source: Source,
    #[serde(default)]
    service_account_impersonation_url: String,
}

#[derive(Deserialize, Default)]
struct Source {
    #[serde(default)]
    file: String,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default)]
    subject_token_field_name: String,
}

/// The token for a credentials file of kind `external_account` with a token in a file.
pub(super) async fn of_file(path: &str, context: &Context<'_>) -> Result<Bearer, Error> {
    let refuse = |why: String| Error::Configuration(format!("credentials file '{path}': {why}"));
    let file: File = serde_json::from_str(&read_file(path).await?)
        .map_err(|error| refuse(format!("line {} column {}", error.line(), error.column())))?;
    if file.kind != "external_account" || file.credential_source.file.is_empty() {
        return Err(refuse(format!(
            "type '{}' is not supported; use workload identity, or type 'external_account' with \
             a token in a file",
            file.kind
        )));
    }
    let mut token = read_file(&file.credential_source.file).await?;
    let field = &file.credential_source.format.subject_token_field_name;
    if !field.is_empty() {
        let value: serde_json::Value = serde_json::from_str(&token).unwrap_or_default();
        token = value[field].as_str().map(str::to_owned).ok_or_else(|| {
            refuse(format!("no field '{field}' in '{}'", file.credential_source.file))
        })?;
    }
    // `…/serviceAccounts/EMAIL:generateAccessToken`
    let email = file
        .service_account_impersonation_url
        .rsplit_once("/serviceAccounts/")
        .and_then(|(_, rest)| rest.strip_suffix(":generateAccessToken"));
    Exchange { audience: &file.audience, token: &token, email }.run(context).await
}

fn join(base: &Url, path: &str) -> Result<Url, Error> {
    base.join(path).map_err(|error| Error::Configuration(format!("unusable address: {error}")))
}
