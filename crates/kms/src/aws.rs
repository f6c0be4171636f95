//! AWS KMS: `Decrypt`.

use std::collections::BTreeMap;

use cloud::{AwsKey, Provider, Signature, Token};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http_client::{Proxy, Request};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::Error;
use crate::service::{Caller, Services, decoded};

const DECRYPT: &str = "operation error KMS: Decrypt";

/// A key.
pub(crate) struct Key<'a> {
    pub(crate) arn: &'a str,
    pub(crate) role: &'a str,
    pub(crate) context: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    plaintext: String,
}

pub(crate) async fn decrypt(
    services: &Services,
    key: &Key<'_>,
    (wrapped, caller): (&str, &Caller<'_>),
) -> Result<Vec<u8>, Error> {
    let region = region(key.arn)?;
    let signer = signer(services, key, (region, caller)).await?;
    let mut body = json!({"CiphertextBlob": wrapped, "KeyId": key.arn});
    if !key.context.is_empty() {
        body["EncryptionContext"] = json!(key.context);
    }
    let body = body.to_string();
    let place = format!("https://{}/", AwsKey::service_host("kms", region));
    let public = || {
        Url::parse(&place).map_err(|_| Error::Configuration(format!("unusable region '{region}'")))
    };
    let url = services.endpoints.aws_kms.clone().map_or_else(public, Ok)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    let target = HeaderValue::from_static("TrentService.Decrypt");
    headers.insert(HeaderName::from_static("x-amz-target"), target);
    let signature = Signature { region, service: "kms" };
    let added = signer.sign(signature, (&url, &headers, body.as_bytes()), services.cloud.now());
    headers.extend(added);
    let request = Request { headers, ..Request::post(url, body) };
    let answer: Answer = services.ask(DECRYPT, request).await?;
    decoded(DECRYPT, &answer.plaintext)
}

/// The key that signs: the caller's own, else that of its identity; of the role, if there is one.
async fn signer(
    services: &Services,
    key: &Key<'_>,
    (region, caller): (&str, &Caller<'_>),
) -> Result<AwsKey, Error> {
    let own = match &caller.credentials.aws {
        Some(own) => own.clone(),
        None => match services.token((Provider::Aws, region), caller).await? {
            Token::Aws(key) => key,
            Token::Bearer(_) => {
                return Err(Error::Answer {
                    operation: DECRYPT,
                    reason: "the token is not of AWS",
                });
            }
        },
    };
    if key.role.is_empty() {
        return Ok(own);
    }
    let proxy = &Proxy::Direct;
    Ok(services.cloud.assume_role(&own, (key.role, "sops"), (region, proxy)).await?)
}

/// The region of `arn:aws:kms:REGION:ACCOUNT:key/ID` or `…:alias/NAME`.
fn region(arn: &str) -> Result<&str, Error> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "kms", region, account, name]
            if partition.starts_with("aws")
                && AwsKey::is_region(region)
                && !account.is_empty()
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && (name.starts_with("key/") || name.starts_with("alias/")) =>
        {
            Ok(region)
        }
        _ => Err(Error::Configuration(format!("no valid ARN found in '{arn}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_part_of_the_name() {
        assert_eq!(region("arn:aws:kms:us-west-2:1:key/a-b").unwrap(), "us-west-2");
        assert_eq!(region("arn:aws-cn:kms:cn-north-1:1:alias/x").unwrap(), "cn-north-1");
        for arn in [
            "arn:aws:kms:evil.example/:1:key/a",
            "arn:aws:s3:us-west-2:1:key/a",
            "arn:aws:kms:us-west-2::key/a",
            "us-west-2",
        ] {
            assert!(region(arn).unwrap_err().to_string().contains(arn), "{arn}");
        }
    }
}
