//! Asking the services.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cloud::{Cloud, Identity, InvolvedObject, Provider, Token};
use http_client::{Client, Options, Pool, Proxy, Request, Response};
use serde::de::DeserializeOwned;
use sops::{Kind, MasterKey};
use url::Url;

use crate::{Credentials, Error, ProcessVault, aws, azure, google, vault};

/// Reasons longer than this are cut.
const MAX_REASON: usize = 2048;

/// Where the services are; what is not set is at its public place. For tests.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// AWS KMS, else `https://kms.REGION.amazonaws.com`.
    pub aws_kms: Option<Url>,
    /// Google Cloud KMS, else `https://cloudkms.googleapis.com`.
    pub gcp_kms: Option<Url>,
    /// Where every Key Vault is reached, else where its URL says.
    pub azure_vault: Option<Url>,
}

/// The key services; cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    pub(crate) cloud: Cloud,
    pool: Pool,
    pub(crate) endpoints: Endpoints,
    pub(crate) vault: ProcessVault,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// What it brings along.
    pub credentials: &'a Credentials,
    /// As whom, where it brings nothing.
    pub identity: Identity<'a>,
    /// The object that asks, for who counts.
    pub object: InvolvedObject<'a>,
}

impl Services {
    /// Services that are asked over connections of `pool`, with tokens of `cloud`.
    pub fn new(cloud: Cloud, pool: Pool, endpoints: Endpoints, vault: ProcessVault) -> Self {
        Self { cloud, pool, endpoints, vault }
    }

    /// The unwrapped copy of a data key.
    ///
    /// # Errors
    /// If no service knows such keys, or the service cannot be reached or refuses.
    pub async fn unwrap(&self, key: &MasterKey, caller: &Caller<'_>) -> Result<Vec<u8>, Error> {
        let wrapped = key.wrapped.as_str();
        match &key.kind {
            Kind::AwsKms { arn, role, context, .. } => {
                let key = aws::Key { arn, role, context };
                aws::decrypt(self, &key, (wrapped, caller)).await
            }
            Kind::GcpKms { resource_id } => {
                google::decrypt(self, resource_id, (wrapped, caller)).await
            }
            Kind::AzureKeyVault { vault_url, name, version } => {
                let key = azure::Key { vault: vault_url, name, version };
                azure::decrypt(self, &key, (wrapped, caller)).await
            }
            Kind::Vault { address, engine_path, key_name } => {
                let key = vault::Key { address, engine: engine_path, name: key_name };
                vault::decrypt(self, &key, (wrapped, caller)).await
            }
            _ => Err(Error::Configuration("no key service knows keys of this kind".to_owned())),
        }
    }

    pub(crate) fn client(&self, operation: &'static str) -> Result<Client, Error> {
        let client = self.pool.client(&Options::default());
        client.map_err(|source| Error::Http { operation, source })
    }

    /// A token of the caller's workload identity, or of this process.
    pub(crate) async fn token(
        &self,
        (provider, target): (Provider, &str),
        caller: &Caller<'_>,
    ) -> Result<Token, Error> {
        let request = cloud::Request {
            provider,
            repository: "",
            identity: caller.identity,
            proxy: &Proxy::Direct,
            sts: None,
            object: caller.object,
        };
        Ok(self.cloud.token(&request, target).await?)
    }

    /// Sends, and wants status 200 with JSON.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: Request,
    ) -> Result<T, Error> {
        let answer = self.client(operation)?.send(request).await;
        let answer = answer.map_err(|source| Error::Http { operation, source })?;
        if !answer.status.is_success() {
            return Err(refused(operation, &answer));
        }
        let unreadable = Error::Answer { operation, reason: "the answer cannot be read" };
        serde_json::from_slice(&answer.body).map_err(|_| unreadable)
    }
}

/// A refusal, with what the body says of its reason and nothing else of it.
pub(crate) fn refused(operation: &'static str, answer: &Response) -> Error {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let nested = body.get("error").filter(|it| it.is_object()).unwrap_or(&body);
    let text = |key: &str| nested.get(key).and_then(|it| it.as_str()).map(str::to_owned);
    let code = ["__type", "status", "code"].iter().find_map(|key| text(key));
    let message = ["message", "Message"].iter().find_map(|key| text(key));
    let listed = || {
        let list = body.get("errors")?.as_array()?;
        let lines: Vec<&str> = list.iter().filter_map(|it| it.as_str()).collect();
        Some(lines.join("; "))
    };
    let parts: Vec<String> = code.into_iter().chain(message).collect();
    let mut reason = if parts.is_empty() { listed().unwrap_or_default() } else { parts.join(": ") };
    if let Some((at, _)) = reason.char_indices().nth(MAX_REASON) {
        reason.truncate(at);
    }
    Error::Refused { operation, status: answer.status, reason }
}

/// What a service sent as base64.
pub(crate) fn decoded(operation: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    let unreadable = Error::Answer { operation, reason: "the plaintext is no base64" };
    BASE64_STANDARD.decode(text).map_err(|_| unreadable)
}

/// An address with path segments, whatever characters they hold.
pub(crate) fn address<'s>(
    base: &Url,
    segments: impl IntoIterator<Item = &'s str>,
) -> Result<Url, Error> {
    let mut url = base.clone();
    let refuse = || Error::Configuration("unusable address of a key service".to_owned());
    url.path_segments_mut().map_err(|()| refuse())?.pop_if_empty().extend(segments);
    Ok(url)
}

/// The address of a service that a document names: over TLS, or plainly to this machine.
pub(crate) fn named(text: &str, what: &str) -> Result<Url, Error> {
    let refuse = |why: &str| Error::Configuration(format!("address of {what}: {why}"));
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    match (url.scheme(), url.host_str()) {
        ("https" | "http", Some(host)) if !host.is_empty() => Ok(url),
        _ => Err(refuse("it must be an http or https URL")),
    }
}

/// A bearer token, of whichever kind it was.
pub(crate) fn bearer(operation: &'static str, token: Token) -> Result<String, Error> {
    match token {
        Token::Bearer(bearer) => Ok(bearer.token),
        Token::Aws(_) => Err(Error::Answer { operation, reason: "the token is of AWS" }),
    }
}
