//! Where access keys come from.
//!
//! The order is that of the AWS SDK's default chain: variables, web identity (IRSA), container
//! endpoint (EKS Pod Identity, ECS), instance metadata (`IMDSv2`). Profiles on disk are for people's
//! own machines and are not read.

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http_client::Request;
use jiff::Timestamp;
use serde::Deserialize;
use url::{Host, Url};

use super::{Credentials, domain, role, sts_endpoint};
use crate::Error;
use crate::environment::{endpoint, read_file};
use crate::exchange::{self, element};
use crate::login::{Context, ServiceAccount};

const ASSUME: &str = "operation error STS: AssumeRoleWithWebIdentity";
const CONTAINER: &str = "operation error: container credentials";
const METADATA: &str = "operation error ec2imds: GetMetadata";

/// The credentials of this process, for services in `region`.
pub(crate) async fn of_process(region: &str, context: &Context<'_>) -> Result<Credentials, Error> {
    let variable = |name| context.place.environment.get(name);
    if let (Some(key_id), Some(secret)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(Credentials {
            key_id: key_id.to_owned(),
            secret: secret.to_owned(),
            session: variable("AWS_SESSION_TOKEN").map(str::to_owned),
            expires_at: Timestamp::MAX,
        });
    }
    if let (Some(file), Some(role)) =
        (variable("AWS_WEB_IDENTITY_TOKEN_FILE"), variable("AWS_ROLE_ARN"))
    {
        let token = read_file(file).await?;
        let session = variable("AWS_ROLE_SESSION_NAME").unwrap_or("sluice");
        let assume = Assume { role, session, token: &token, region, place: None };
        return assume.run(context).await;
    }
    if let Some(address) = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        return container(address, context).await;
    }
    if let Some(path) = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return container(&format!("http://169.254.170.2{path}"), context).await;
    }
    instance(context).await
}

/// The credentials of the role that a ServiceAccount stands for, given out in a region or at an address.
pub(crate) async fn of_account(
    account: &ServiceAccount<'_>,
    (region, place): (&str, Option<&str>),
    token: &str,
    context: &Context<'_>,
) -> Result<Credentials, Error> {
    let role = role(account.annotations)?;
    let session = format!("{}.{}.{region}.fluxcd.io", account.name, account.namespace);
    let place = place.map(sts_endpoint).transpose()?;
    Assume { role: &role, session: &session, token, region, place }.run(context).await
}

struct Assume<'a> {
    role: &'a str,
    session: &'a str,
    token: &'a str,
    region: &'a str,
    /// Where the service is, if not at the region's own address.
    place: Option<Url>,
}

impl Assume<'_> {
    async fn run(&self, context: &Context<'_>) -> Result<Credentials, Error> {
        let place = format!("https://sts.{}.{}/", self.region, domain(self.region));
        let given = self.place.as_ref().or(context.place.endpoints.aws_sts.as_ref());
        let url = endpoint(given, &place)?;
        let body = exchange::form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", self.role),
            ("RoleSessionName", self.session),
            ("Version", "2011-06-15"),
            ("WebIdentityToken", self.token),
        ]);
        let request = Request::post(url, body)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/xml");
        let answer = exchange::send(&context.client, ASSUME, request).await?;
        let xml = String::from_utf8_lossy(&answer.body);
        let field = |name| {
            element(&xml, name)
                .ok_or_else(|| Error::Answer { operation: ASSUME, reason: format!("no {name}") })
        };
        let expiration = field("Expiration")?;
        Ok(Credentials {
            key_id: field("AccessKeyId")?,
            secret: field("SecretAccessKey")?,
            session: Some(field("SessionToken")?),
            expires_at: time(ASSUME, &expiration)?,
        })
    }
}

/// What container endpoint and instance metadata answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    code: Option<String>,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expiration: Option<String>,
}

impl Document {
    fn credentials(self, operation: &'static str) -> Result<Credentials, Error> {
        if let Some(code) = self.code.filter(|code| code != "Success") {
            return Err(Error::Answer { operation, reason: format!("code {code}") });
        }
        let expires_at =
            self.expiration.map_or(Ok(Timestamp::MAX), |text| time(operation, &text))?;
        Ok(Credentials {
            key_id: self.access_key_id,
            secret: self.secret_access_key,
            session: self.token,
            expires_at,
        })
    }
}

async fn container(address: &str, context: &Context<'_>) -> Result<Credentials, Error> {
    let url = Url::parse(address).ok().filter(is_container_endpoint).ok_or_else(|| {
        Error::Configuration(format!(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI '{address}' must be https, or http to loopback or \
             to the container credentials address of ECS or EKS"
        ))
    })?;
    let variable = |name| context.place.environment.get(name);
    let token = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(read_file(file).await?),
        None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let mut request =
        Request::get(url).timeout(exchange::METADATA_TIMEOUT).header(ACCEPT, "application/json");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, &token);
    }
    let document: Document = exchange::json(&context.direct, CONTAINER, request).await?;
    document.credentials(CONTAINER)
}

/// The places the AWS SDK allows: over plain HTTP only this machine, ECS and EKS.
fn is_container_endpoint(url: &Url) -> bool {
    if url.scheme() == "https" {
        return true;
    }
    match url.host() {
        Some(Host::Ipv4(it)) => it.is_loopback() || matches!(it.octets(), [169, 254, 170, 2 | 23]),
        Some(Host::Ipv6(it)) => {
            it.is_loopback() || it.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]
        }
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The role of the machine, by `IMDSv2`.
async fn instance(context: &Context<'_>) -> Result<Credentials, Error> {
    const TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
    const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
    let given = context.place.endpoints.aws_metadata.as_ref();
    let base = endpoint(given, "http://169.254.169.254")?;
    let url = |path: &str| {
        base.join(path).map_err(|error| Error::Configuration(format!("unusable role: {error}")))
    };
    let short = |request: Request| request.timeout(exchange::METADATA_TIMEOUT);
    let request = short(Request::new(Method::PUT, url("/latest/api/token")?)).header(TTL, "21600");
    let answer = exchange::send(&context.direct, METADATA, request).await?;
    let token = String::from_utf8_lossy(&answer.body).into_owned();
    let path = "/latest/meta-data/iam/security-credentials/";
    let request = short(Request::get(url(path)?)).header(TOKEN, &token);
    let answer = exchange::send(&context.direct, METADATA, request).await?;
    let list = String::from_utf8_lossy(&answer.body).into_owned();
    let role = list.lines().next().map(str::trim).filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| Error::Answer {
        operation: METADATA,
        reason: "this machine has no role".to_owned(),
    })?;
    let request = short(Request::get(url(&format!("{path}{role}"))?)).header(TOKEN, &token);
    let document: Document = exchange::json(&context.direct, METADATA, request).await?;
    document.credentials(METADATA)
}

pub(super) fn time(operation: &'static str, text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::Answer {
        operation,
        reason: format!("unreadable expiration time '{text}'"),
    })
}
