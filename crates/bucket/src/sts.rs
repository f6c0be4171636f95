//! Keys for users of a directory (`MinIO`'s `AssumeRoleWithLDAPIdentity`).

use std::sync::Arc;

use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use url::Url;

use crate::Error;

/// An answer is shorter than this.
const MAX_ANSWER: usize = 64 << 10;

/// Where keys are given out, and to whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Ldap {
    /// The service, an `http` or `https` URL.
    pub endpoint: String,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
    /// How connections to the service are made.
    pub http: http_client::Options,
}

/// Gives keys to a store. A bucket is read in minutes, keys are good for an hour: one set does.
#[derive(Debug)]
pub(crate) struct Keys(Arc<AwsCredential>);

impl Keys {
    /// Asks for keys.
    pub(crate) async fn fetch(pool: &http_client::Pool, ldap: &Ldap) -> Result<Self, Error> {
        let url = Url::parse(&ldap.endpoint).map_err(|error| {
            let endpoint = &ldap.endpoint;
            Error::Options(format!("failed to parse STS endpoint '{endpoint}': {error}"))
        })?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "AssumeRoleWithLDAPIdentity")
            .append_pair("Version", "2011-06-15")
            .append_pair("LDAPUsername", &ldap.username)
            .append_pair("LDAPPassword", &ldap.password)
            .finish();
        let request = http_client::Request::post(url, body).limit(MAX_ANSWER).header(
            "content-type".parse().map_err(|_| Error::Failed("no header".to_owned()))?,
            "application/x-www-form-urlencoded",
        );
        let failed = |error: http_client::Error| Error::Failed(error.to_string());
        let client = pool.client(&ldap.http).map_err(failed)?;
        let answer = client.send(request).await.map_err(failed)?;
        let text = String::from_utf8_lossy(&answer.body);
        if !answer.status.is_success() {
            let why = field(&text, "Message").unwrap_or_else(|| answer.status.to_string());
            return Err(Error::Denied(format!("STS request failed: {why}")));
        }
        let part = |name: &str| {
            field(&text, name).ok_or_else(|| Error::Failed(format!("STS answer has no {name}")))
        };
        Ok(Self(Arc::new(AwsCredential {
            key_id: part("AccessKeyId")?,
            secret_key: part("SecretAccessKey")?,
            token: field(&text, "SessionToken"),
        })))
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Keys {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Ok(Arc::clone(&self.0))
    }
}

/// The text of an element that holds nothing else.
fn field(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
