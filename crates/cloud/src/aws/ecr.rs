//! Logins for ECR, private and public.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http_client::Request;
use jiff::Timestamp;
use serde::Deserialize;

use super::sigv4::Signing;
use super::{Credentials, Registry, domain};
use crate::environment::endpoint;
use crate::login::Context;
use crate::{Error, Login, exchange};

const PRIVATE: &str = "operation error ECR: GetAuthorizationToken";
const PUBLIC: &str = "operation error ECR PUBLIC: GetAuthorizationToken";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Data,
}

/// A list for private registries, one entry for the public one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Many(Vec<Authorization>),
    One(Authorization),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: String,
    /// Seconds since 1970, with a fraction.
    expires_at: f64,
}

/// Gets the user name and password that ECR wants.
pub(crate) async fn registry_login(
    registry: &Registry,
    credentials: &Credentials,
    context: &Context<'_>,
) -> Result<Login, Error> {
    let endpoints = &context.place.endpoints;
    let region = registry.region();
    let (operation, service, target, url) = match registry {
        Registry::Public => (
            PUBLIC,
            "ecr-public",
            "SpencerFrontendService.GetAuthorizationToken",
            endpoint(
                endpoints.aws_ecr_public.as_ref(),
                "https://api.ecr-public.us-east-1.amazonaws.com/",
            )?,
        ),
        Registry::Private(region) => (
            PRIVATE,
            "ecr",
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
            endpoint(
                endpoints.aws_ecr.as_ref(),
                &format!("https://api.ecr.{region}.{}/", domain(region)),
            )?,
        ),
    };
    let body = "{}";
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target));
    let signing = Signing { credentials, region, service, now: (context.place.clock)() };
    let added = signing.sign(&url, &headers, body.as_bytes());
    headers.extend(added);
    let request = Request { headers, ..Request::post(url, body) };
    let answer: Answer = exchange::json(&context.client, operation, request).await?;
    let wrong = |reason: &str| Error::Answer { operation, reason: reason.to_owned() };
    let data = match answer.authorization_data {
        Data::One(data) => data,
        Data::Many(list) => {
            list.into_iter().next().ok_or_else(|| wrong("no authorization data returned"))?
        }
    };
    let token = BASE64_STANDARD.decode(data.authorization_token);
    let token = token.ok().and_then(|it| String::from_utf8(it).ok());
    let token = token.ok_or_else(|| wrong("failed to parse authorization token"))?;
    let (username, password) =
        token.split_once(':').ok_or_else(|| wrong("invalid authorization token format"))?;
    let expires_at = jiff::SignedDuration::try_from_secs_f64(data.expires_at)
        .ok()
        .and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok())
        .ok_or_else(|| wrong("unreadable expiration time"))?;
    Ok(Login { username: username.to_owned(), password: password.to_owned(), expires_at })
}
