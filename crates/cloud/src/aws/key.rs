//! Keys of AWS, for services other than ECR.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http_client::{Proxy, Request};
use jiff::Timestamp;
use url::Url;

use super::credentials::time;
use super::sigv4::Signing;
use super::{Credentials, domain};
use crate::environment::endpoint;
use crate::exchange::{self, element};
use crate::{Cloud, Error};

const ASSUME: &str = "operation error STS: AssumeRole";

/// A key of AWS with its secret, which it does not show.
#[derive(Clone)]
pub struct AwsKey(pub(crate) Credentials);

impl fmt::Debug for AwsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsKey")
    }
}

/// What a signature is for.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    /// The region of the service.
    pub region: &'a str,
    /// The service's name in signatures.
    pub service: &'a str,
}

impl AwsKey {
    /// A key that does not expire by itself.
    pub fn new(key_id: String, secret: String, session: Option<String>) -> Self {
        Self(Credentials { key_id, secret, session, expires_at: Timestamp::MAX })
    }

    /// Its id, its secret, and the session it belongs to: for a library that signs by itself.
    pub fn parts(&self) -> (&str, &str, Option<&str>) {
        let Credentials { key_id, secret, session, .. } = &self.0;
        (key_id, secret, session.as_deref())
    }

    /// The headers that a `POST` of `body` needs besides `headers`, all of which are signed
    /// (AWS Signature Version 4).
    pub fn sign(
        &self,
        signature: Signature<'_>,
        (url, headers, body): (&Url, &HeaderMap, &[u8]),
        now: Timestamp,
    ) -> HeaderMap {
        let Signature { region, service } = signature;
        Signing { credentials: &self.0, region, service, now }.sign(url, headers, body)
    }

    /// A token for a cluster of EKS: a request to STS that says who asks, signed and good for
    /// fifteen minutes, but not sent (as `aws eks get-token` makes it).
    pub fn eks_token(&self, (region, cluster): (&str, &str), now: Timestamp) -> String {
        let host = Self::service_host("sts", region);
        let signing = Signing { credentials: &self.0, region, service: "sts", now };
        let query = signing.presigned(&host, &[("x-k8s-aws-id", cluster)]);
        let url = format!("https://{host}/?{query}");
        format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url))
    }

    /// Whether a region has the form of one: it becomes part of a host's name, which must be one
    /// of AWS'.
    pub fn is_region(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=32).contains(&text.len()) && text.bytes().all(plain)
    }

    /// Where a service of a region is.
    pub fn service_host(service: &str, region: &str) -> String {
        format!("{service}.{region}.{}", domain(region))
    }
}

impl Cloud {
    /// The key of a role that `key` may assume.
    ///
    /// # Errors
    /// If STS cannot be reached or refuses.
    pub async fn assume_role(
        &self,
        key: &AwsKey,
        (role, session): (&str, &str),
        (region, proxy): (&str, &Proxy),
    ) -> Result<AwsKey, Error> {
        let context = self.context(proxy)?;
        let place = format!("https://{}/", AwsKey::service_host("sts", region));
        let url = endpoint(context.place.endpoints.aws_sts.as_ref(), &place)?;
        let body = exchange::form(&[
            ("Action", "AssumeRole"),
            ("RoleArn", role),
            ("RoleSessionName", session),
            ("Version", "2011-06-15"),
        ]);
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let (signature, now) = (Signature { region, service: "sts" }, (context.place.clock)());
        let added = key.sign(signature, (&url, &headers, body.as_bytes()), now);
        headers.extend(added);
        let request = Request { headers, ..Request::post(url, body) }.header(ACCEPT, "text/xml");
        let answer = exchange::send(&context.client, ASSUME, request).await?;
        let xml = String::from_utf8_lossy(&answer.body);
        let field = |name| {
            element(&xml, name)
                .ok_or_else(|| Error::Answer { operation: ASSUME, reason: format!("no {name}") })
        };
        Ok(AwsKey(Credentials {
            key_id: field("AccessKeyId")?,
            secret: field("SecretAccessKey")?,
            session: Some(field("SessionToken")?),
            expires_at: time(ASSUME, &field("Expiration")?)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_cannot_name_other_hosts() {
        assert!(AwsKey::is_region("eu-west-1") && AwsKey::is_region("us-iso-east-1"));
        for text in ["", "evil.example/", "a.b", "x:80", "EU", "a@b"] {
            assert!(!AwsKey::is_region(text), "{text}");
        }
        let key = AwsKey::new("AKID".into(), "secret".into(), Some("session/+".into()));
        let token = key.eks_token(("eu-west-1", "prod"), "2026-01-02T03:04:05Z".parse().unwrap());
        let url =
            BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
        let url = String::from_utf8(url).unwrap();
        let start = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
                     &X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=AKID%2F20260102%2Feu-west-1%2Fsts%2Faws4_request\
                     &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900\
                     &X-Amz-Security-Token=session%2F%2B\
                     &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=";
        assert!(url.starts_with(start), "{url}");
        assert_eq!(AwsKey::service_host("kms", "cn-north-1"), "kms.cn-north-1.amazonaws.com.cn");
    }
}
